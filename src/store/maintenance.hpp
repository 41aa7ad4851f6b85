// What the engine does in the background: marks idle moments, flushes the index, drops unneeded blobs, writes
// snapshots, compacts and removes segments, prepares the next one. All on shard 0, one round at a time.
#pragma once

#include "base/wait.hpp"
#include "store/core.hpp"

namespace facteur::store {

struct Background {
  TaskGroup tasks;
  Wakeup stop;
  bool stopping = false;
  Turn turn;
  std::string next_unneeded;  // Where the next look for unneeded blobs begins.
};

Task<void> run_background(std::shared_ptr<Core> core, Background& background);

// One round. `thorough`: do all that can be done, not only what is due.
Task<void> maintain_once(std::shared_ptr<Core> core, Background& background, bool thorough);

// A marker covers the last group, and the index is on disk.
Task<void> settle(std::shared_ptr<Core> core);

}  // namespace facteur::store
