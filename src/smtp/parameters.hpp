// The parameters of MAIL and RCPT as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace facteur::smtp {

struct MailParameters {
  std::optional<std::uint64_t> size;  // RFC 1870.
  bool body_8bit = false;             // RFC 6152: BODY=8BITMIME.
  bool smtputf8 = false;              // RFC 6531 §3.4.
  enum class Return : std::uint8_t { unsaid, full, headers };
  Return ret = Return::unsaid;   // RFC 3461 §4.3.
  std::string envelope_id;       // RFC 3461 §4.4: ENVID, decoded; at most 100 octets, printable.
  std::string authenticated_as;  // RFC 4954 §5: AUTH=, decoded; "<>" as such; empty: not given.
};

struct RcptParameters {
  enum Notify : std::uint8_t { never = 1, success = 2, failure = 4, delay = 8 };
  std::uint8_t notify = 0;  // RFC 3461 §4.1 bits; 0: not given.
  std::string original;     // RFC 3461 §4.2: ORCPT "rfc822;address", decoded; printable; empty: not given.
};

}  // namespace facteur::smtp
