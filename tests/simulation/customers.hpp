// People who send letters, and the ledger of what they were promised.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/world.hpp"
#include "smtp/client_session.hpp"

namespace facteur::simulation {

enum class Promise : std::uint8_t {
  unknown,  // No answer was read: any number of copies is right.
  taken,    // 250: exactly one copy, or a report of failure.
  refused,  // 4xx or 5xx: no copy.
};

// What one letter's sender knows.
struct Posted {
  std::string id;
  std::string sender;
  std::string login;  // Empty: came to the exchanger from outside.
  std::map<std::string, Promise> recipients;
};

struct Errand {
  Endpoint to;
  std::string hello;
  std::string login;
  Posted* letter = nullptr;
  std::string content;
  bool smtputf8 = false;
};

// Posts one letter over one connection; what was said is in the ledger when it ends.
Task<void> post_letter(sim::Machine& machine, Errand errand);

}  // namespace facteur::simulation
