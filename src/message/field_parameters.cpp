// FieldWriter: media types and parameters (RFC 2045 §5.1, RFC 2231).
#include <algorithm>

#include "base/ascii.hpp"
#include "message/field_words.hpp"
#include "message/field_writer.hpp"

namespace facteur::message {

void FieldWriter::parameters(std::string_view name, std::string_view value, std::span<const WrittenParameter> list) {
  begin(name);
  const std::size_t slash = value.find('/');
  const bool valid = slash == std::string_view::npos
                         ? is_token(value)
                         : is_token(value.substr(0, slash)) && is_token(value.substr(slash + 1));
  if (!valid || value.size() > 200) refuse("F-1610", "This is not a media type");
  put(std::string(valid ? value : "x").append(list.empty() ? "" : ";"));
  for (const auto& parameter : list) put_parameter(parameter, &parameter == &list.back());
  end();
}

void FieldWriter::put_parameter(const WrittenParameter& parameter, bool last) {
  const std::string_view behind = last ? "" : ";";
  const auto& [name, value, by_words] = parameter;
  if (!is_token(name) || name.size() > 30 || name.find('*') != std::string::npos) {
    return refuse("F-1611", "This is not the name of a parameter");
  }
  if (!sound(value)) return;
  if (is_token(value) && name.size() + value.size() + 3 <= wanted) {
    return put(name + "=" + value + std::string(behind));
  }
  const bool ascii_only = std::ranges::none_of(value, eight_bit);
  if (ascii_only || (utf8_ && !by_words)) {
    std::string quoted;
    for (const char c : value) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    // Words that others would decode where they must not are hidden from them by RFC 2231.
    if (name.size() + quoted.size() + 5 <= wanted && value.find("=?") == std::string::npos) {
      return put(name + "=\"" + quoted + "\"" + std::string(behind));
    }
  }
  if (by_words) {
    // The first word must begin on this line: a fold in front of it would be a blank of the value.
    if (column_ + name.size() + 5 + around_word + smallest_word > wanted) fold();
    put(name + "=\"");
    put_words(value, "", 2);  // A quote and a semicolon.
    return put(std::string("\"").append(behind), "");
  }
  put_continued(name, value, behind);
}

// RFC 2231 §3 and §4: "name*=utf-8''...", in pieces if one line is not enough; no piece ends inside a character.
void FieldWriter::put_continued(std::string_view name, std::string_view value, std::string_view behind) {
  std::vector<std::string> pieces(1, "utf-8''");
  const std::size_t room = wanted - name.size() - 10;  // For a blank, the marks, a number and ';'.
  while (!value.empty()) {
    const std::size_t length = character_length(value);
    std::string character;
    for (const char c : value.substr(0, length)) {
      if (ascii::is_alnum(c) || c == '.' || c == '-' || c == '_') {
        character += c;
      } else {
        append_coded(character, '%', c);
      }
    }
    if (pieces.back().size() + character.size() > room) pieces.emplace_back();
    pieces.back() += character;
    value.remove_prefix(length);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    std::string token(name);
    if (pieces.size() > 1) token.append("*").append(std::to_string(i));
    put(token.append("*=").append(pieces[i]).append(last ? behind : ";"));
  }
}

}  // namespace facteur::message
