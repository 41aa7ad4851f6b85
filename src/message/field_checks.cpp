// Whether a value may stand in a header field, and values of others made so that they may.
#include <algorithm>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/field_words.hpp"
#include "message/field_writer.hpp"

namespace facteur::message {

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
  });
}

bool is_field_name(std::string_view text) {
  return !text.empty() && text.size() <= 60 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

bool is_message_id(std::string_view id, bool utf8) {
  if (id.empty() || id.size() > 900 || (utf8 && !is_utf8(id))) return false;
  return std::ranges::all_of(
      id, [&](char c) { return (c > ' ' && c < 0x7f && c != '<' && c != '>') || (utf8 && eight_bit(c)); });
}

std::string cleaned(std::string_view text, bool utf8, std::size_t most) {
  const bool kept = utf8 && is_utf8(text);
  std::string out;
  std::size_t word = 0;
  while (!text.empty()) {
    const std::size_t length = kept ? character_length(text) : 1;
    if (out.size() + length > most) break;
    const char c = text.front();
    if (ascii::is_control(c) || c == ' ') {
      if (!out.ends_with(' ')) out += ' ';
      word = 0;
    } else {
      if (word + length > 900) break;  // Nobody's name or reply: not worth a line that cannot be folded.
      word += length;
      if (!kept && eight_bit(c)) {
        out += '?';
      } else {
        out.append(text.substr(0, length));
      }
    }
    text.remove_prefix(length);
  }
  return std::string(ascii::trimmed(out));
}

}  // namespace facteur::message
