#include "message/inert.hpp"

#include <fmt/format.h>

#include <cstdint>

#include "message/charset.hpp"

namespace facteur::message {
namespace {

bool is_hidden(std::uint32_t c) {
  return c == 0x061c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
         c == 0xfeff || c == 0x00ad || c == 0x180e || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

// The code point at `at` of valid UTF-8, and how many octets it takes.
struct CodePoint {
  std::uint32_t value;
  std::size_t octets;
};
CodePoint code_point(std::string_view text, std::size_t at) {
  const auto octet = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(text[at + i])}; };
  const std::uint32_t first = octet(0);
  if (first < 0x80) return {first, 1};
  if (first < 0xe0) return {(first & 0x1f) << 6 | (octet(1) & 0x3f), 2};
  if (first < 0xf0) return {(first & 0x0f) << 12 | (octet(1) & 0x3f) << 6 | (octet(2) & 0x3f), 3};
  return {(first & 0x07) << 18 | (octet(1) & 0x3f) << 12 | (octet(2) & 0x3f) << 6 | (octet(3) & 0x3f), 4};
}

}  // namespace

std::string inert_text(std::string_view text, bool lines) {
  std::string valid;
  if (!is_utf8(text)) {
    valid = to_utf8(text, "utf-8");
    text = valid;
  }
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, octets] = code_point(text, at);
    if (value >= 0x20 && value < 0x7f) {
      out += text[at];
    } else if (lines && (value == '\n' || value == '\t')) {
      out += text[at];
    } else if (value == 0x7f) {
      out.append("\u2421");
    } else if (value < 0x20) {
      out.append("\xe2\x90") += static_cast<char>(0x80 + value);  // U+2400 and the number: the picture of the control.
    } else if (value < 0xa0) {
      out.append("\ufffd");
    } else if (is_hidden(value)) {
      out.append(fmt::format("[U+{:04X}]", value));
    } else {
      out.append(text.substr(at, octets));
    }
    at += octets;
  }
  return out;
}

}  // namespace facteur::message
