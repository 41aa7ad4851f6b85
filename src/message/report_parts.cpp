#include "message/report_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/seven_bit.hpp"

namespace facteur::message {
namespace {

// RFC 6533 §3 QCHAR.
bool stands_for_itself(char c) { return c > ' ' && c < 0x7f && c != '\\' && c != '+' && c != '='; }

std::string to_unitext(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c < 0x80) {
      out += stands_for_itself(text[at]) ? std::string(1, text[at]) : fmt::format("\\x{{{:02X}}}", c);
      ++at;
      continue;
    }
    const std::size_t length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    char32_t code = c & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length && at + i < text.size(); ++i) {
      code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3f);
    }
    out += fmt::format("\\x{{{:02X}}}", static_cast<std::uint32_t>(code));
    at += length;
  }
  return out;
}

std::string of_type_utf8(std::string_view address, bool utf8) {
  return "utf-8; " + (utf8 ? std::string(address) : to_unitext(address));
}

}  // namespace

std::string from_unitext(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const std::size_t end = rest.starts_with("\\x{") ? rest.find('}') : std::string_view::npos;
    std::uint32_t code = 0;
    const bool coded = end != std::string_view::npos && end > 3 && end <= 9 &&
                       std::ranges::all_of(rest.substr(3, end - 3), ascii::is_hex);
    if (coded) std::from_chars(rest.data() + 3, rest.data() + end, code, 16);
    if (coded && code < 0x80) {
      out += ascii::is_control(static_cast<char>(code)) ? ' ' : static_cast<char>(code);
      at += end + 1;
    } else if (coded) {
      append_character(out, code);
      at += end + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

std::string typed_address(std::string_view address, bool utf8) {
  const std::string one = cleaned(address, true);
  return has_eight_bit(one) ? of_type_utf8(one, utf8) : "rfc822; " + one;
}

std::string typed_recipient(std::string_view original, bool utf8) {
  const std::string one = cleaned(original, true);
  const std::size_t semicolon = one.find(';');
  if (semicolon == std::string::npos) return {};
  const auto type = ascii::trimmed(std::string_view(one).substr(0, semicolon));
  const auto address = ascii::trimmed(std::string_view(one).substr(semicolon + 1));
  if (!ascii::equal_ignoring_case(type, "utf-8")) return cleaned(one, utf8);
  return cleaned(of_type_utf8(from_unitext(address), utf8), utf8);
}

Entity header_part(Bytes original) {
  Entity out{.content = std::string(original.substr(0, header_length(original)))};
  // RFC 6533 §4.3: in UTF-8. Octets of other charsets stay a text, which any encoding carries.
  const bool global = has_eight_bit(out.content) && is_utf8(out.content);
  out.type = global ? "message/global-headers" : "text/rfc822-headers";
  return out;
}

Entity whole_part(Bytes original) { return {.type = "message/rfc822", .content = std::string(original)}; }

Entity report_entity(std::string_view report_type, std::string text, Entity status, Entity original) {
  Entity out{.type = "multipart/report"};
  out.parameters.push_back({"report-type", std::string(report_type)});
  Entity prose{.content = with_crlf(text)};
  prose.parameters.push_back({"charset", has_eight_bit(prose.content) ? "utf-8" : "us-ascii"});
  out.parts.push_back(std::move(prose));
  out.parts.push_back(std::move(status));
  out.parts.push_back(std::move(original));
  return out;
}

}  // namespace facteur::message
