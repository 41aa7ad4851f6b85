// What the brake on guessing holds back at the moment, for operators: who, how much, and how to let go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "base/time.hpp"

namespace facteur::directory {

struct Guesses {
  enum class Of : std::uint8_t { login, network, source };
  Of of = Of::login;
  std::string name;        // "anne@example.org", "192.0.2.0/24", "192.0.2.7 anne@example.org" (IPv6: of its /64).
  std::int64_t wrong = 0;  // Wrong passwords that count at the moment.
  bool held = false;       // Not even a right one is looked at now (but from where that login went well before).
};

// Calls from any shard; they resume there.
class GuessBook {
 public:
  virtual ~GuessBook() = default;

  virtual Task<std::vector<Guesses>> guesses() = 0;
  // Forgets those of one name as guesses() writes it, or of all if it is empty; how many there were.
  virtual Task<std::size_t> forget_guesses(std::string name) = 0;
};

}  // namespace facteur::directory
