// BinHex 4.0 (RFC 1741 §4): 6-bit characters between colons, runs, a header, two forks and checksums.
#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.hpp"

namespace facteur::message {

struct BinHex {
  std::string name;
  std::string octets;      // The data fork; what there is of it if the text ends early.
  bool complete = false;   // Both checksums of header and data fork agree.
  std::size_t length = 0;  // Octets of text up to the end of the line with the last colon.
};

// From the first colon of `text` on. Linear; a run makes at most 255 octets of three characters.
BinHex read_binhex_text(Bytes text);

}  // namespace facteur::message
