// Files in text: found by their first lines, read line by line. Every line is looked at once.
#include "message/embedded.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/ascii.hpp"
#include "message/binhex.hpp"

namespace facteur::message {
namespace {

using Kind = EmbeddedFile::Kind;

// Lines of a text, without their ends.
class Lines {
 public:
  explicit Lines(Bytes text) : text_(text) {}
  bool next(Bytes& line) {
    if (at_ >= text_.size()) return false;
    start_ = at_;
    const std::size_t end = text_.find('\n', at_);
    line = text_.substr(at_, end == Bytes::npos ? end : end - at_);
    at_ = end == Bytes::npos ? text_.size() : end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return true;
  }
  std::size_t start() const { return start_; }  // Of the line last read.
  std::size_t position() const { return at_; }
  void move_to(std::size_t at) { at_ = at; }
  Bytes rest() const { return text_.substr(at_); }

 private:
  Bytes text_;
  std::size_t at_ = 0;
  std::size_t start_ = 0;
};

// ---- uuencode and xxencode

// "begin 644 name": three or four octal digits.
std::optional<Bytes> begin_name(Bytes line) {
  if (!line.starts_with("begin ")) return std::nullopt;
  line.remove_prefix(6);
  std::size_t digits = 0;
  while (digits < line.size() && line[digits] >= '0' && line[digits] <= '7') ++digits;
  if (digits < 3 || digits > 4 || digits + 1 >= line.size() || line[digits] != ' ') return std::nullopt;
  const Bytes name = ascii::trimmed(line.substr(digits + 1));
  return name.empty() ? std::nullopt : std::optional(name);
}

int xx_value(char c) {
  constexpr std::string_view alphabet = "+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const std::size_t at = alphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

int uu_value(char c) { return c >= ' ' && c <= '`' ? (c - ' ') & 63 : -1; }

int value_of(char c, Kind kind) { return kind == Kind::xxencode ? xx_value(c) : uu_value(c); }

// One line: a count, then groups of four; blanks at its end may have been lost. False: it is no such line.
bool decode_line(std::string& out, Bytes line, Kind kind) {
  const int count = line.empty() ? -1 : value_of(line[0], kind);
  if (count < 0) return false;
  line.remove_prefix(1);
  const std::size_t groups = (static_cast<std::size_t>(count) + 2) / 3;
  if (line.size() > groups * 4 + 4) return false;  // Some writers add a checksum of a character or two.
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < groups; ++i) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t at = i * 4 + k;
      const int value = at < line.size() ? value_of(line[at], kind) : 0;
      if (value < 0) {
        out.resize(before);
        return false;
      }
      bits = bits << 6 | static_cast<std::uint32_t>(value);
    }
    out += static_cast<char>(bits >> 16 & 0xff);
    out += static_cast<char>(bits >> 8 & 0xff);
    out += static_cast<char>(bits & 0xff);
  }
  out.resize(before + static_cast<std::size_t>(count));
  return true;
}

// A full line of 45 octets begins with 'M' in uuencode and with 'h' in xxencode; short ones are told by their letters.
Kind kind_of_line(Bytes line) {
  if (line.empty() || uu_value(line[0]) < 0) return Kind::xxencode;
  return std::ranges::any_of(line, ascii::is_lower) ? Kind::xxencode : Kind::uuencode;
}

// Texts of Japan that became UTF-8 have U+00A5 where ASCII has a backslash: one of the letters of uuencode.
std::string without_yen(Bytes line) {
  std::string out(line);
  for (std::size_t at = 0; (at = out.find("\xc2\xa5", at)) != std::string::npos; ++at) out.replace(at, 2, "\\");
  return out;
}

bool decode_damaged_line(std::string& out, Bytes line, Kind kind) {
  return decode_line(out, line, kind) ||
         (kind == Kind::uuencode && line.find('\xa5') != Bytes::npos && decode_line(out, without_yen(line), kind));
}

// A line of 45 octets: nothing else is so long and of these letters only.
bool is_full_line(Bytes line, Kind kind) {
  std::string scratch;
  return line.size() >= 61 && value_of(line[0], kind) == 45 && decode_damaged_line(scratch, line, kind);
}

// Behind its "begin" line.
void read_uuencode(Lines& lines, EmbeddedFile& file) {
  bool first = true;
  bool damaged = false;
  std::size_t end = lines.position();
  for (Bytes line; lines.next(line); end = lines.position()) {
    if (first) file.kind = kind_of_line(line);
    first = false;
    if (line == "end") {
      file.complete = true;
      end = lines.position();
      break;
    }
    // An empty line stands for the one of length zero whose blank was lost.
    if (line.empty() || decode_damaged_line(file.octets, line, file.kind)) continue;
    // One damaged line shall not hide what is behind it.
    const std::size_t start = lines.start();
    Bytes next;
    if (lines.next(next) && is_full_line(next, file.kind)) {
      damaged = true;
      decode_damaged_line(file.octets, next, file.kind);
      continue;
    }
    lines.move_to(start);  // It may begin something else.
    break;
  }
  file.complete = file.complete && !damaged;
  file.length = end - file.offset;
}

// ---- yEnc 1.3

Bytes word_behind(Bytes line, std::string_view name) {
  const std::size_t at = line.find(name);
  if (at == Bytes::npos) return {};
  line.remove_prefix(at + name.size());
  return line.substr(0, line.find(' '));
}

