// A message as a tree of parts to be written (RFC 2045, RFC 2046): the writer chooses transfer encodings and
// boundaries. mime.hpp reads what this writes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "message/field_writer.hpp"

namespace facteur::message {

// What the writer may count on: how the message will travel.
struct Transport {
  bool eight_bit = false;  // 8BITMIME (RFC 6152): bodies may be 8bit, where all is sent to servers that take it.
  bool utf8 = false;       // SMTPUTF8 (RFC 6531): headers may be UTF-8 too.
};

// Octets of world::Random from the caller. Boundaries and identifiers of one message are made from them.
using Chance = std::array<char, 16>;

// One part. A leaf has `content`, a multipart `parts`.
struct Entity {
  enum class Shown : std::uint8_t { unsaid, in_place, attached };  // Content-Disposition (RFC 2183).

  std::string type = "text/plain";
  std::vector<WrittenParameter> parameters{};  // Of Content-Type, without boundary.
  // Of a leaf: its octets as they are to be read; of text in UTF-8 or what the charset parameter says, best with CRLF
  // line ends: others travel in base64. Of message/rfc822: a whole message.
  std::string content{};
  std::vector<Entity> parts{};
  Shown shown = Shown::unsaid;
  std::string file_name{};    // UTF-8.
  std::string content_id{};   // Without angle brackets (RFC 2392).
  std::string description{};  // UTF-8.
};

// The header so far (fields with their line ends, no blank line) and the body: a whole message, MIME-Version and
// Content-* fields added. All lines end with CRLF and have at most 998 octets, bodies are ASCII unless `transport`
// allows more.
//
// RFC 2046 §5.2.1: message/rfc822 has no transfer encoding, so what is 8bit in it is encoded inside (seven_bit.hpp);
// where that is impossible (signed) or it is no message of CRLF lines, it becomes message/global in base64, which
// RFC 6532 §3.7 allows and no relay needs to touch. One whose header is UTF-8 is message/global in any case.
// Refused: what FieldWriter refuses, a multipart without parts, more than 20 levels or 9,999 parts.
Result<std::string> joined(std::string header, const Entity& body, const Transport& transport, const Chance& chance);

// Lines ended by LF, CR or CRLF: all ended by CRLF, the last one too.
std::string with_crlf(std::string_view text);

}  // namespace facteur::message
