// The tokens of the IMAP grammar (RFC 9051 §9), read from the text of one whole command.
//
// A literal stands in the text as on the wire: "{3}\r\nabc". Reading never looks at an octet twice, so parsing is
// linear; depth and number of tokens are bounded (RELIABILITY S41).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace facteur::imap {

// "{n}", "{n+}", "~{n}" or "~{n+}" at the end of a line without its CRLF.
struct LiteralMark {
  std::uint64_t size = 0;
  bool synchronizing = true;  // Without '+': the client waits for "+" (RFC 7888 §3).
  bool binary = false;        // "~": literal8.
  bool malformed = false;     // Digits that are no 63-bit number: no octets can be awaited.
  std::size_t at = 0;         // Where it begins in the line.
};
std::optional<LiteralMark> literal_at_end(Bytes line);

// RFC 9051 §9 ATOM-CHAR, ASTRING-CHAR, list-char.
bool is_atom_char(char c);
inline bool is_astring_char(char c) { return is_atom_char(c) || c == ']'; }
inline bool is_list_char(char c) { return is_astring_char(c) || c == '%' || c == '*'; }

class Tokens {
 public:
  static constexpr int most_tokens = 1000;
  static constexpr int deepest = 20;

  explicit Tokens(Bytes text, bool utf8 = false) : rest_(text), utf8_(utf8) {}

  // Each of these consumes what it names and returns true, or returns false: then error() says what was expected, and
  // all further calls return false too.
  bool space();
  bool expect(char c);
  bool atom(std::string& out);  // One or more ATOM-CHARs.
  bool word(std::string& out);  // The same in upper case: names of commands, items and keys.
  bool tag(std::string& out);   // RFC 9051 §9 tag: ASTRING-CHARs without '+'.
  bool astring(std::string& out);
  bool string(std::string& out);  // Quoted or literal.
  bool nstring(std::optional<std::string>& out);
  bool list_mailbox(std::string& out);  // UTF-8.
  bool mailbox(std::string& out);       // UTF-8, canonical.
  bool number(std::uint32_t& out);
  bool number64(std::uint64_t& out);  // At most 2^63 - 1.
  bool nz_number(std::uint32_t& out);
  bool base64(std::string& out);  // Octets behind "base64" or "="; up to the end of the text.
  bool end();

  // Without consuming.
  bool at_end() const { return ok_ && rest_.empty(); }
  bool next_is(char c) const { return ok_ && !rest_.empty() && rest_.front() == c; }
  bool next_is_space_then(char c) const { return ok_ && rest_.size() > 1 && rest_[0] == ' ' && rest_[1] == c; }
  bool skip(char c);                 // Consumes it if it is next; no error if not.
  Bytes run(bool (*belongs)(char));  // All next octets that belong; may be empty.
  Bytes rest() const { return rest_; }

  // Brackets of recursion: false (and an error) beyond `deepest`.
  bool descend() { return ++depth_ <= deepest || fail("Too deeply nested"); }
  void ascend() { --depth_; }

  bool ok() const { return ok_; }
  bool fail(Bytes why);
  const std::string& error() const { return error_; }
  bool utf8() const { return utf8_; }

 private:
  bool quoted(std::string& out);
  bool literal(std::string& out);
  bool count() { return ++tokens_ <= most_tokens || fail("Too many arguments"); }
  bool to_name(std::string& name);

  Bytes rest_;  // Borrowed for the life of this object, which is one call of the parser.
  std::string error_;
  int tokens_ = 0;
  int depth_ = 0;
  bool ok_ = true;
  bool utf8_;
};

}  // namespace facteur::imap
