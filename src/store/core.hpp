// Inside the embedded engine: what the shards, the log's lane and the pool share.
//
// Commits and chunks enter one queue; the log's lane takes as many as fit into a group, writes them, syncs once,
// applies them to the index and resumes their waiters. Core lives as long as anything queued in Shards refers to it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "store/applier.hpp"
#include "store/embedded_engine.hpp"
#include "store/log.hpp"
#include "store/segments.hpp"
#include "store/waiting.hpp"

namespace facteur::store {

// Segments with records that no commit refers to yet; they stay as long as this.
class Pins {
 public:
  void add(std::shared_ptr<Segment> segment) {
    const std::lock_guard lock(mutex_);
    if (segments_.empty() || segments_.back() != segment) segments_.push_back(std::move(segment));
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Segment>> segments_;
};

// What enters the log at once. Owned by the waiter and by the log together; the records are the log's until the waiter
// is resumed.
struct Submission : Waiting {
  struct Record {
    RecordType type = RecordType::transaction;
    std::string name;  // Of a body (the blob's id) or chunk; else empty.
    std::string octets;
    std::uint32_t checksum = 0;
    Position placed;            // Where it went.
    bool known_absent = false;  // The log's lane has looked: no such blob yet.
  };
  static Record record(RecordType type, std::string name, std::string octets);  // With its checksum.

  std::vector<Record> records;
  bool durable = true;             // Wait for the sync, and apply to the index.
  bool verbatim = false;           // Bodies are copies of stored ones: write them although the store has them.
  bool needs_room = false;         // Adds content: refused when the disk is full.
  std::optional<Failure> refused;  // Fails in its place in the queue, with what was built on it.
  std::vector<std::shared_ptr<Batch::Chain>> chains;
  std::shared_ptr<Pins> pins;                  // Gets the segment that this goes to.
  std::vector<std::shared_ptr<Pins>> uploads;  // Of the chunks that this commits: kept until it is applied.
  std::size_t bytes() const;
};

class Core {
 public:
  Core(EngineParameters p) : parameters(std::move(p)) {}

  EngineParameters parameters;
  InstanceId instance{};
  const std::shared_ptr<OpenFiles> open_files = std::make_shared<OpenFiles>(parameters.sizes.open_segments);
  Segments segments;
  std::unique_ptr<Index> index;
  std::unique_ptr<Applier> applier;
  std::unique_ptr<Log> log;

  // ---- from the shards
  void enter(const std::shared_ptr<Core>& self, std::shared_ptr<Submission> submission);
  Result<void> admit(const Submission& submission) const;
  Result<std::optional<Content>> content(const BlobId& id);
  std::string place_of(const BlobId& id) const;
  static std::string place_of(const Location& location);
  Result<std::optional<Content>> content_near(const BlobId& id, Bytes hint);
  Engine::Health health() const;
  bool index_behind() const;  // More waits for the index than the next start should replay.

  // ---- quarantine
  void quarantine(std::string where, std::string why);
  void quarantine_blob(const BlobId& id, const Position& at, const Failure& why);
  void forgive(const BlobId& id);          // It has been stored again.
  void forgive(const std::string& where);  // What was there has been looked after.
  std::vector<Engine::Corrupt> quarantined() const;
  bool is_quarantined(const BlobId& id) const;

  // ---- room on the disk; on the pool and on the log's lane
  bool release_ballast();                  // Whether there was any.
  void watch_space(bool restore_ballast);  // Sets low_space; makes the ballast when there is room.

  Statistics statistics() const;

  std::atomic<bool> low_space{false}, full{false}, index_failed{false};
  std::atomic<std::int64_t> last_group_ms{0};
  std::atomic<bool> marked{true};         // A marker covers the last group.
  std::atomic<std::uint64_t> flushed{0};  // Position up to which the index is on disk.
  std::atomic<std::uint64_t> log_bytes_since_flush{0}, operation_bytes_since_snapshot{0};
  std::uint64_t next_snapshot = 0;  // Drawn at the start, so that parts of another one never fit. On shard 0.
  std::atomic<std::uint64_t> commits{0}, groups{0}, compacted{0}, removed{0};
  std::uint64_t commits_seen = 0, groups_seen = 0;  // By the background.
  std::uint64_t replayed_bytes = 0;
  bool rebuilt = false;
  std::atomic<bool> checked{false};       // A check is under way; there is one at most.
  std::atomic<bool> rebuild_told{false};  // A check with repair has said so.

 private:
  using Group = std::vector<std::shared_ptr<Submission>>;
  Group take_group();
  void run_group(const std::shared_ptr<Core>& self);
  void prepare_next(std::size_t together);
  Result<void> write_group(const Group& group);
  void skip_existing(Submission& submission, std::unordered_set<BlobId>& in_group);
  Result<void> apply_group(const Group& group, std::int64_t time_ms);
  Result<void> apply_submission(const Submission& submission);
  void watch_index(bool retry);  // Tells when the index begins or ends to wait for its database.
  Result<Content> read_pieces(const Location& location, const BlobId& id, Position& at);
  Result<Content> read_pieces(const Location& location, const BlobId& id, Position& at, bool mapped);

  std::mutex queue_mutex_;  // Guards the two below.
  std::deque<std::shared_ptr<Submission>> queue_;
  bool running_ = false;

  mutable std::mutex quarantine_mutex_;  // Guards the two below.
  std::map<std::string, std::string> quarantine_;
  std::map<BlobId, std::string> damaged_blobs_;  // With the `where` of the entry above.

  // On the log's lane.
  bool index_waits_ = false;
  std::size_t crowd_ = 64;  // Eight times the commits of a group, on the average of the last ones.

  std::mutex ballast_mutex_;
};

// Enters the log and waits for the outcome.
inline Task<Result<void>> submit(std::shared_ptr<Core> core, std::shared_ptr<Submission> submission) {
  auto enter = [core, submission] { core->enter(core, submission); };
  Arrival arrival(core->parameters.shards, submission, std::move(enter));
  co_await arrival;
  co_return submission->outcome;
}

template <class T>
struct PoolWork : Waiting {
  std::optional<T> value;
};

// Runs `work` (giving a value) on a lane. The coroutine may be destroyed meanwhile; `work` must own what it needs.
template <class Work>
Task<std::invoke_result_t<Work&>> on_lane(std::shared_ptr<Core> core, world::Shards::Lane lane, Work work) {
  using T = std::invoke_result_t<Work&>;
  auto state = std::make_shared<PoolWork<T>>();
  auto enter = [core, state, lane, &work] {
    core->parameters.shards.offload(lane, [core, state, work = std::move(work)]() mutable {
      state->value.emplace(work());
      resume_all(core->parameters.shards, std::vector<std::shared_ptr<PoolWork<T>>>{state});
    });
  };
  Arrival arrival(core->parameters.shards, state, std::move(enter));
  co_await arrival;
  co_return std::move(*state->value);
}
template <class Work>
Task<std::invoke_result_t<Work&>> on_pool(std::shared_ptr<Core> core, Work work) {
  return on_lane(std::move(core), world::Shards::Lane::pool, std::move(work));
}

}  // namespace facteur::store
