// What became of one recipient in one attempt.
#pragma once

#include <string>

#include "base/result.hpp"

namespace facteur::delivery {

struct Outcome {
  enum class Kind : std::uint8_t {
    delivered,  // In a mailbox, here or behind LMTP.
    relayed,    // Taken by a server that does not know DSN: reports of success end here (RFC 3461 §5.2.2).
    passed_on,  // Taken by a server that does: it reports.
    temporary,
    permanent,
  };
  Kind kind = Kind::temporary;
  std::string status = "4.0.0";  // RFC 3463.
  std::string reply;             // What the other side said, "450 4.2.1 ...", or our own words.
  std::string host;              // "mx.example.org [192.0.2.1]"; empty: we decided ourselves.

  bool done() const { return kind < Kind::temporary; }
};

inline Outcome temporary(std::string status, std::string reply, std::string host = {}) {
  return {Outcome::Kind::temporary, std::move(status), std::move(reply), std::move(host)};
}
inline Outcome permanent(std::string status, std::string reply, std::string host = {}) {
  return {Outcome::Kind::permanent, std::move(status), std::move(reply), std::move(host)};
}

}  // namespace facteur::delivery
