#include "store/read_blobs.hpp"

#include <algorithm>

#include "store/key.hpp"

namespace facteur::store {

namespace {

struct Blob {
  BlobId id;
  std::optional<Location> location;
  Position at() const { return location && !location->pieces.empty() ? location->pieces.front().at : Position{}; }
};

}  // namespace

Result<BlobsSeen> read_some_blobs(Core& core, const std::string& from) {
  constexpr std::size_t at_once = 4096;
  constexpr std::uint64_t octets_at_once = 32 << 20;
  BlobsSeen seen;
  std::vector<Blob> blobs;
  std::uint64_t octets = 0;
  auto scanned = core.index->latest().scan(from, behind("B"), [&](Bytes key, Bytes value) {
    if (blobs.size() == at_once || octets >= octets_at_once) {
      seen.next = std::string(key);
      return false;
    }
    const Blob& blob = blobs.emplace_back(BlobId::from(key.substr(1)), decode_location(value));
    if (blob.location) octets += blob.location->size;
    return true;
  });
  if (!scanned) return failed(scanned);
  // The names of blobs are hashes: in their order the disk would be read here and there.
  std::ranges::sort(blobs, {}, &Blob::at);
  for (const Blob& blob : blobs) {
    const auto hint = blob.location ? Core::place_of(*blob.location) : std::string();
    const auto content = core.content_near(blob.id, hint);
    ++seen.blobs;
    if (!content) {
      seen.damaged.emplace_back(blob.id, content.error().cause);
    } else if (*content) {
      seen.bytes += (*content)->size();
    }
  }
  return seen;
}

}  // namespace facteur::store
