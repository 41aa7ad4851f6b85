#include "imap/tokens.hpp"

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "imap/mailbox_name.hpp"

namespace facteur::imap {

bool is_atom_char(char c) {
  // RFC 9051 §9 atom-specials: "(" ")" "{" SP CTL list-wildcards quoted-specials resp-specials. Octets above 126 are
  // no CHAR.
  switch (c) {
    case '(':
    case ')':
    case '{':
    case ' ':
    case '%':
    case '*':
    case '"':
    case '\\':
    case ']':
      return false;
    default:
      return ascii::is_printable(c);
  }
}

std::optional<LiteralMark> literal_at_end(Bytes line) {
  if (!line.ends_with('}')) return std::nullopt;
  const auto open = line.rfind('{');
  if (open == Bytes::npos) return std::nullopt;
  Bytes digits = line.substr(open + 1, line.size() - open - 2);
  LiteralMark mark;
  if (digits.ends_with('+')) {
    mark.synchronizing = false;
    digits.remove_suffix(1);
  }
  if (digits.empty() || digits.find_first_not_of("0123456789") != Bytes::npos) return std::nullopt;
  const auto size = ascii::number<std::uint64_t>(digits);
  mark.malformed = !size || *size > INT64_MAX;
  mark.size = mark.malformed ? 0 : *size;
  mark.binary = open > 0 && line[open - 1] == '~';
  mark.at = mark.binary ? open - 1 : open;
  return mark;
}

bool Tokens::fail(Bytes why) {
  if (ok_) error_ = why;
  ok_ = false;
  return false;
}

bool Tokens::skip(char c) {
  if (!next_is(c)) return false;
  rest_.remove_prefix(1);
  return true;
}

bool Tokens::space() { return skip(' ') || fail(at_end() ? "Missing argument" : "Expected a space"); }

bool Tokens::expect(char c) {
  if (skip(c)) return true;
  return fail(std::string("Expected '") + c + "'");
}

Bytes Tokens::run(bool (*belongs)(char)) {
  if (!ok_) return {};
  std::size_t length = 0;
  while (length < rest_.size() && belongs(rest_[length])) ++length;
  const Bytes found = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return found;
}

bool Tokens::atom(std::string& out) {
  out = run(is_atom_char);
  return ok_ && (!out.empty() || fail("Expected an atom")) && count();
}

bool Tokens::word(std::string& out) {
  if (!atom(out)) return false;
  out = ascii::upper(out);
  return true;
}

bool Tokens::tag(std::string& out) {
  out = run([](char c) { return is_astring_char(c) && c != '+'; });
  return ok_ && (!out.empty() || fail("Missing tag")) && count();
}

bool Tokens::astring(std::string& out) {
  if (next_is('"') || next_is('{')) return string(out);
  out = run(is_astring_char);
  return ok_ && (!out.empty() || fail("Expected a string")) && count();
}

bool Tokens::string(std::string& out) {
  if (!ok_ || !count()) return false;
  if (next_is('"')) return quoted(out);
  if (next_is('{')) return literal(out);
  return fail("Expected a string");
}

bool Tokens::nstring(std::optional<std::string>& out) {
  if (next_is('"') || next_is('{')) {
    std::string value;
    if (!string(value)) return false;
    out = std::move(value);
    return true;
  }
  std::string nil;
  if (!word(nil) || nil != "NIL") return fail("Expected a string or NIL");
  out = std::nullopt;
  return true;
}

bool Tokens::quoted(std::string& out) {
  out.clear();
  rest_.remove_prefix(1);
  while (!rest_.empty()) {
    char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"') return true;
    if (c == '\\') {
      // RFC 9051 §9 quoted: only quoted-specials are escaped.
      if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\\')) return fail("Wrong escape in a string");
      c = rest_.front();
      rest_.remove_prefix(1);
    }
    if (c == '\r' || c == '\n' || c == '\0') return fail("Line end in a quoted string");
    out += c;
  }
  return fail("Unfinished quoted string");
}

bool Tokens::literal(std::string& out) {
  const auto line_end = rest_.find('\n');
  if (line_end == Bytes::npos) return fail("Unfinished literal");
  Bytes line = rest_.substr(0, line_end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto mark = literal_at_end(line);
  if (!mark || mark->at != 0 || mark->malformed) return fail("Malformed literal");
  rest_.remove_prefix(line_end + 1);
  if (rest_.size() < mark->size) return fail("Unfinished literal");
  out = rest_.substr(0, mark->size);
  rest_.remove_prefix(mark->size);
  // RFC 9051 §4.3: a literal holds any octet but NUL.
  if (out.find('\0') != std::string::npos) return fail("NUL in a literal");
  return true;
}

bool Tokens::to_name(std::string& name) {
  // RFC 3501 §5.1.3: names are modified UTF-7; RFC 9051 §5.1 and RFC 6855 §3: UTF-8 once that is enabled.
  // Beyond RFC 3501 §5.1: names that already hold valid UTF-8 are taken as such, as many clients send them.
  // Names that are not modified UTF-7 ("R&D") stand for themselves: a client that forgot to encode finds its mailbox.
  if (!utf8_ && name.find('&') != std::string::npos) {
    auto decoded = from_modified_utf7(name);
    if (decoded) name = std::move(*decoded);
  }
  if (!is_valid_utf8(name)) return fail("Mailbox name is not UTF-8");
  for (const char c : name) {
    if (ascii::is_control(c)) return fail("Control character in a mailbox name");
  }
  return true;
}

bool Tokens::mailbox(std::string& out) {
  if (!astring(out) || !to_name(out)) return false;
  if (out.empty()) return fail("Empty mailbox name");
  out = canonical_name(out);
  return true;
}

bool Tokens::list_mailbox(std::string& out) {
  if (next_is('"') || next_is('{')) return string(out) && to_name(out);
  out = run(is_list_char);
  return ok_ && (!out.empty() || fail("Expected a mailbox pattern")) && count() && to_name(out);
}

bool Tokens::number(std::uint32_t& out) {
  const auto value = ascii::number<std::uint32_t>(run(ascii::is_digit));
  if (!value) return fail("Expected a number");
  out = *value;
  return ok_ && count();
}

bool Tokens::number64(std::uint64_t& out) {
  const auto value = ascii::number<std::uint64_t>(run(ascii::is_digit));
  if (!value || *value > INT64_MAX) return fail("Expected a number");  // RFC 7162 §7: mod-sequences have 63 bits.
  out = *value;
  return ok_ && count();
}

bool Tokens::nz_number(std::uint32_t& out) { return number(out) && (out != 0 || fail("Expected a number above 0")); }

bool Tokens::base64(std::string& out) {
  if (!ok_) return false;
  const Bytes text = rest_;
  rest_ = {};
  if (text == "=") {  // RFC 4959 §3: an empty initial response.
    out.clear();
    return true;
  }
  auto octets = from_base64(text);
  if (!octets) return fail("Not base64");
  out = std::move(*octets);
  return true;
}

bool Tokens::end() { return ok_ && (rest_.empty() || fail("Unexpected argument")); }

}  // namespace facteur::imap
