// Contents: where they lie in the log, compared with their checksums each time they are given.
#include "base/base64.hpp"
#include "crypto/crc32c.hpp"
#include "store/core.hpp"
#include "store/key.hpp"

namespace facteur::store {

namespace {

// A record of a blob's octets, whole, at its place: of this blob, or a chunk.
bool is_body(Bytes record, const Segment& segment, std::uint32_t offset, const BlobId& id) {
  const auto header = decode_record_header(record, segment.header().nonce, offset);
  const Bytes payload = record.substr(record_header_bytes);
  return header && header->length == payload.size() && crypto::crc32c(payload) == header->checksum &&
         (header->type != RecordType::body || payload.starts_with(id.bytes()));
}

}  // namespace

// A page that turns out to be unreadable meanwhile, of this blob or another, makes it doubtful what was compared: then
// nothing of it may lie in mapped memory.
Result<Content> Core::read_pieces(const Location& location, const BlobId& id, Position& at) {
  const std::uint64_t unreadable = parameters.disk.unreadable_pages();
  auto content = read_pieces(location, id, at, true);
  if (content) content->watch(parameters.disk, unreadable);
  if (content && !content->intact()) return read_pieces(location, id, at, false);
  return content;
}

Result<Content> Core::read_pieces(const Location& location, const BlobId& id, Position& at, bool mapped) {
  struct Held {
    std::vector<std::shared_ptr<Segment>> segments;
    std::vector<std::unique_ptr<std::string>> copies;
  };
  auto held = std::make_shared<Held>();
  std::vector<Bytes> octets;
  octets.reserve(location.pieces.size());
  for (const Piece& piece : location.pieces) {
    at = piece.at;
    auto segment = segments.find(piece.at.segment);
    if (!segment) return failure(Failure::Kind::closed, "F-2052", "A stored message has moved", to_string(piece.at));
    const std::uint32_t length = record_header_bytes + name_octets + piece.length;
    std::string copy;
    auto record = mapped ? segment->octets(piece.at.offset, length, copy)
                         : segment->octets_by_read(piece.at.offset, length, copy);
    if (!record) return failed(record);
    bool whole = is_body(*record, *segment, piece.at.offset, id);
    if (!whole && copy.empty()) {
      // In mapped memory, what the disk could not read looks like zeros: asked again, it says so, or gives it.
      record = segment->octets_by_read(piece.at.offset, length, copy);
      if (!record) return failed(record);
      whole = is_body(*record, *segment, piece.at.offset, id);
    }
    if (!whole) {
      segment->damaged = true;
      return failure(Failure::Kind::corrupt, "F-2053", "A stored message is damaged",
                     to_string(piece.at) + ": its checksum does not fit");
    }
    if (!copy.empty()) {
      held->copies.push_back(std::make_unique<std::string>(std::move(copy)));
      record = Bytes(*held->copies.back());
    }
    if (piece.length > 0) octets.push_back(record->substr(record_header_bytes + name_octets));
    if (held->segments.empty() || held->segments.back() != segment) held->segments.push_back(std::move(segment));
  }
  return Content(std::move(held), std::move(octets));
}

Result<std::optional<Content>> Core::content(const BlobId& id) {
  // Compaction may move the blob between the two look-ups: then its new place is in the index already.
  constexpr int tries = 8;
  for (int i = 0;; ++i) {
    auto value = index->latest().get(blob_key(id));
    if (!value) return failed(value);
    if (!*value) return std::nullopt;
    const auto location = decode_location(**value);
    if (!location) {
      return failure(Failure::Kind::corrupt, "F-2054", "A stored message is damaged",
                     "location of " + to_hex(id.bytes()));
    }
    Position at;
    auto content = read_pieces(*location, id, at);
    if (content) return std::optional(std::move(*content));
    if (content.error().kind == Failure::Kind::closed && i + 1 < tries) continue;
    if (content.error().kind == Failure::Kind::corrupt || content.error().kind == Failure::Kind::closed) {
      quarantine_blob(id, at, content.error());
      content.error().kind = Failure::Kind::corrupt;
    }
    return failed(content);
  }
}

// The hint: segment, offset and length of the only piece.
std::string Core::place_of(const BlobId& id) const {
  const auto value = index->latest().get(blob_key(id));
  const auto location = value && *value ? decode_location(**value) : std::nullopt;
  return location ? place_of(*location) : std::string();
}

std::string Core::place_of(const Location& location) {
  if (location.pieces.size() != 1) return {};
  const Piece& piece = location.pieces.front();
  return Key().u32(piece.at.segment).u32(piece.at.offset).u32(piece.length).take();
}

Result<std::optional<Content>> Core::content_near(const BlobId& id, Bytes hint) {
  Parser in(hint);
  Location location;
  Piece piece;
  piece.at.segment = in.u32();
  piece.at.offset = in.u32();
  piece.length = in.u32();
  if (!in.done() || piece.at.segment == 0) return content(id);
  const auto segment = segments.find(piece.at.segment);
  const std::uint64_t end = std::uint64_t{piece.at.offset} + record_bytes(piece);
  if (!segment || end > segment->durable()) return content(id);
  std::string copy;
  const std::uint64_t unreadable = parameters.disk.unreadable_pages();
  const auto length = static_cast<std::uint32_t>(record_bytes(piece));
  auto record = segment->octets(piece.at.offset, length, copy);
  if (!record) return content(id);
  const auto header = decode_record_header(*record, segment->header().nonce, piece.at.offset);
  const Bytes payload = record->substr(record_header_bytes);
  const bool right = header && header->type == RecordType::body && header->length == payload.size() &&
                     payload.starts_with(id.bytes()) && crypto::crc32c(payload) == header->checksum;
  if (!right) return content(id);  // Which also reports what is damaged.
  if (!copy.empty()) return Content::copy_of(std::string(payload.substr(name_octets)));
  std::vector<Bytes> octets;
  if (piece.length > 0) octets.push_back(payload.substr(name_octets));
  Content found(segment, std::move(octets));
  found.watch(parameters.disk, unreadable);
  if (!found.intact()) return content(id);
  return found;
}

}  // namespace facteur::store
