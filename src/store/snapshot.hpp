// Complete copies of the index in the log: with the log behind them they give back a lost index (DECISIONS.md 8).
#pragma once

#include "store/core.hpp"

namespace facteur::store {

// Writes one, piece by piece, while commits go on. On shard 0.
Task<Result<void>> write_snapshot(std::shared_ptr<Core> core);

// Puts the snapshot at `place` into an empty index. Fails (corrupt) unless all of it is there and whole, or (temporary)
// when more than `most_waiting` octets of it cannot be written.
Result<void> restore_snapshot(const Segments& segments, const SnapshotPlace& place, Index& index,
                              std::uint64_t most_waiting);

}  // namespace facteur::store
