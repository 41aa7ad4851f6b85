#include "store/read_blobs.hpp"

#include "store/key.hpp"

namespace facteur::store {

Result<BlobsSeen> read_some_blobs(Core& core, const std::string& from) {
  constexpr std::size_t at_once = 256;
  BlobsSeen seen;
  std::vector<BlobId> ids;
  auto scanned = core.index->latest().scan(from, behind("B"), [&](Bytes key, Bytes) {
    if (ids.size() == at_once) {
      seen.next = std::string(key);
      return false;
    }
    ids.push_back(BlobId::from(key.substr(1)));
    return true;
  });
  if (!scanned) return failed(scanned);
  for (const BlobId& id : ids) {
    const auto content = core.content(id);
    ++seen.blobs;
    if (!content) {
      seen.damaged.emplace_back(id, content.error().cause);
    } else if (*content) {
      seen.bytes += (*content)->size();
    }
  }
  return seen;
}

}  // namespace facteur::store
