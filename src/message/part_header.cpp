// The header of a part: two fields count, and the way they are written tells whether others would read them so too.
#include "message/part_header.hpp"

#include <algorithm>
#include <cstring>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"

namespace facteur::message {
namespace {

bool is_token_character(char c) {
  return static_cast<unsigned char>(c) > 0x20 && c != 0x7f &&
         std::string_view("()<>@,;:\\\"/[]?=").find(c) == Bytes::npos;
}

// A fold between two characters of tokens, outside quotes; with `quotes` also one inside.
bool folded_in_token(Bytes value, bool quotes) {
  if (value.find('\n') == Bytes::npos) return false;
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && quoted) {
      ++i;
    } else if (value[i] == '"') {
      quoted = !quoted;
    } else if (value[i] == '\n' && quoted) {
      if (quotes) return true;
    } else if (value[i] == '\n') {
      std::size_t before = i;
      while (before > 0 && (ascii::is_space(value[before - 1]) || value[before - 1] == '\r')) --before;
      std::size_t after = i + 1;
      while (after < value.size() && ascii::is_space(value[after])) ++after;
      if (before > 0 && after < value.size() && is_token_character(value[before - 1]) &&
          is_token_character(value[after])) {
        return true;
      }
    }
  }
  return false;
}

// A comment with something of type/subtype behind it.
bool comment_in_type(Bytes value) {
  value = value.substr(0, value.find(';'));
  const std::size_t open = value.find('(');
  if (open == Bytes::npos) return false;
  const std::size_t close = value.rfind(')');
  return close != Bytes::npos && close > open &&
         std::ranges::any_of(value.substr(close), [](char c) { return is_token_character(c) || c == '/'; });
}

// One pass over all octets of a header: they are few, and each of these decides how others read it.
void mark_octets(Bytes header, Ambiguities& marks) {
  if (!is_utf8(header)) marks.add(Ambiguity::eight_bit_header);
  if (header.empty()) return;
  if (std::memchr(header.data(), 0, header.size()) != nullptr) marks.add(Ambiguity::nul);
  for (std::size_t at = 0; at < header.size(); ++at) {
    const void* found = std::memchr(header.data() + at, '\r', header.size() - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const char*>(found) - header.data());
    if (at + 1 == header.size() || header[at + 1] != '\n') {
      marks.add(Ambiguity::bare_cr);
      break;
    }
  }
}

}  // namespace

Encoding encoding_of_value(Bytes value, Ambiguities& marks) {
  const auto is_part = [](char c) { return ascii::is_alnum(c) || c == '-' || c == '_'; };
  const auto start = std::ranges::find_if(value, is_part);
  const auto end = std::find_if_not(start, value.end(), is_part);
  const Bytes name(start, end);
  const auto is_blank = [](char c) { return ascii::is_space(c) || c == '\r' || c == '\n'; };
  const bool alone = std::all_of(value.begin(), start, is_blank) && std::all_of(end, value.end(), is_blank);
  if (!alone) marks.add(Ambiguity::encoding_damaged);
  if (folded_in_token(value, true)) marks.add(Ambiguity::fold_in_token);
  const Encoding encoding = encoding_of(name);
  if (encoding == Encoding::other) marks.add(Ambiguity::encoding_unknown);
  return encoding;
}

void interpret_header(Part& part, Bytes header, bool digest, Ambiguities& marks) {
  mark_octets(header, marks);
  FieldScanner scanner(header);
  bool typed = false;
  bool encoded = false;
  for (Field field; scanner.next(field);) {
    if (field.name.empty()) {
      // "From " of a mailbox file may stand in front.
      if (field.line > 0 || !field.whole.starts_with("From ")) marks.add(Ambiguity::line_of_no_field);
      continue;
    }
    if (field.name.size() < 12 || ascii::to_lower(field.name[0]) != 'c') continue;
    if (field.is("Content-Type")) {
      if (typed) {
        marks.add(Ambiguity::two_types);
        continue;
      }
      if (auto type = parse_content_type(field.value, marks)) part.content_type = std::move(*type);
      typed = true;
    } else if (field.is("Content-Transfer-Encoding")) {
      if (encoded) {
        marks.add(Ambiguity::two_encodings);
        continue;
      }
      part.encoding = encoding_of_value(field.value, marks);
      encoded = true;
    }
  }
  // RFC 2046 §5.1.5: in a digest the default type is message/rfc822.
  if (!typed && digest) part.content_type = ContentType{"message", "rfc822", {}};
  if (part.content_type.type == "message") {
    if (part.content_type.subtype == "partial") marks.add(Ambiguity::partial);
    if (part.content_type.subtype == "external-body") marks.add(Ambiguity::external_body);
  }
}

std::optional<ContentType> parse_content_type(Bytes value, Ambiguities& marks) {
  bool loose = false;
  auto type = parse_content_type(value, loose);
  const auto is_token = [](std::string_view text) {
    return std::ranges::all_of(text,
                               [](char c) { return is_token_character(c) && static_cast<unsigned char>(c) < 0x80; });
  };
  if (!type || loose || !is_token(type->type) || !is_token(type->subtype)) marks.add(Ambiguity::type_damaged);
  if (comment_in_type(value)) marks.add(Ambiguity::type_comment);
  // Names of files are folded in quotes every day; a boundary is read otherwise by those who keep the line end.
  if (folded_in_token(value, type && type->type == "multipart")) marks.add(Ambiguity::fold_in_token);
  if (value.find('=') != value.rfind('=') || value.find('*') != Bytes::npos)
    mark_parameters(raw_parameters(value), marks);
  return type;
}

}  // namespace facteur::message
