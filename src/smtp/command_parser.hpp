// The arguments of MAIL and RCPT (RFC 5321 §4.1.2), each mistake with its reply.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "message/address.hpp"
#include "smtp/parameters.hpp"
#include "smtp/reply.hpp"

namespace facteur::smtp {

struct MailArguments {
  std::optional<message::Address> sender;
  MailParameters parameters;
};
struct RcptArguments {
  message::Address recipient;
  RcptParameters parameters;
};

// `text` is what stands behind "MAIL " and "RCPT ".
std::expected<MailArguments, Reply> parse_mail(std::string_view text);
// `utf8`: MAIL came with SMTPUTF8 (RFC 6531 §3.4).
std::expected<RcptArguments, Reply> parse_rcpt(std::string_view text, bool utf8);

// RFC 3461 §4: xtext ("+3D" is "="); nullopt if it is not that, or decodes to anything but printable ASCII.
std::optional<std::string> decode_xtext(std::string_view text);
std::string encode_xtext(std::string_view text);

}  // namespace facteur::smtp
