// People who send letters, and the ledger of what they were promised.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/world.hpp"
#include "smtp/client_session.hpp"
#include "tls/stream.hpp"

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

using Trust = std::shared_ptr<const crypto::TlsClientContext>;

// The server's side of a call is one of the two sites; its certificate must verify.
Task<Result<std::unique_ptr<world::Stream>>> encrypt(std::unique_ptr<world::Stream> stream, Trust trust,
                                                     Instant deadline);
Task<Result<std::unique_ptr<world::Stream>>> call(sim::Machine& machine, Endpoint to, bool implicit_tls, Trust trust);

struct Errand {
  Endpoint to;
  Trust tls;  // Null: in the clear, which strangers at port 25 may.
  std::string hello;
  std::string login;
  Posted* letter = nullptr;
  std::string content;
  bool lmtp = false;
};

// Posts one letter over one connection; what was said is in the ledger when it ends.
Task<void> post_letter(sim::Machine& machine, Errand errand);

}  // namespace facteur::simulation
