// Octets of TNEF read in their order: little-endian numbers and pieces, none of them behind the end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace facteur::message {

// Once something was asked for that is not there, failed() stays true and all that is read is empty or zero.
class TnefReader {
 public:
  explicit TnefReader(Bytes octets) : octets_(octets) {}

  std::uint64_t number(std::size_t octets) {
    const Bytes piece = take(octets);
    std::uint64_t value = 0;
    for (std::size_t i = piece.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(piece[i]);
    return value;
  }
  Bytes take(std::uint64_t octets) {
    if (octets > octets_.size()) {
      failed_ = true;
      octets_ = {};
      return {};
    }
    const Bytes piece = octets_.substr(0, octets);
    octets_.remove_prefix(octets);
    return piece;
  }
  // Octets up to the next multiple of four of `length`; may be missing at the very end.
  void pad(std::uint64_t length) { octets_.remove_prefix(std::min<std::size_t>((4 - length % 4) % 4, octets_.size())); }
  std::size_t left() const { return octets_.size(); }
  bool failed() const { return failed_; }

 private:
  Bytes octets_;
  bool failed_ = false;
};

// One MAPI property; of several values the first.
struct MapiProperty {
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  Bytes value;  // Without its length and padding; numbers as they stand.
};

// Reads a list of them from the start of `octets` (MS-OXTNEF §2.1.3.4) and calls `take` for each. False: damaged.
template <class Take>
bool read_properties(Bytes octets, Take take);

// RTF as Outlook packs it (MS-OXRTFCP §2.2); nullopt: damaged from its start. At most `most` octets come out.
std::optional<std::string> unpacked_rtf(Bytes octets, std::size_t most);

// ---- how the list is read

namespace mapi {
inline constexpr std::uint16_t string8 = 0x1e;
inline constexpr std::uint16_t unicode = 0x1f;
inline constexpr std::uint16_t object = 0x0d;
inline constexpr std::uint16_t binary = 0x102;
inline constexpr std::uint16_t several = 0x1000;

constexpr bool has_length(std::uint16_t type) {
  return type == string8 || type == unicode || type == object || type == binary;
}
// Octets with their padding; 0: an unknown type.
constexpr std::size_t width(std::uint16_t type) {
  switch (type) {
    case 0x02:
    case 0x03:
    case 0x04:
    case 0x0a:
    case 0x0b:
      return 4;
    case 0x05:
    case 0x06:
    case 0x07:
    case 0x14:
    case 0x40:
      return 8;
    case 0x48:
      return 16;
    default:
      return 0;
  }
}
void skip_name(TnefReader& reader);                       // Of a named property.
bool read_value(TnefReader& reader, MapiProperty& into);  // False: an unknown type or damaged.
}  // namespace mapi

template <class Take>
bool read_properties(Bytes octets, Take take) {
  TnefReader reader(octets);
  for (std::uint64_t count = reader.number(4); count > 0 && !reader.failed(); --count) {
    MapiProperty property;
    property.type = static_cast<std::uint16_t>(reader.number(2));
    property.id = static_cast<std::uint16_t>(reader.number(2));
    if (property.id >= 0x8000) mapi::skip_name(reader);
    if (reader.failed() || !mapi::read_value(reader, property)) return false;
    take(property);
  }
  return !reader.failed();
}

}  // namespace facteur::message
