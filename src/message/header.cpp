#include "message/header.hpp"

#include <algorithm>
#include <cstring>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

// Octets a field name may have: RFC 5322 §3.6.8 ftext, and 8-bit ones, which occur.
bool is_name(Bytes name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
}

Bytes without_line_end(Bytes line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

bool Field::is(std::string_view other) const { return ascii::equal_ignoring_case(name, other); }

std::size_t FieldScanner::end_of_line(std::size_t at) const {
  const void* found = std::memchr(text_.data() + at, '\n', text_.size() - at);
  return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text_.data()) + 1 : text_.size();
}

// Behind the limit only the border of header and body matters.
void FieldScanner::skip_to_blank_line() {
  while (position_ < text_.size()) {
    const std::size_t end = end_of_line(position_);
    const Bytes line = text_.substr(position_, end - position_);
    position_ = end;
    if (line == "\r\n" || line == "\n") {
      blank_line_ = true;
      return;
    }
  }
}

bool FieldScanner::next(Field& field) {
  if (ended_) return false;
  const std::size_t start = position_;
  if (start >= max_header_octets) skip_to_blank_line();
  if (position_ >= text_.size() || start >= max_header_octets) {
    ended_ = true;
    return false;
  }
  std::size_t end = end_of_line(start);
  const Bytes first = text_.substr(start, end - start);
  if (first == "\r\n" || first == "\n") {
    position_ = end;
    ended_ = blank_line_ = true;
    return false;
  }
  // RFC 5322 §2.2.3: a line that begins with a blank continues the field.
  while (end < text_.size() && ascii::is_space(text_[end])) end = end_of_line(end);
  position_ = end;
  field.line = start;
  field.whole = text_.substr(start, end - start);
  field.name = field.value = {};
  const std::size_t colon = first.find(':');
  if (colon == Bytes::npos) return true;
  Bytes name = first.substr(0, colon);
  if (start == 0 && name.starts_with(byte_order_mark)) name.remove_prefix(byte_order_mark.size());
  while (!name.empty() && ascii::is_space(name.back())) name.remove_suffix(1);  // RFC 5322 §4.5.8: obs-optional blank.
  if (!is_name(name)) return true;
  field.name = name;
  field.value = without_line_end(field.whole).substr(std::min(colon + 1, without_line_end(field.whole).size()));
  if (end > max_header_octets) field.value = field.value.substr(0, max_header_octets - start);
  return true;
}

std::size_t header_length(Bytes text) {
  FieldScanner scanner(text);
  Field field;
  while (scanner.next(field)) {
  }
  return scanner.length();
}

void append_unfolded(std::string& out, Bytes value) {
  while (!value.empty() && (ascii::is_space(value.front()) || value.front() == '\r' || value.front() == '\n')) {
    value.remove_prefix(1);
  }
  while (!value.empty() && (ascii::is_space(value.back()) || value.back() == '\r' || value.back() == '\n')) {
    value.remove_suffix(1);
  }
  // Most values are one line: copied at once. Line ends are dropped, the blanks behind them stay.
  while (!value.empty()) {
    const std::size_t end = value.find('\n');
    const Bytes line = value.substr(0, end);
    if (end == Bytes::npos) {
      out.append(line);
      return;
    }
    out.append(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
    value.remove_prefix(end + 1);
  }
}

std::string unfolded(Bytes value) {
  std::string out;
  append_unfolded(out, value);
  return out;
}

std::optional<Bytes> first_field(Bytes header, std::string_view name) {
  FieldScanner scanner(header);
  for (Field field; scanner.next(field);) {
    if (field.is(name)) return field.value;
  }
  return std::nullopt;
}

std::string select_fields(std::span<const Bytes> headers, std::span<const std::string> names, bool except) {
  std::string out;
  for (const Bytes header : headers) {
    FieldScanner scanner(header);
    for (Field field; scanner.next(field);) {
      if (field.name.empty()) continue;
      const bool named = std::ranges::any_of(names, [&](const std::string& name) { return field.is(name); });
      if (named == except) continue;
      out.append(field.whole);
      if (!out.ends_with('\n')) out.append("\r\n");  // The last line of a text that ends within its header.
    }
  }
  out.append("\r\n");  // RFC 9051 §6.4.5: the delimiting blank line is always there.
  return out;
}

}  // namespace facteur::message
