// Files written into the text of a message, as was done before MIME and around it: uuencode, xxencode, yEnc,
// BinHex 4.0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

struct EmbeddedFile {
  enum class Kind : std::uint8_t { uuencode, xxencode, yenc, binhex };
  Kind kind = Kind::uuencode;
  std::size_t offset = 0;  // Of the first line in the text.
  std::size_t length = 0;  // With its last line.
  std::string name;        // As written: never a path to be used.
  std::string octets;      // Of BinHex: the data fork.
  bool complete = false;   // Its end was there, and length and checksum, where the form has them, agree.
};

// All files in a text whose transfer encoding has been taken off, in order, at most `limit`. Damaged lines are passed
// over; a file whose end is missing ends at the first line that cannot be one of its own. Linear.
std::vector<EmbeddedFile> find_embedded(Bytes text, std::size_t limit = 1'000);

// Whether find_embedded would find one; looks only for the first line of one and what must follow it.
bool has_embedded(Bytes text);

// BinHex 4.0 (RFC 1741 §4) as a part of its own, application/mac-binhex40; name and octets empty if it is none.
EmbeddedFile decode_binhex(Bytes text);

}  // namespace facteur::message
