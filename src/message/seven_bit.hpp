// From 8bit and binary to 7bit, for servers that take nothing else (RFC 6152 §3): each part that needs it gets a
// transfer encoding, and everything else stays as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

bool has_eight_bit(Bytes text);      // An octet above 127.
bool has_bare_line_end(Bytes text);  // CR or LF that is no CRLF.
bool has_long_line(Bytes text);      // More than 998 octets without CRLF (RFC 5322 §2.1.1).

// Whether a transport without 8BITMIME cannot carry this text: octets above 127, NUL, lines of more than 998 octets.
bool needs_encoding(Bytes text);

// Why a message must stay as it is.
enum class Unconvertible : std::uint8_t {
  signed_part,       // Inside multipart/signed: the signature would be broken (RFC 1847 §2.1).
  encrypted_part,    // Inside multipart/encrypted.
  partial,           // A piece of message/partial, which may have no encoding (RFC 2046 §5.2.2).
  unknown_encoding,  // Encoded in a way we do not know.
  damaged,           // Octets above 127 where no encoding is possible, or more parts than we look at.
};
std::string_view reason_of(Unconvertible why);

// The message with bodies of 7-bit lines of at most 998 octets. Fields of headers that are not 7-bit stay: they are
// allowed with SMTPUTF8 only, and others have sent them all the same. A message without MIME fields gets them
// (charset "unknown-8bit" of RFC 1428 unless it is UTF-8).
std::expected<std::string, Unconvertible> to_seven_bit(Bytes message);

// The same as pieces in their order, of which only those that had to be written anew take memory: a message whose files
// are in base64 already costs what its texts do.
class SevenBitPieces {
 public:
  std::vector<Bytes> pieces() const;  // Borrowed from the message and from this object.

 private:
  friend class SevenBitConverter;
  struct Piece {
    std::size_t offset = 0;  // Of the message, or of written_.
    std::size_t length = 0;
    bool own = false;
  };
  void keep(Bytes from, Bytes part);
  void write(Bytes text);

  Bytes message_;
  std::string written_;
  std::vector<Piece> list_;
};
std::expected<SevenBitPieces, Unconvertible> seven_bit_pieces(Bytes message);

// Whether a header, of the message or of a part, has octets above 127, or a part is message/global that no transfer
// encoding protects: then the message needs SMTPUTF8 (RFC 6532 §3.7), else it is ordinary mail whatever was asked for.
bool needs_utf8_transport(Bytes message);

}  // namespace facteur::message
