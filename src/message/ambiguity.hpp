// What in a message two readers may understand in two ways. Each case has one reading here (docs/ambiguous-mime.md);
// the mark says that another program may have seen other parts, so that filters can weigh it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::message {

enum class Ambiguity : std::uint8_t {
  two_boundaries,         // A multipart with two boundary parameters that differ.
  boundary_blank,         // A boundary that ends with a blank, which RFC 2046 §5.1.1 forbids.
  boundary_damaged,       // None, longer than 70 characters, or of characters that may not stand in one.
  boundary_prefix,        // A boundary that begins another open one, or a delimiter with more behind it on its line.
  boundary_repeated,      // A multipart inside with the boundary of one outside.
  no_final_delimiter,     // The message ends within a multipart.
  closed_from_outside,    // A multipart ended by the delimiter of an outer one.
  two_types,              // Two Content-Type fields in one header.
  type_damaged,           // A Content-Type that is not type/subtype.
  type_comment,           // A comment inside type/subtype: "multipart/(x)mixed".
  two_encodings,          // Two Content-Transfer-Encoding fields.
  encoding_damaged,       // Not just one token: "base64\0", "\"base64\"", "base64, 7bit".
  encoding_unknown,       // A token nobody has defined.
  encoding_of_multipart,  // quoted-printable or base64 on a multipart or message/rfc822 (RFC 2045 §6.4).
  base64_damaged,         // Octets outside the alphabet, or padding that is not at the end.
  embedded_file,          // uuencode, yEnc or BinHex in a text.
  name_conflict,          // filename, filename*, filename*0 and name do not say the same.
  parameter_repeated,     // A parameter given twice with two values.
  parameter_charset,      // An RFC 2231 charset in which ASCII octets are not ASCII: utf-16, utf-7.
  header_behind_blank,    // Fields of MIME behind the blank line that ended a header.
  line_of_no_field,       // A line in a header that is neither a field nor its continuation.
  fold_in_token,          // A fold within a token of Content-Type or the encoding, or within a quoted boundary.
  bare_cr,                // A CR in a header that no LF follows.
  nul,                    // A NUL in a header.
  eight_bit_header,       // 8-bit octets in a header that are no UTF-8.
  byte_order_mark,        // Octets of a byte order mark in front of the header.
  preamble,               // A preamble with what looks like parts.
  epilogue,               // The same of an epilogue.
  partial,                // message/partial: a piece of another message.
  external_body,          // message/external-body: the content is elsewhere.
  limit,                  // Too deep or too many parts: one is opaque.
};
inline constexpr std::size_t ambiguity_count = 31;

// "two_boundaries"...: for filters, logs and `facteur message structure`.
std::string_view name_of(Ambiguity which);

// A set of them.
class Ambiguities {
 public:
  constexpr void add(Ambiguity which) { bits_ |= bit(which); }
  constexpr void add(Ambiguities others) { bits_ |= others.bits_; }
  constexpr bool has(Ambiguity which) const { return (bits_ & bit(which)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr std::uint32_t bits() const { return bits_; }  // Bit n is the n-th of the enumeration; kept in records.
  static constexpr Ambiguities of_bits(std::uint32_t bits) {
    Ambiguities set;
    set.bits_ = bits & ((1ull << ambiguity_count) - 1);
    return set;
  }
  std::string text() const;  // Names with ", " between; empty for none.

  friend constexpr bool operator==(Ambiguities, Ambiguities) = default;

 private:
  static constexpr std::uint32_t bit(Ambiguity which) { return 1u << static_cast<unsigned>(which); }
  std::uint32_t bits_ = 0;
};

struct PartTree;

// All of a message: those parse_mime saw (PartTree::ambiguities) and those of bodies and file names. Linear: reads each
// octet at most twice.
Ambiguities find_ambiguities(Bytes message, const PartTree& tree);

}  // namespace facteur::message
