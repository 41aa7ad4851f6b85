#include "imap/message_pieces.hpp"

#include <algorithm>

namespace facteur::imap {
namespace {

message::Range clipped(message::Range range, std::uint64_t size) {
  range.offset = std::min(range.offset, size);
  range.length = std::min(range.length, size - range.offset);
  return range;
}

// Calls `visit` with each part of a piece that lies in the range.
template <class Visit>
void for_each_part(const std::vector<Bytes>& pieces, message::Range range, const Visit& visit) {
  std::uint64_t at = 0;
  for (const auto piece : pieces) {
    if (range.length == 0) return;
    if (range.offset < at + piece.size()) {
      const auto part = piece.substr(static_cast<std::size_t>(range.offset - at),
                                     static_cast<std::size_t>(std::min<std::uint64_t>(range.length, piece.size())));
      visit(part);
      range.offset += part.size();
      range.length -= part.size();
    }
    at += piece.size();
  }
}

}  // namespace

std::string MessagePieces::copy(message::Range range) const {
  range = clipped(range, size);
  std::string out;
  out.reserve(static_cast<std::size_t>(range.length));
  for_each_part(pieces, range, [&out](Bytes part) { out += part; });
  return out;
}

Bytes MessagePieces::view(message::Range range, std::string& storage) const {
  range = clipped(range, size);
  Bytes only;
  std::size_t count = 0;
  for_each_part(pieces, range, [&](Bytes part) {
    only = part;
    ++count;
  });
  if (count <= 1) return only;
  storage = copy(range);
  return storage;
}

void MessagePieces::write_literal(ResponseWriter& out, message::Range range) const {
  range = clipped(range, size);
  out.raw("{").number(range.length).raw("}\r\n");
  for_each_part(pieces, range, [&](Bytes part) { out.borrowed(part, pin); });
}

}  // namespace facteur::imap
