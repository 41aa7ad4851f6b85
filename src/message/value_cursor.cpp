#include "message/value_cursor.hpp"

namespace facteur::message {

bool ValueCursor::skip_blanks(std::string* comment) {
  bool any = false;
  while (!done()) {
    if (is_value_blank(peek())) {
      ++at_;
      continue;
    }
    if (peek() != '(') return any;
    any = true;
    if (comment && !comment->empty()) *comment += ' ';
    std::size_t depth = 0;
    for (; !done(); ++at_) {
      const char c = peek();
      if (c == '(' && depth++ == 0) continue;
      if (c == ')' && --depth == 0) break;
      if (c == '\r' || c == '\n') continue;
      if (c == '\\' && at_ + 1 < text_.size()) ++at_;
      if (comment) *comment += text_[at_];
    }
    if (!done()) ++at_;
  }
  return any;
}

Bytes ValueCursor::token(std::string_view ends) {
  const std::size_t start = at_;
  while (!done() && !is_value_blank(peek()) && ends.find(peek()) == std::string_view::npos) ++at_;
  return text_.substr(start, at_ - start);
}

std::string ValueCursor::quoted() {
  std::string out;
  for (++at_; !done() && peek() != '"'; ++at_) {
    if (peek() == '\r' || peek() == '\n') continue;
    if (peek() == '\\' && at_ + 1 < text_.size()) ++at_;
    out += peek();
  }
  if (!done()) ++at_;
  return out;
}

}  // namespace facteur::message
