// The door to chance: ids, nonces, jitter.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace facteur::world {

class Random {
 public:
  virtual ~Random() = default;

  virtual void fill(Room room) = 0;  // Cryptographic quality in production; from the seed in the simulator.

  std::uint64_t number() {
    std::uint64_t value = 0;
    fill(Room(reinterpret_cast<char*>(&value), sizeof value));
    return value;
  }
  std::uint64_t below(std::uint64_t bound) { return number() % bound; }  // For jitter and shuffles; bound > 0.
};

}  // namespace facteur::world
