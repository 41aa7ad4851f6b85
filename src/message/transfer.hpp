// Content transfer encodings: quoted-printable and base64 (RFC 2045 §6.7, §6.8). Decoding never fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace facteur::message {

enum class Encoding : std::uint8_t {
  seven_bit,
  eight_bit,
  binary,
  quoted_printable,
  base64,
  other,
  uuencode,  // "x-uuencode": from before MIME, still met.
};
inline constexpr std::size_t encodings = 7;

Encoding encoding_of(std::string_view name);  // Of a Content-Transfer-Encoding value; empty is seven_bit.

std::string decode_quoted_printable(Bytes text);  // RFC 2045 §6.7: tolerant, "=" that is no code stays.
std::string decode_base64(Bytes text);            // RFC 2045 §6.8: other characters are passed over; ends at padding.
std::string decode_uuencode(Bytes text);  // All files of embedded.hpp in it, joined; it itself if there is none.
std::string decode(Bytes text, Encoding encoding);  // `other`: as it is.

std::string encode_quoted_printable(Bytes text);  // Text with CRLF lines; lines of at most 76 characters.
std::string encode_base64_lines(Bytes octets);    // Lines of 76 characters, each ended by CRLF.

}  // namespace facteur::message
