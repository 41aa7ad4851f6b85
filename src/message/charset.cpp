#include "message/charset.hpp"

#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

// 0x80 to 0x9f of windows-1252; iso-8859-1 never means the C1 controls in mail.
constexpr std::array<char32_t, 32> windows_1252 = {0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                                   0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
                                                   0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                                   0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178};

std::string from_latin(Bytes octets, bool latin9) {
  std::string out;
  out.reserve(octets.size() + octets.size() / 4);
  for (const char c : octets) {
    char32_t value = static_cast<unsigned char>(c);
    if (value >= 0x80 && value < 0xa0) value = windows_1252[value - 0x80];
    if (latin9) {
      switch (value) {
        case 0xa4:
          value = 0x20ac;
          break;
        case 0xa6:
          value = 0x160;
          break;
        case 0xa8:
          value = 0x161;
          break;
        case 0xb4:
          value = 0x17d;
          break;
        case 0xb8:
          value = 0x17e;
          break;
        case 0xbc:
          value = 0x152;
          break;
        case 0xbd:
          value = 0x153;
          break;
        case 0xbe:
          value = 0x178;
          break;
        default:
          break;
      }
    }
    append_utf8(out, value);
  }
  return out;
}

// Length of the valid UTF-8 sequence at the start, 0 if it is none (RFC 3629 §4: shortest form, no surrogates).
std::size_t sequence_length(Bytes octets) {
  const auto at = [&](std::size_t i) { return i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xc0u) == 0x80u; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = first == 0xed ? 0x9f : 0xbf;
    return at(1) >= low && at(1) <= high && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned high = first == 0xf4 ? 0x8f : 0xbf;
    return at(1) >= low && at(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::string repaired_utf8(Bytes octets) {
  std::string out;
  out.reserve(octets.size());
  while (!octets.empty()) {
    const std::size_t length = sequence_length(octets);
    if (length > 0) {
      out.append(octets.substr(0, length));
    } else {
      out.append("\xef\xbf\xbd");
    }
    octets.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

// What the wild means by a label: the larger set that its writers used (as the WHATWG Encoding Standard says), and
// underscores for hyphens.
std::string meant_by(std::string_view charset) {
  struct Meant {
    std::string_view label;
    const char* name;
  };
  static constexpr Meant table[] = {{"gb2312", "gb18030"},
                                    {"gbk", "gb18030"},
                                    {"x-gbk", "gb18030"},
                                    {"gb-2312-80", "gb18030"},
                                    {"x-euc-cn", "gb18030"},
                                    {"euc-cn", "gb18030"},
                                    {"cp936", "gb18030"},
                                    {"euc-kr", "windows-949"},
                                    {"ks-c-5601-1987", "windows-949"},
                                    {"ksc5601", "windows-949"},
                                    {"ks-c-5601", "windows-949"},
                                    {"cp949", "windows-949"},
                                    {"shift-jis", "windows-31j"},
                                    {"x-sjis", "windows-31j"},
                                    {"sjis", "windows-31j"},
                                    {"cp932", "windows-31j"},
                                    {"iso-8859-9", "windows-1254"},
                                    {"iso-8859-11", "windows-874"},
                                    {"tis-620", "windows-874"},
                                    {"big5", "Big5-HKSCS"},
                                    {"x-x-big5", "Big5-HKSCS"},
                                    {"utf-16", "UTF-16"},
                                    {"unicode-1-1-utf-7", "UTF-7"}};
  std::string name = ascii::lower(ascii::trimmed(charset));
  std::ranges::replace(name, '_', '-');
  for (const auto& one : table) {
    if (one.label == name) return one.name;
  }
  return name;
}

Converter converter_of(std::string_view charset) {
  if (charset.empty() || charset.size() > 64) return nullptr;
  const std::string name = meant_by(charset);
  UErrorCode error = U_ZERO_ERROR;
  Converter converter(ucnv_open(name.c_str(), &error));
  return U_SUCCESS(error) ? std::move(converter) : nullptr;
}

std::string from_icu(UConverter* converter, Bytes octets) {
  UErrorCode error = U_ZERO_ERROR;
  const Converter utf8(ucnv_open("UTF-8", &error));
  std::string out;
  std::array<char, 4096> target{};
  std::array<UChar, 1024> pivot{};
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
  const char* source = octets.data();
  const char* const end = octets.data() + octets.size();
  bool first = true;
  do {
    error = U_ZERO_ERROR;
    char* to = target.data();
    ucnv_convertEx(utf8.get(), converter, &to, target.data() + target.size(), &source, end, pivot.data(), &pivot_source,
                   &pivot_target, pivot.data() + pivot.size(), first, true, &error);
    first = false;
    out.append(target.data(), static_cast<std::size_t>(to - target.data()));
  } while (error == U_BUFFER_OVERFLOW_ERROR);
  return is_utf8(out) ? out : repaired_utf8(out);
}

// ISO-2022 without escape sequences of "(" and "$" that nothing stands behind: texts put together from encoded words
// that are each complete have them, and ICU takes them for an attack and puts U+FFFD there.
std::string without_idle_escapes(Bytes octets) {
  const auto escape_length = [&](std::size_t at) -> std::size_t {
    if (at + 2 >= octets.size() || octets[at] != '\x1b') return 0;
    if (octets[at + 1] == '(') return 3;
    if (octets[at + 1] != '$') return 0;
    if (octets[at + 2] == '@' || octets[at + 2] == 'A' || octets[at + 2] == 'B') return 3;
    return octets[at + 2] == '(' ? 4 : 0;  // ESC $ ) designates for later, and has its effect whatever follows.
  };
  std::string out;
  out.reserve(octets.size());
  for (std::size_t i = 0; i < octets.size();) {
    const std::size_t length = escape_length(i);
    if (length > 0 && escape_length(i + length) > 0) {
      i += length;
    } else {
      out += octets[i++];
    }
  }
  return out;
}

enum class Known : unsigned char { no, ascii, utf8, latin, latin9 };
Known known(std::string_view charset) {
  using ascii::equal_ignoring_case;
  if (charset.empty() || equal_ignoring_case(charset, "us-ascii") || equal_ignoring_case(charset, "ascii")) {
    return Known::ascii;
  }
  if (equal_ignoring_case(charset, "utf-8") || equal_ignoring_case(charset, "utf8")) return Known::utf8;
  if (equal_ignoring_case(charset, "iso-8859-1") || equal_ignoring_case(charset, "latin1") ||
      equal_ignoring_case(charset, "windows-1252") || equal_ignoring_case(charset, "cp1252")) {
    return Known::latin;
  }
  if (equal_ignoring_case(charset, "iso-8859-15")) return Known::latin9;
  return Known::no;
}

}  // namespace

void append_character(std::string& out, char32_t code) {
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  // HTML numbers characters 128 to 159 by windows-1252, as its writers did.
  if (code >= 0x80 && code < 0xa0) code = windows_1252[code - 0x80];
  const bool control = (code < 0x20 && code != '\t' && code != '\n') || code == 0x7f;
  append_utf8(out, surrogate || control || code > 0x10ffff ? char32_t{0xfffd} : code);
}

bool is_utf8(Bytes octets) {
  std::size_t i = 0;
  while (i < octets.size()) {
    // ASCII, eight octets at a time: most text is nothing else.
    for (std::uint64_t word = 0; i + sizeof word <= octets.size(); i += sizeof word) {
      std::memcpy(&word, octets.data() + i, sizeof word);
      if ((word & 0x8080808080808080u) != 0) break;
    }
    if (i >= octets.size()) break;
    if (static_cast<unsigned char>(octets[i]) < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = sequence_length(octets.substr(i, 4));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::string to_utf8(Bytes octets, std::string_view charset) {
  switch (known(charset)) {
    case Known::utf8:
      return is_utf8(octets) ? std::string(octets) : repaired_utf8(octets);
    case Known::ascii:
      return is_utf8(octets) ? std::string(octets) : from_latin(octets, false);
    case Known::latin:
      return from_latin(octets, false);
    case Known::latin9:
      return from_latin(octets, true);
    case Known::no:
      break;
  }
  if (const Converter converter = converter_of(charset)) {
    if (octets.find('\x1b') == Bytes::npos) return from_icu(converter.get(), octets);
    return from_icu(converter.get(), without_idle_escapes(octets));
  }
  return is_utf8(octets) ? std::string(octets) : from_latin(octets, false);
}

namespace {

struct CloseDetector {
  void operator()(UCharsetDetector* detector) const { ucsdet_close(detector); }
};

// Empty: nothing is likely enough.
std::string detected_charset(Bytes octets) {
  constexpr std::int32_t least_confidence = 20;  // Of 100; short texts seldom give more.
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, CloseDetector> detector(ucsdet_open(&error));
  const Bytes start = octets.substr(0, 16'384);
  ucsdet_setText(detector.get(), start.data(), static_cast<std::int32_t>(start.size()), &error);
  const UCharsetMatch* match = ucsdet_detect(detector.get(), &error);
  if (U_FAILURE(error) || match == nullptr || ucsdet_getConfidence(match, &error) < least_confidence) return {};
  const char* name = ucsdet_getName(match, &error);
  return U_FAILURE(error) || name == nullptr ? std::string() : std::string(name);
}

// ISO-2022-JP, -KR and -CN are ASCII to whoever does not know their escape sequences.
std::string_view escaped_charset(Bytes octets) {
  if (octets.find("\x1b$B") != Bytes::npos || octets.find("\x1b$@") != Bytes::npos) return "iso-2022-jp";
  if (octets.find("\x1b$)C") != Bytes::npos) return "iso-2022-kr";
  return octets.find("\x1b$)A") != Bytes::npos ? "iso-2022-cn" : "";
}

// Whether most of what is not ASCII is valid UTF-8: then the rest is damage, not another charset.
bool mostly_utf8(Bytes octets) {
  std::size_t valid = 0;
  std::size_t invalid = 0;
  for (std::size_t i = 0; i < octets.size();) {
    const std::size_t length = sequence_length(octets.substr(i, 4));
    valid += length > 1;
    invalid += length == 0;
    i += length > 0 ? length : 1;
  }
  return valid > invalid;
}

}  // namespace

bool charset_decides(std::string_view charset) {
  const Known label = known(charset);
  return label == Known::latin || label == Known::latin9 || (label == Known::no && converter_of(charset) != nullptr);
}

std::string charset_of_body(Bytes octets, std::string_view charset) {
  if (charset_decides(charset)) return std::string(charset);
  const Known label = known(charset);
  if (is_utf8(octets)) {
    const std::string_view escaped = label == Known::utf8 ? std::string_view() : escaped_charset(octets);
    return std::string(escaped.empty() ? "utf-8" : escaped);
  }
  if (label == Known::utf8 && mostly_utf8(octets)) return "utf-8";
  std::string likely = detected_charset(octets);
  return likely.empty() ? "windows-1252" : likely;
}

std::string body_to_utf8(Bytes octets, std::string_view charset) {
  const std::string found = charset_of_body(octets, charset);
  if (found != "utf-8") return to_utf8(octets, found);
  return is_utf8(octets) ? std::string(octets) : repaired_utf8(octets);
}

std::string field_to_utf8(Bytes octets, std::string_view charset) {
  if (is_utf8(octets)) {
    const bool escapes = octets.find('\x1b') != Bytes::npos;
    const std::string_view escaped = escapes ? escaped_charset(octets) : std::string_view();
    return escaped.empty() ? std::string(octets) : to_utf8(octets, escaped);
  }
  if (charset_decides(charset)) return to_utf8(octets, charset);
  return mostly_utf8(octets) ? repaired_utf8(octets) : to_utf8(octets, "windows-1252");
}

bool charset_known(std::string_view charset) { return known(charset) != Known::no || converter_of(charset) != nullptr; }

}  // namespace facteur::message
