// Moves the blobs of a mostly dead segment to the end of the log, so that the segment can go.
#pragma once

#include "store/core.hpp"

namespace facteur::store {

// Copies are conditional on the old place when they are applied (DECISIONS.md 12): a blob that was dropped or stored
// again meanwhile stays as it is. On shard 0.
Task<Result<void>> compact(std::shared_ptr<Core> core, std::shared_ptr<Segment> segment);

}  // namespace facteur::store
