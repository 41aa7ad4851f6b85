// Reads contents one after the other and compares their checksums: what verify() and the check share.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "store/core.hpp"

namespace facteur::store {

struct BlobsSeen {
  std::string next;  // The key to go on with; empty: all were seen.
  std::uint64_t blobs = 0, bytes = 0;
  std::vector<std::pair<BlobId, std::string>> damaged;  // And why.
};

// Some contents from the key `from` on (blob_key(BlobId{}) at first). On the pool; damaged ones are quarantined.
Result<BlobsSeen> read_some_blobs(Core& core, const std::string& from);

}  // namespace facteur::store
