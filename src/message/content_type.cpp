// The values of Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183, RFC 2231).
#include <algorithm>
#include <map>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/charset.hpp"
#include "message/mime.hpp"
#include "message/part_header.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t max_parameters = 1'000;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// A position in a value, with what all readers need.
struct Cursor {
  Bytes text;
  std::size_t at = 0;

  bool done() const { return at >= text.size(); }
  char peek() const { return done() ? '\0' : text[at]; }

  void skip_blanks() {  // And comments.
    while (!done()) {
      if (is_blank(peek())) {
        ++at;
      } else if (peek() == '(') {
        std::size_t depth = 0;
        do {
          if (peek() == '\\' && at + 1 < text.size())  // A backslash may be the last octet.
            ++at;
          else if (peek() == '(')
            ++depth;
          else if (peek() == ')')
            --depth;
          ++at;
        } while (!done() && depth > 0);
      } else {
        return;
      }
    }
  }
  Bytes token(std::string_view ends) {
    const std::size_t start = at;
    while (!done() && !is_blank(peek()) && ends.find(peek()) == std::string_view::npos) ++at;
    return text.substr(start, at - start);
  }
  std::string quoted() {
    std::string out;
    for (++at; !done() && peek() != '"'; ++at) {
      if (peek() == '\r' || peek() == '\n') continue;
      if (peek() == '\\' && at + 1 < text.size()) ++at;
      out += peek();
    }
    if (!done()) ++at;
    return out;
  }
  // Not quoted: up to ';', as names of files with blanks are written by some; a comment behind a blank ends it, and so
  // does the next parameter where a ';' is missing.
  std::string bare() {
    const std::size_t start = at;
    while (!done() && peek() != ';' &&
           !(at > start && is_blank(text[at - 1]) && (peek() == '(' || parameter_follows()))) {
      ++at;
    }
    Bytes value = text.substr(start, at - start);
    while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
    std::string out;
    for (const char c : value) {
      if (c != '\r' && c != '\n') out += c;
    }
    return out;
  }
  // token "=" at the start of a line.
  bool parameter_follows() const {
    std::size_t line = at;
    while (line > 0 && at - line < 256 && (text[line - 1] == ' ' || text[line - 1] == '\t')) --line;
    if (line == 0 || text[line - 1] != '\n') return false;
    std::size_t end = at;
    while (end < text.size() && end - at < 64 && (ascii::is_alnum(text[end]) || text[end] == '-' || text[end] == '*'))
      ++end;
    return end > at && end < text.size() && text[end] == '=';
  }
  void skip_to_semicolon() {
    while (!done() && peek() != ';') {
      if (peek() == '"') {
        quoted();
      } else if (peek() == '(') {
        skip_blanks();
      } else {
        ++at;
      }
    }
  }
};

// `loose`: whether something stands where a ';' is due (RFC 2045 §5.1).
Parameters read_parameters(Cursor cursor, bool* loose = nullptr) {
  Parameters list;
  while (list.size() < max_parameters) {
    cursor.skip_blanks();
    if (loose && !cursor.done() && cursor.peek() != ';') *loose = true;
    if (!cursor.parameter_follows()) cursor.skip_to_semicolon();
    while (cursor.peek() == ';' || is_blank(cursor.peek())) ++cursor.at;
    if (cursor.done()) break;
    cursor.skip_blanks();
    const Bytes name = cursor.token("=;(\"");
    cursor.skip_blanks();
    if (name.empty() || cursor.peek() != '=') {
      if (name.empty() && !cursor.done() && cursor.peek() != ';') ++cursor.at;
      continue;
    }
    ++cursor.at;
    cursor.skip_blanks();
    list.emplace_back(ascii::lower(name), cursor.peek() == '"' ? cursor.quoted() : cursor.bare());
  }
  return list;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && ascii::is_hex(text[i + 1]) && ascii::is_hex(text[i + 2])) {
      out += *from_hex(text.substr(i + 1, 2));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// RFC 2231 §4: charset'language'text.
std::string_view take_charset(std::string_view& value) {
  const std::size_t first = value.find('\'');
  const std::size_t second = first == std::string_view::npos ? first : value.find('\'', first + 1);
  if (second == std::string_view::npos) return {};
  const std::string_view charset = value.substr(0, first);
  value.remove_prefix(second + 1);
  return charset;
}

struct Segment {
  std::string value;
  bool encoded = false;
};

std::string joined(const std::map<unsigned, Segment>& segments) {
  std::string octets;
  std::string charset;
  bool encoded = false;
  unsigned expected = segments.begin()->first;
  for (const auto& [number, segment] : segments) {
    if (number != expected++) break;  // A piece is missing: what is behind it would mislead.
    std::string_view value = segment.value;
    if (segment.encoded && number == segments.begin()->first) charset = take_charset(value);
    encoded = encoded || segment.encoded;
    octets += segment.encoded ? percent_decoded(value) : std::string(value);
  }
  return encoded ? to_utf8(octets, charset) : octets;
}

}  // namespace

std::string_view ContentType::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

bool ContentType::is(std::string_view wanted_type, std::string_view wanted_subtype) const {
  return type == wanted_type && subtype == wanted_subtype;
}

Parameters raw_parameters(Bytes value) { return read_parameters(Cursor{value}); }

Parameters decoded_parameters(Parameters raw) {
  if (std::ranges::none_of(raw, [](const auto& entry) { return entry.first.find('*') != std::string::npos; })) {
    return raw;
  }
  Parameters out;
  std::map<std::string, std::map<unsigned, Segment>, std::less<>> split;
  for (auto& [name, value] : raw) {
    const std::size_t star = name.find('*');
    if (star == std::string::npos) {
      out.emplace_back(std::move(name), std::move(value));
      continue;
    }
    std::string_view rest = std::string_view(name).substr(star + 1);
    const bool numbered = !rest.empty() && ascii::is_digit(rest.front());
    const bool encoded = !numbered || rest.ends_with('*');
    if (numbered && encoded) rest.remove_suffix(1);
    const auto number = numbered ? ascii::number<unsigned>(rest) : 0u;
    if (number) split[name.substr(0, star)].try_emplace(*number, Segment{std::move(value), encoded});
  }
  for (const auto& [name, segments] : split) {
    // The extended form wins over a plain one of the same name, which is there for old readers (RFC 6266 §4.3 habit).
    std::erase_if(out, [&](const auto& entry) { return entry.first == name; });
    out.emplace_back(name, joined(segments));
  }
  return out;
}

std::optional<ContentType> parse_content_type(Bytes value) {
  bool loose = false;
  return parse_content_type(value, loose);
}

std::optional<ContentType> parse_content_type(Bytes value, bool& loose) {
  Cursor cursor{value};
  cursor.skip_blanks();
  const Bytes type = cursor.token("/;(\"");
  cursor.skip_blanks();
  if (type.empty() || cursor.peek() != '/') return std::nullopt;
  ++cursor.at;
  cursor.skip_blanks();
  const Bytes subtype = cursor.token("/;(\"");
  if (subtype.empty()) return std::nullopt;
  ContentType result{ascii::lower(type), ascii::lower(subtype), {}};
  result.parameters = decoded_parameters(read_parameters(cursor, &loose));
  return result;
}

std::optional<Disposition> parse_disposition(Bytes value) {
  Cursor cursor{value};
  cursor.skip_blanks();
  const Bytes kind = cursor.token(";(\"");
  if (kind.empty()) return std::nullopt;
  return Disposition{ascii::lower(kind), decoded_parameters(read_parameters(cursor))};
}

}  // namespace facteur::message
