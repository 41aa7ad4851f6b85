// A message on its way to the client: borrowed pieces with dots put between them (RFC 1939 §3), in portions of bounded
// size, so that neither a large message nor one full of dots is ever held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::pop3 {

class ContentWriter {
 public:
  // All of it, or the header and `lines` lines of the body (TOP).
  void start(std::vector<Bytes> pieces, std::optional<std::uint64_t> lines);
  bool active() const { return active_; }
  void forget();

  // Appends the next portion, at most `most_pieces` views and about `most_octets`; the last one ends with ".\r\n".
  // The views stay valid as long as the pieces given to start().
  void write(std::vector<Bytes>& out, std::size_t most_pieces, std::size_t most_octets);

 private:
  void limit_to_lines(std::uint64_t lines);
  void finish(std::vector<Bytes>& out);

  std::vector<Bytes> pieces_;
  std::size_t piece_ = 0;   // Being written,
  std::size_t offset_ = 0;  // from here on.
  bool line_start_ = true;
  bool ended_with_cr_ = false;  // The octet before the last one was CR.
  bool ended_with_crlf_ = false;
  bool any_ = false;
  bool active_ = false;
};

}  // namespace facteur::pop3
