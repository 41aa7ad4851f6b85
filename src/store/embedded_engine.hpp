// The engine of one server: a commit log over world::Disk, the only point of durability, and an index derived from it.
//
//   auto engine = store::open({.disk = disk, .shards = shards, .clock = clock, .random = random, .scope = scope});
//   ... co_await (*engine)->commit(...) ...
//   co_await (*engine)->close();
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "observe/event.hpp"
#include "store/engine.hpp"
#include "store/index.hpp"
#include "world/clock.hpp"
#include "world/disk.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::store {

enum class IndexKind : std::uint8_t {
  rocksdb,  // Production. Needs a disk with a root().
  map,      // A map in memory that persists itself at random moments: the simulator.
};

// All sizes in octets.
struct EngineSizes {
  std::uint32_t segment_bytes = 64 << 20;   // 64 KiB to 1 GiB. A group larger than it has a segment of its own.
  std::uint32_t open_segments = 64;         // Descriptors kept for the log, at least one; beyond only those in use.
  std::uint32_t group_bytes = 8 << 20;      // Commits are gathered into one write up to this,
  std::uint32_t group_commits = 512;        // and up to this many.
  std::uint32_t upload_bytes = 64 << 10;    // What an upload holds in memory.
  std::uint64_t largest_batch = 256 << 20;  // Commits above are refused (permanent).
  std::uint64_t flush_bytes = 64 << 20;     // The index is flushed after so much log: bounds the replay.
  std::uint64_t snapshot_bytes = 64 << 20;  // The index is written into the log after so many octets of operations,
  std::uint32_t snapshot_segments = 32;     // or after so many segments.
  unsigned compact_below_percent = 50;      // Sealed segments with less live octets than this are compacted.
  std::uint64_t ballast_bytes = 160 << 20;  // Kept back for deletions when the disk is full; 0: none.
  std::uint64_t low_space_bytes = 1 << 30;  // Health::low_space below this or 5 % of the disk, whichever is smaller.
  bool zero_fill = true;                    // Write segments with zeros ahead: syncs are faster.
  bool index_stays = true;  // False: nobody opens it again, so it is not flushed at the start and at the end.
  RocksdbSizes rocksdb;
  unsigned map_persist_one_in = 16;  // IndexKind::map: one apply in so many writes it out.
};

// Disk, Shards, Clock, Random and the Sink of `scope` must outlive the engine and what is queued in Shards.
struct EngineParameters {
  world::Disk& disk;  // Its root is the data directory: log/ index/ ballast/ and the file `instance`.
  world::Shards& shards;
  world::Clock& clock;
  world::Random& random;  // Used on the log's lane and at the start.
  observe::Scope scope;
  IndexKind index = IndexKind::rocksdb;
  EngineSizes sizes{};
  Duration grace = 1h;     // How old a blob without references must be to go.
  Duration interval = 1s;  // Of the work in the background.
  Duration idle = 1s;      // After so long without commits a marker covers the last group.
  // 32 hexadecimal digits, as instance() gives them. Not empty: any other data directory is refused (DECISIONS.md 16).
  std::string expected_instance;
};

struct Statistics {
  std::uint32_t segments = 0;
  std::uint32_t open_segments = 0;                    // Of them with a descriptor.
  std::uint64_t log_bytes = 0;                        // In segments, without what is reserved ahead.
  std::uint64_t live_bytes = 0;                       // Of them needed by blobs.
  std::uint64_t dead_bytes = 0;                       // The rest: operations, old snapshots, removed blobs.
  std::uint32_t end_segment = 0, end_offset = 0;      // Of the log, durable.
  std::uint32_t index_segment = 0, index_offset = 0;  // Up to where the index is known to be on disk.
  std::uint64_t index_waiting_bytes = 0;              // Of changes that the index cannot write now (DECISIONS.md 13).
  std::uint32_t snapshot_segment = 0, snapshot_offset = 0;  // What the newest snapshot of the index holds.
  std::uint64_t commits = 0;                                // Since the start,
  std::uint64_t groups = 0;                                 // written with so many syncs.
  std::uint64_t compacted_segments = 0, removed_segments = 0;
  std::uint64_t replayed_bytes = 0;  // At the start: operations.
  bool rebuilt = false;              // The start found no usable index.
};

struct VerifyReport {
  std::uint64_t blobs = 0, bytes = 0;
  std::uint64_t damaged = 0;  // Listed by quarantined().
};

// The log up to one moment: these octets of these files hold all that was durable then, and do not change or go as long
// as this lives. May outlive the engine. For backups, which copy them from the folder of the store (segment_path()).
class HeldLog {
 public:
  virtual ~HeldLog() = default;
  struct Part {
    std::uint32_t segment = 0;
    std::uint64_t nonce = 0;  // Segments of the same number and nonce begin with the same octets, in every copy.
    std::uint32_t length = 0;
  };
  const std::vector<Part>& parts() const { return parts_; }  // Ascending.
  const std::string& instance() const { return instance_; }  // 32 hexadecimal digits.

 protected:
  std::string instance_;
  std::vector<Part> parts_;
};

class EmbeddedEngine : public Engine {
 public:
  // Ends the work in the background, makes everything durable, the index too. No commit or upload may be running or
  // begin afterwards. Call it on any shard; without it the next start replays a little of the log.
  virtual Task<void> close() = 0;

  virtual std::string instance() const = 0;  // 32 hexadecimal digits.
  virtual Statistics statistics() const = 0;

  // Everything durable now, held against removal and reuse until the value goes. Any thread. Compaction goes on, and
  // frees no room meanwhile: hold it for minutes, not for days.
  virtual std::shared_ptr<const HeldLog> hold_log() const = 0;

  // Reads every blob and compares its checksum; runs on the pool, piece by piece.
  virtual Task<Result<VerifyReport>> verify() = 0;

  // One round of what the background does each interval, at once: flush, snapshot, compaction, removal of segments.
  // `thorough`: whatever pays at all, not only what is due. On shard 0.
  virtual Task<void> maintain(bool thorough) = 0;
};

// Opens or makes the store. Blocks: call it at start, or on the pool. Work in the background begins on shard 0.
// A missing, stale or damaged index is rebuilt; damaged records are quarantined. Fails (permanent) for a foreign or
// newer data directory, (temporary) when the end of the log cannot be read.
Result<std::unique_ptr<EmbeddedEngine>> open(EngineParameters parameters);

}  // namespace facteur::store
