// The end of the log: groups are written here, made durable, and new segments begun. Used on the log's lane only,
// except where it says otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/applier.hpp"
#include "store/segments.hpp"
#include "world/disk.hpp"
#include "world/random.hpp"

namespace facteur::store {

// One record to write. name + octets is the payload; both are borrowed until write() returns.
struct LogRecord {
  RecordType type = RecordType::transaction;
  Bytes name;
  Bytes octets;
  std::uint32_t checksum = 0;  // crc32c(octets, crc32c(name))
  Position placed;             // Set by write().
};

class Log {
 public:
  struct Parameters {
    world::Disk& disk;
    world::Random& random;
    Segments& segments;
    std::shared_ptr<OpenFiles> open_files;
    InstanceId instance{};
    std::uint32_t epoch = 0;
    std::uint32_t segment_bytes = 0;
    bool zero_fill = true;
    // Called when the disk is full: makes room and says whether it could (the ballast). Then the write is tried again.
    std::function<bool()> make_room;
  };
  // `previous_end`: what replay found; everything before it is durable. Segments are numbered from
  // `next_number` on.
  Log(Parameters parameters, Position previous_end, std::uint32_t next_number);

  // One group, in the page cache. On failure nothing of it counts.
  Result<void> write(std::span<LogRecord> records, std::int64_t time_ms);

  // All that was written is durable. After a failure every further call fails (DECISIONS.md 7).
  Result<void> sync();

  // For a moment when nobody waits: zeros behind the end, when few are left, so that the next syncs are fast.
  void write_zeros_ahead();

  // Begins the next segment now; what was written before is durable then.
  Result<void> roll(std::int64_t time_ms);

  Position end() const { return current_ ? Position{current_->number(), end_} : previous_end_; }
  Position synced() const { return Position::from(synced_.load(std::memory_order_acquire)); }  // Any thread.
  bool unsynced() const { return unsynced_; }
  bool broken() const { return broken_.load(std::memory_order_acquire); }  // Any thread: a sync has failed.

  void snapshot(const SnapshotPlace& place);  // Any thread. Written into the header of each new segment.
  SnapshotPlace snapshot() const;

  // Any thread. A file of zeros (or of an outlived segment) for the next segment waits at spare_path.
  void spare_ready() { spare_.store(true, std::memory_order_release); }
  bool has_spare() const { return spare_.load(std::memory_order_acquire); }
  static constexpr std::string_view spare_path = "log/spare";

 private:
  void keep_room();
  Result<void> begin_segment(std::int64_t time_ms);
  Result<std::unique_ptr<world::File>> new_file();
  void take_back();
  void leave_segment();
  Result<void> write_once(std::span<LogRecord> records, std::size_t length, std::int64_t time_ms);

  Parameters parameters_;
  std::shared_ptr<Segment> current_;
  std::uint32_t end_ = 0;
  std::uint64_t zeros_to_ = 0;  // In the current segment; they may end before, where no more are to be written.
  Position previous_end_;
  std::uint32_t next_number_;
  bool unsynced_ = false;
  std::atomic<bool> broken_{false};
  std::atomic<std::uint64_t> synced_{0};
  std::atomic<bool> spare_{false};
  mutable std::mutex mutex_;  // Guards snapshot_.
  SnapshotPlace snapshot_;
};

}  // namespace facteur::store
