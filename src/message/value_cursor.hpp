// A position in a structured field value (RFC 5322 §3.2): blanks, comments, tokens and quoted strings, as all readers
// of such values need them. Borrows the value; never fails, always ends.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::message {

constexpr bool is_value_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

class ValueCursor {
 public:
  explicit ValueCursor(Bytes value) : text_(value) {}

  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  std::size_t position() const { return at_; }
  Bytes rest() const { return text_.substr(at_); }
  void skip(std::size_t octets = 1) { at_ = octets > text_.size() - at_ ? text_.size() : at_ + octets; }
  bool take(char c) {  // Whether it stood here; then it is passed over.
    if (done() || peek() != c) return false;
    ++at_;
    return true;
  }

  // Blanks, line ends and comments, which nest (RFC 5322 §3.2.2). The comments' texts go to `comment`, a space between
  // two. True if there was a comment.
  bool skip_blanks(std::string* comment = nullptr);
  // Up to a blank or one of `ends`; empty if one of them stands here.
  Bytes token(std::string_view ends);
  // A quoted string from its '"' on, without quotes, backslashes and folds (RFC 5322 §3.2.4); its end may be missing.
  std::string quoted();

 private:
  Bytes text_;
  std::size_t at_ = 0;
};

}  // namespace facteur::message
