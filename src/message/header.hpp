// The header of a message as fields over borrowed octets: found, unfolded, selected; nothing is copied until asked.
//
// Content may be anything a client could APPEND: CRLF, bare LF, lines without a colon, no blank line at all. Nothing
// here fails: what is not a field is passed over, and still belongs to the header it stands in.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::message {

inline constexpr std::size_t max_header_octets = 1 << 20;  // Fields behind this many octets are not looked at.

// In front of a header, where some editors leave it: passed over when fields are read, kept in `Field::whole`.
inline constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// One field. All views borrow from the text given to FieldScanner.
struct Field {
  Bytes name;        // As written, without blanks before the colon; empty for a line that is no field.
  Bytes value;       // Behind the colon up to the last line end (excluded), folded as it came, not trimmed.
  Bytes whole;       // Name, colon, value and the last line end: what HEADER.FIELDS sends.
  std::size_t line;  // Offset of `whole` in the text.

  bool is(std::string_view other) const;  // Names ignore case (RFC 5322 §1.2.2).
};

// Walks the fields of `text` up to the blank line or the end. Linear, no allocation.
class FieldScanner {
 public:
  explicit FieldScanner(Bytes text) : text_(text) {}

  bool next(Field& field);  // False: the header has ended; then length() is known.

  // After next() gave false: octets of the header with its blank line (all of the text if there is none).
  std::size_t length() const { return position_; }
  bool blank_line() const { return blank_line_; }  // Whether a blank line ended it.

 private:
  Bytes text_;
  void skip_to_blank_line();
  std::size_t end_of_line(std::size_t at) const;

  std::size_t position_ = 0;
  bool ended_ = false;
  bool blank_line_ = false;
};

// Octets of the header at the start of `text`, with the blank line that ends it.
std::size_t header_length(Bytes text);

// RFC 5322 §2.2.3: without the line ends, blanks kept; trimmed at both ends.
std::string unfolded(Bytes value);
void append_unfolded(std::string& out, Bytes value);

// The raw value of the first (or last) field of that name; nullopt if there is none.
std::optional<Bytes> first_field(Bytes header, std::string_view name);

// RFC 9051 §6.4.5 HEADER.FIELDS (or, with `except`, HEADER.FIELDS.NOT): the fields in their order as they are, then a
// blank line. `header` may come in pieces that end at a field's border (prefix, content's header).
std::string select_fields(std::span<const Bytes> headers, std::span<const std::string> names, bool except);

}  // namespace facteur::message
