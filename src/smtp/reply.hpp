// A reply of SMTP (RFC 5321 §4.2) as a value. Only this folder turns it into text.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace facteur::smtp {

struct Reply {
  int code = 250;
  std::string enhanced;  // "2.1.5" (RFC 3463); empty where RFC 2034 §4 has none (220 greeting, EHLO, 354).
  std::string text;      // Printable; "\n" separates lines.

  bool positive() const { return code >= 200 && code < 400; }
  bool temporary() const { return code >= 400 && code < 500; }
  bool permanent() const { return code >= 500; }
};

// The octets on the wire, every line ended by CRLF (RFC 5321 §4.2.1); octets that are not printable become '?'.
void write_reply(std::string& to, int code, std::string_view enhanced, std::string_view text);
inline void write_reply(std::string& to, const Reply& reply) {
  write_reply(to, reply.code, reply.enhanced, reply.text);
}

// The one place where a Failure becomes a reply: 4yz or 5yz by its kind, its public text, never its cause.
// `permanent` and `temporary` are the enhanced codes used: "5.6.0", "4.3.0".
Reply to_reply(const Failure& failure, std::string_view temporary = "4.3.0", std::string_view permanent = "5.3.0");

}  // namespace facteur::smtp
