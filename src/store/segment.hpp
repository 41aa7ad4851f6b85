// One file of the log: its header, and its octets as memory.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/format.hpp"
#include "store/resting_file.hpp"
#include "world/disk.hpp"

namespace facteur::store {

// Shared by the log and by readers: a Content holds one of these, and as long as any does the file is not reused.
class Segment {
 public:
  // `durable`: octets below do not change any more.
  Segment(const SegmentHeader& header, std::unique_ptr<RestingFile> file, std::uint32_t durable);

  const SegmentHeader& header() const { return header_; }
  std::uint32_t number() const { return header_.segment; }
  world::File& file() { return *file_; }

  std::uint32_t durable() const { return durable_.load(std::memory_order_acquire); }
  void durable(std::uint32_t end) { durable_.store(end, std::memory_order_release); }
  bool sealed() const { return sealed_.load(std::memory_order_acquire); }
  void seal() {  // Nothing is written to it any more, and all is synced.
    sealed_.store(true, std::memory_order_release);
    file_->may_rest();
  }

  // [offset, offset + length), below durable(): mapped memory (valid as long as this object) or, where that cannot be,
  // `copy` filled. Thread-safe. Failures: corrupt if it lies beyond the durable end, temporary for a read error.
  Result<Bytes> octets(std::uint32_t offset, std::uint32_t length, std::string& copy);
  // The same, never from mapped memory: a page that cannot be read is an error here, and zeros there.
  Result<Bytes> octets_by_read(std::uint32_t offset, std::uint32_t length, std::string& copy);

  std::atomic<bool> damaged{false};  // Has a record that cannot be read: not worth compacting.

 private:
  Bytes window(std::uint32_t number);

  SegmentHeader header_;
  std::unique_ptr<RestingFile> file_;
  std::atomic<std::uint32_t> durable_;
  std::atomic<bool> sealed_{false};
  std::mutex mutex_;
  std::vector<Bytes> windows_;  // Mapped so far, each of window_bytes.
};

// Reads a file from front to back with few calls; for the start and for compaction.
class FileWindow {
 public:
  // `skip_errors`: sectors that cannot be read look like zeros, which no checksum fits.
  FileWindow(world::File& file, std::uint32_t end, bool skip_errors)
      : file_(file), end_(end), skip_errors_(skip_errors) {}

  // Fewer than `length` octets behind the end. Valid until the next call.
  Result<Bytes> at(std::uint32_t offset, std::uint32_t length);
  std::uint32_t end() const { return end_; }

 private:
  Result<void> fill(std::uint32_t offset, std::uint32_t length);

  world::File& file_;
  std::uint32_t end_;
  bool skip_errors_;
  std::uint32_t begin_ = 0;
  std::string buffer_;
};

// The header of a segment: the first whole copy of the two; nullopt if there is none.
Result<std::optional<SegmentHeader>> read_segment_header(world::File& file);

}  // namespace facteur::store
