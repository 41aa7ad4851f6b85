// An Engine that forgets everything with the process: for tests of whatever stands on store::Engine.
//
// It keeps the contract of engine.hpp: commits become visible and complete later, through Shards (the log's lane, then
// the shard of the caller), in the order in which they were awaited, many of them in one group.
#pragma once

#include <memory>

#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/disk.hpp"
#include "world/shards.hpp"

namespace facteur::store {

struct MemoryEngineParameters {
  world::Shards& shards;
  world::Clock& clock;                 // utc() only: the age of blobs.
  Duration grace = 1h;                 // How old a blob without references must be to go.
  std::size_t group_commits = 16;      // Commits that become visible at once, at most.
  const world::Disk* pages = nullptr;  // Whose unreadable pages contents watch (Content::intact); outlives them.
};

// What a test may do to it beside the contract.
class MemoryEngine : public Engine {
 public:
  virtual void set_health(Health health) = 0;       // read_only: commits fail. low_space: commits with blobs fail.
  virtual void fail_commits(std::size_t next) = 0;  // The next n commits fail (temporary) and change nothing.
  virtual void corrupt(const BlobId& id) = 0;       // content() of that blob fails from now on.
};

// Shards and Clock must outlive the engine and what is queued in them.
std::unique_ptr<MemoryEngine> make_memory_engine(const MemoryEngineParameters& parameters);

}  // namespace facteur::store