std::uint32_t crc32_of(Bytes octets) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int k = 0; k < 8; ++k) value = (value & 1) != 0 ? value >> 1 ^ 0xedb88320u : value >> 1;
      values[i] = value;
    }
    return values;
  }();
  std::uint32_t crc = 0xffffffffu;
  for (const char c : octets) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

std::optional<std::uint32_t> hex_number(Bytes text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? std::optional(value)
                                                                                   : std::nullopt;
}

bool yenc_complete(Bytes end_line, const EmbeddedFile& file) {
  const auto size = ascii::number(word_behind(end_line, " size="));
  if (!size || *size != file.octets.size()) return false;
  Bytes crc = word_behind(end_line, " pcrc32=");
  if (crc.empty()) crc = word_behind(end_line, " crc32=");
  const auto wanted = hex_number(crc);
  return !wanted || *wanted == crc32_of(file.octets);
}

bool is_yenc_begin(Bytes line) {
  return line.starts_with("=ybegin ") && line.find(" size=") != Bytes::npos && line.find(" name=") != Bytes::npos;
}

void read_yenc(Lines& lines, Bytes begin, EmbeddedFile& file) {
  file.kind = Kind::yenc;
  file.name = std::string(ascii::trimmed(begin.substr(begin.find(" name=") + 6)));  // To the end, blanks and all.
  for (Bytes line; lines.next(line);) {
    if (line.starts_with("=ypart ")) continue;
    if (line.starts_with("=yend ")) {
      file.complete = yenc_complete(line, file);
      break;
    }
    for (std::size_t i = 0; i < line.size(); ++i) {
      unsigned value = static_cast<unsigned char>(line[i]);
      if (line[i] == '=' && i + 1 < line.size()) value = static_cast<unsigned char>(line[++i]) - 64u;
      file.octets += static_cast<char>((value - 42u) & 0xff);
    }
  }
  file.length = lines.position() - file.offset;
}

// ---- BinHex

constexpr std::string_view binhex_mark = "(This file must be converted with BinHex";

void read_binhex(Lines& lines, Bytes text, EmbeddedFile& file) {
  const std::size_t start = lines.position();
  BinHex found = read_binhex_text(text.substr(start));
  file.kind = Kind::binhex;
  file.name = std::move(found.name);
  file.octets = std::move(found.octets);
  file.complete = found.complete;
  lines.move_to(start + found.length);
  file.length = lines.position() - file.offset;
}

// The line after "begin" must look like one of its own, or "begin 100 words" of a letter would take what follows.
bool data_follows(Bytes rest) {
  Lines lines(rest);
  Bytes line;
  if (!lines.next(line)) return false;
  if (line == "end" || line == "`") return true;
  std::string scratch;
  if (line.empty() || line.size() > 100) return false;
  const Kind kind = kind_of_line(line);
  const int count = value_of(line[0], kind);
  // Trailing blanks may be lost, but not most of the line.
  return count > 0 && decode_damaged_line(scratch, line, kind) &&
         line.size() - 1 + 4 >= (static_cast<std::size_t>(count) + 2) / 3 * 4;
}

enum class Start : unsigned char { none, begin, yenc, binhex };

Start start_of(Bytes line, Bytes rest) {
  if (line.size() < 8) return Start::none;
  switch (line[0]) {
    case 'b':
      return begin_name(line) && data_follows(rest) ? Start::begin : Start::none;
    case '=':
      return is_yenc_begin(line) ? Start::yenc : Start::none;
    case '(':
      return line.starts_with(binhex_mark) ? Start::binhex : Start::none;
    default:
      return Start::none;
  }
}

// Whether a line begins with a letter that start_of() looks at. Without a way out of the loop, many octets at once.
bool any_may_start(Bytes text) {
  const auto is = [](char c, char wanted) { return static_cast<unsigned char>(c == wanted); };
  const auto may = [&is](char c) { return is(c, 'b') | is(c, '=') | is(c, '('); };
  if (text.empty()) return false;
  const char* const octets = text.data();
  auto found = static_cast<unsigned char>(may(octets[0]));
  for (std::size_t i = 1; i < text.size(); ++i) {
    found = static_cast<unsigned char>(found | (is(octets[i - 1], '\n') & may(octets[i])));
  }
  return found != 0;
}

}  // namespace

std::vector<EmbeddedFile> find_embedded(Bytes text, std::size_t limit) {
  std::vector<EmbeddedFile> files;
  Lines lines(text);
  for (Bytes line; files.size() < limit && lines.next(line);) {
    const Start start = start_of(line, lines.rest());
    if (start == Start::none) continue;
    EmbeddedFile file;
    file.offset = lines.start();
    if (start == Start::begin) {
      file.name = std::string(*begin_name(line));
      read_uuencode(lines, file);
    } else if (start == Start::yenc) {
      read_yenc(lines, line, file);
    } else {
      read_binhex(lines, text, file);
    }
    files.push_back(std::move(file));
  }
  return files;
}

bool has_embedded(Bytes text) {
  if (!any_may_start(text)) return false;
  Lines lines(text);
  for (Bytes line; lines.next(line);) {
    if (start_of(line, lines.rest()) != Start::none) return true;
  }
  return false;
}

EmbeddedFile decode_binhex(Bytes text) {
  EmbeddedFile file;
  BinHex found = read_binhex_text(text);
  file.kind = Kind::binhex;
  file.length = found.length;
  file.name = std::move(found.name);
  file.octets = std::move(found.octets);
  file.complete = found.complete;
  return file;
}

}  // namespace facteur::message
