// What comes between DATA and the lonely dot: found, checked and unstuffed where it lies (RFC 5321 §4.5.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"

namespace facteur::smtp {

class ContentReader {
 public:
  enum class Fault : std::uint8_t { none, bare_cr, bare_lf, nul };
  struct Piece {
    std::size_t consumed = 0;  // Of the octets given; all of them unless `ended` or there is a fault.
    std::size_t length = 0;    // The first `length` octets of the room are content now.
    bool ended = false;        // CRLF "." CRLF was there. What follows `consumed` is commands.
    Fault fault = Fault::none;
  };

  // Reads the next octets of the content, removes the stuffed dots in place. After `ended` or a fault, not to be called
  // again. Every segmentation gives the same content. 2 to 5 GB/s where no line begins with a dot.
  Piece read(Room octets);

  // The same without dots, for BDAT (RFC 3030): never `ended`.
  Piece read_chunk(Room octets);

  // False: the last octet was a CR that still wants its LF.
  bool whole() const { return at_ != At::after_cr; }

 private:
  enum class At : std::uint8_t { line_start, in_line, after_cr, after_dot, after_dot_cr };
  struct Progress;
  template <bool dots>
  Piece scan(Room octets);
  template <bool dots>
  void slowly(Progress& progress, std::size_t to);
  template <bool dots>
  bool quickly(Progress& progress);

  At at_ = At::line_start;
};

// The first fault in content that is about to be sent (RFC 5321 §2.3.8); NUL is none here.
ContentReader::Fault find_bare_line_end(std::span<const Bytes> pieces);

}  // namespace facteur::smtp
