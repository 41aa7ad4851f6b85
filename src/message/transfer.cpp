#include "message/transfer.hpp"

#include <array>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/embedded.hpp"

namespace facteur::message {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::array<std::int8_t, 256> make_values() {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto base64_values = make_values();

// One line without its end. Gives false if it ended with a soft line break.
bool decode_quoted_line(std::string& out, Bytes line) {
  // RFC 2045 §6.7 rule 3: blanks at the end of a line were added on the way.
  while (!line.empty() && (ascii::is_space(line.back()) || line.back() == '\r')) line.remove_suffix(1);
  const bool soft = line.ends_with('=');
  if (soft) line.remove_suffix(1);
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::size_t next = line.find('=', i);
    out.append(line.substr(i, next == Bytes::npos ? next : next - i));
    if (next == Bytes::npos) break;
    i = next;
    const int high = i + 2 < line.size() ? hex_value(line[i + 1]) : -1;
    const int low = i + 2 < line.size() ? hex_value(line[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out += '=';
    } else {
      out += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return !soft;
}

}  // namespace

Encoding encoding_of(std::string_view name) {
  using ascii::equal_ignoring_case;
  if (name.empty() || equal_ignoring_case(name, "7bit")) return Encoding::seven_bit;
  if (equal_ignoring_case(name, "8bit")) return Encoding::eight_bit;
  if (equal_ignoring_case(name, "binary")) return Encoding::binary;
  if (equal_ignoring_case(name, "quoted-printable")) return Encoding::quoted_printable;
  if (equal_ignoring_case(name, "base64")) return Encoding::base64;
  for (const std::string_view other : {"x-uuencode", "x-uue", "uuencode", "uue"}) {
    if (equal_ignoring_case(name, other)) return Encoding::uuencode;
  }
  return Encoding::other;
}

std::string decode_quoted_printable(Bytes text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == Bytes::npos) {
      decode_quoted_line(out, text);
      break;
    }
    const bool crlf = end > 0 && text[end - 1] == '\r';
    if (decode_quoted_line(out, text.substr(0, end))) out.append(crlf ? "\r\n" : "\n");
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string decode_base64(Bytes text) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t group = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64_values[static_cast<unsigned char>(c)];
    if (value < 0) {
      if (c != '=') continue;
      // Some programs join several base64 texts: padding ends a group, not the text.
      if (count >= 2) out += static_cast<char>(group >> (count * 6 - 8) & 0xff);
      if (count == 3) out += static_cast<char>(group >> 2 & 0xff);
      count = 0;
      group = 0;
      continue;
    }
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (++count < 4) continue;
    out += static_cast<char>(group >> 16 & 0xff);
    out += static_cast<char>(group >> 8 & 0xff);
    out += static_cast<char>(group & 0xff);
    count = 0;
    group = 0;
  }
  if (count >= 2) out += static_cast<char>(group >> (count * 6 - 8) & 0xff);
  if (count == 3) out += static_cast<char>(group >> 2 & 0xff);
  return out;
}

std::string decode_uuencode(Bytes text) {
  const auto files = find_embedded(text);
  if (files.empty()) return std::string(text);  // Not what it was called.
  std::string out;
  for (const auto& file : files) out.append(file.octets);
  return out;
}

std::string decode(Bytes text, Encoding encoding) {
  if (encoding == Encoding::uuencode) return decode_uuencode(text);
  if (encoding == Encoding::quoted_printable) return decode_quoted_printable(text);
  if (encoding == Encoding::base64) return decode_base64(text);
  return std::string(text);
}

std::string encode_quoted_printable(Bytes text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool line_end = c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n');
    if (line_end) {
      if (c == '\r') ++i;
      out.append("\r\n");
      column = 0;
      continue;
    }
    const bool before_end = i + 1 == text.size() || text[i + 1] == '\n' || text[i + 1] == '\r';
    const bool plain = (ascii::is_printable(c) && c != '=' && c != ' ') || (ascii::is_space(c) && !before_end);
    // "From " and "." at the start of a line are encoded too, so that no gateway changes them.
    const bool risky = column == 0 && (c == '.' || c == 'F');
    const std::size_t need = plain && !risky ? 1 : 3;
    if (column + need > (before_end ? 76u : 75u)) {
      out.append("=\r\n");
      column = 0;
    }
    if (plain && !risky) {
      out += c;
    } else {
      out += '=';
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[static_cast<unsigned char>(c) & 15];
    }
    column += need;
  }
  return out;
}

std::string encode_base64_lines(Bytes octets) {
  std::string out;
  out.reserve(octets.size() / 57 * 78 + 80);
  for (std::size_t i = 0; i < octets.size(); i += 57) {
    out.append(to_base64(octets.substr(i, 57)));
    out.append("\r\n");
  }
  return out;
}

}  // namespace facteur::message
