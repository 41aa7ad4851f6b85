// The octets of one message as they lie in memory: the prefix we put in front, then the mapped pieces of its content.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "imap/response_writer.hpp"
#include "message/structure.hpp"

namespace facteur::imap {

struct MessagePieces {
  std::vector<Bytes> pieces;        // In order; valid as long as `pin` lives.
  std::shared_ptr<const void> pin;  // What owns them.
  std::uint64_t size = 0;

  void add(Bytes piece) {
    if (piece.empty()) return;
    pieces.push_back(piece);
    size += piece.size();
  }

  std::string copy(message::Range range) const;  // Clipped to the message.

  // The range without a copy where it lies in one piece; else it is copied into `storage`, and that is given.
  Bytes view(message::Range range, std::string& storage) const;

  // "{n}\r\n" and the octets, borrowed.
  void write_literal(ResponseWriter& out, message::Range range) const;
};

}  // namespace facteur::imap
