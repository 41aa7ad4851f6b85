// The replies of a server, line by line (RFC 5321 §4.2).
#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.hpp"
#include "smtp/reply.hpp"

namespace facteur::smtp {

class ReplyParser {
 public:
  struct Outcome {
    std::size_t consumed = 0;
    std::optional<Reply> reply;  // A whole one, its last line end included.
    bool broken = false;         // Not SMTP, or too long: the connection is useless.
  };

  // Reads complete lines from the front of `octets`; what is consumed must not be shown again. A reply counts only when
  // its last line has come with its line end (RELIABILITY R29).
  Outcome read(Bytes octets);

 private:
  bool line(Bytes text, Outcome& outcome);

  Reply reply_;
  std::size_t lines_ = 0;
};

}  // namespace facteur::smtp
