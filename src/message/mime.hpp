// The tree of a message's parts as offsets (RFC 2045, RFC 2046). Linear, iterative; damage is never an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "message/ambiguity.hpp"
#include "message/transfer.hpp"

namespace facteur::message {

inline constexpr std::size_t max_parts = 10'000;  // What would be more is left inside one opaque part.
inline constexpr std::size_t max_depth = 100;

using Parameters = std::vector<std::pair<std::string, std::string>>;

// Content-Type: names in lower case; values unquoted; RFC 2231 continuations joined, charset converted to UTF-8.
struct ContentType {
  std::string type = "text";
  std::string subtype = "plain";
  Parameters parameters;

  std::string_view parameter(std::string_view name) const;  // Empty if there is none.
  bool is(std::string_view wanted_type, std::string_view wanted_subtype) const;
};

// The parameters of a Content-Type or Content-Disposition value as they stand: names in lower case with their RFC 2231
// marks ("filename*0*"), values unquoted. This is what BODYSTRUCTURE shows.
Parameters raw_parameters(Bytes value);

// RFC 2231 §3 and §4: continuations joined in order, percent codes and charsets decoded; others as they are.
Parameters decoded_parameters(Parameters raw);

// RFC 2045 §5; nullopt if there is no type/subtype to be read (then RFC 2045 §5.2 default applies).
std::optional<ContentType> parse_content_type(Bytes value);

struct Disposition {
  std::string kind;  // Lower case: "inline", "attachment"...
  Parameters parameters;
};
std::optional<Disposition> parse_disposition(Bytes value);  // RFC 2183.

// One entity. Offsets count from the start of the text given to parse_mime.
struct Part {
  static constexpr std::uint32_t none = UINT32_MAX;
  enum class Kind : std::uint8_t { leaf, multipart, message };  // message: message/rfc822 or global, parsed inside.

  Kind kind = Kind::leaf;
  Encoding encoding = Encoding::seven_bit;
  std::uint16_t depth = 0;
  std::uint32_t parent = none;
  std::uint32_t first_child = none;  // For Kind::message: the one entity inside.
  std::uint32_t next_sibling = none;
  std::uint64_t header = 0;         // Where its header begins.
  std::uint64_t header_length = 0;  // With the blank line.
  std::uint64_t body = 0;           // header + header_length.
  std::uint64_t body_length = 0;    // Without the line end that belongs to the boundary (RFC 2046 §5.1.1).
  std::uint32_t lines = 0;          // Line ends in the body, and one for a last line without one.
  std::uint32_t children = 0;
  ContentType content_type;
};

struct PartTree {
  std::vector<Part> parts;  // In order of their headers; parts[0] is the message.
  bool truncated = false;   // A limit was reached: one part is opaque.
  Ambiguities ambiguities;  // Of headers, boundaries and limits; those of bodies: find_ambiguities.

  // RFC 9051 §6.4.5: part numbers 1.2.3; empty is the message. nullptr: there is none.
  const Part* find(const std::vector<std::uint32_t>& numbers) const;
};

PartTree parse_mime(Bytes message);

// The decoded octets of a leaf; for text/* in UTF-8 by its charset parameter.
std::string decoded_body(Bytes message, const Part& part);
std::string decoded_body_text(Bytes message, const Part& part);

}  // namespace facteur::message
