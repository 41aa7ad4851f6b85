#include "imap/mailbox_name.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include "base/ascii.hpp"

namespace facteur::imap {
namespace {

constexpr Bytes alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

int base64_value(char c) {
  const auto at = alphabet.find(c);
  return at == Bytes::npos ? -1 : static_cast<int>(at);
}

void append_utf8(std::string& out, char32_t c) {
  const auto octet = [&out](char32_t value) { out += static_cast<char>(value); };
  if (c < 0x80) {
    octet(c);
  } else if (c < 0x800) {
    octet(0xc0 | c >> 6);
    octet(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    octet(0xe0 | c >> 12);
    octet(0x80 | (c >> 6 & 0x3f));
    octet(0x80 | (c & 0x3f));
  } else {
    octet(0xf0 | c >> 18);
    octet(0x80 | (c >> 12 & 0x3f));
    octet(0x80 | (c >> 6 & 0x3f));
    octet(0x80 | (c & 0x3f));
  }
}

// The next character of UTF-8 text and its length; length 0: not valid there.
struct Decoded {
  char32_t character = 0;
  std::size_t length = 0;
};
Decoded decode_utf8(Bytes text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  char32_t c = lead & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return {};
    c = c << 6 | (next & 0x3f);
  }
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return {};
  return {c, length};
}

// The UTF-16 units of one shifted sequence (between '&' and '-'); nullopt if bits are left over that are not zero.
std::optional<std::vector<std::uint16_t>> shifted_units(Bytes shifted) {
  std::vector<std::uint16_t> units;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : shifted) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 16) {
      count -= 16;
      units.push_back(static_cast<std::uint16_t>(bits >> count));
      bits &= (1U << count) - 1;
    }
  }
  if (count >= 6 || bits != 0) return std::nullopt;
  return units;
}

bool append_units(std::string& out, const std::vector<std::uint16_t>& units) {
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t c = units[i];
    if (c >= 0xdc00 && c < 0xe000) return false;
    if (c >= 0xd800 && c < 0xdc00) {
      if (i + 1 == units.size() || units[i + 1] < 0xdc00 || units[i + 1] >= 0xe000) return false;
      c = 0x10000 + ((c - 0xd800) << 10) + (units[++i] - 0xdc00U);
    }
    // RFC 3501 §5.1.3: printable US-ASCII characters represent themselves. NUL and other controls are no names.
    if (c < 0x7f) return false;
    append_utf8(out, c);
  }
  return true;
}

}  // namespace

std::optional<std::string> from_modified_utf7(Bytes name) {
  std::string out;
  bool after_shift = false;
  for (std::size_t i = 0; i < name.size();) {
    const char c = name[i];
    if (!ascii::is_printable(c)) return std::nullopt;
    if (c != '&') {
      out += c;
      ++i;
      after_shift = false;
      continue;
    }
    const auto end = name.find('-', i + 1);
    if (end == Bytes::npos) return std::nullopt;
    if (end == i + 1) {
      out += '&';
      after_shift = false;
    } else {
      if (after_shift) return std::nullopt;  // RFC 3501 §5.1.3: no superfluous shifts ("&AOQ-&AOQ-").
      const auto units = shifted_units(name.substr(i + 1, end - i - 1));
      if (!units || units->empty() || !append_units(out, *units)) return std::nullopt;
      after_shift = true;
    }
    i = end + 1;
  }
  return out;
}

std::string to_modified_utf7(Bytes utf8) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  bool shifted = false;
  const auto unit = [&](std::uint32_t value) {
    bits = bits << 16 | value;
    count += 16;
    while (count >= 6) {
      count -= 6;
      out += alphabet[bits >> count & 0x3f];
    }
    bits &= (1U << count) - 1;
  };
  const auto unshift = [&] {
    if (!shifted) return;
    if (count > 0) out += alphabet[bits << (6 - count) & 0x3f];
    out += '-';
    shifted = false;
    bits = 0;
    count = 0;
  };
  while (!utf8.empty()) {
    auto [c, length] = decode_utf8(utf8);
    if (length == 0) {
      c = 0xfffd;
      length = 1;
    }
    utf8.remove_prefix(length);
    if (c >= 0x20 && c < 0x7f) {
      unshift();
      out += static_cast<char>(c);
      if (c == '&') out += '-';
      continue;
    }
    if (!shifted) out += '&';
    shifted = true;
    if (c >= 0x10000) {
      unit(0xd800 + ((c - 0x10000) >> 10));
      unit(0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      unit(c);
    }
  }
  unshift();
  return out;
}

bool is_valid_utf8(Bytes text) {
  while (!text.empty()) {
    const auto length = decode_utf8(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string canonical_name(Bytes name) {
  if (name.size() > 1 && name.ends_with(hierarchy_delimiter)) name.remove_suffix(1);
  std::string out(name);
  if (ascii::starts_with_ignoring_case(out, "INBOX") && (out.size() == 5 || out[5] == hierarchy_delimiter)) {
    out.replace(0, 5, "INBOX");
  }
  return out;
}

bool matches_pattern(Bytes pattern, Bytes name) {
  const bool inbox = name == "INBOX" || name.starts_with("INBOX/");
  // reachable[i]: the pattern so far matches the first i octets of the name.
  std::vector<char> reachable(name.size() + 1, 0);
  reachable[0] = 1;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    const char c = pattern[p];
    std::vector<char> after(name.size() + 1, 0);
    if (c == '*' || c == '%') {
      bool open = false;
      for (std::size_t i = 0; i <= name.size(); ++i) {
        if (i > 0 && open && c == '%' && name[i - 1] == hierarchy_delimiter) open = false;
        open = open || reachable[i] != 0;
        after[i] = open ? 1 : 0;
      }
    } else {
      for (std::size_t i = 0; i < name.size(); ++i) {
        const bool same = name[i] == c || (inbox && i < 5 && name[i] == ascii::to_upper(c));
        if (reachable[i] != 0 && same) after[i + 1] = 1;
      }
    }
    reachable.swap(after);
  }
  return reachable.back() != 0;
}

}  // namespace facteur::imap
