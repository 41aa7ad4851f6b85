#include "store/log.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace facteur::store {

namespace {

constexpr std::size_t copied_below = 1024;  // Small payloads are copied beside their header.
// Parts of a segment: zeros ahead in one without a spare file (4 MiB of 64), further ones at once, when so few are
// left.
constexpr std::uint64_t first_reserve = 16, next_reserve = 64, least_ahead = 512;
constexpr std::uint64_t last_reserve = 16 << 20;  // Kept for the log when the ballast goes.
constexpr std::string_view next_path = "log/next";

std::size_t padded(std::size_t length) { return (length + group_alignment - 1) / group_alignment * group_alignment; }

std::size_t payload_bytes(const LogRecord& record) { return record.name.size() + record.octets.size(); }

std::unexpected<Failure> broken_log() {
  return failure(Failure::Kind::temporary, "F-2030", "The store cannot write now", "a sync of the log has failed");
}

}  // namespace

Log::Log(Parameters parameters, Position previous_end, std::uint32_t next_number)
    : parameters_(std::move(parameters)), previous_end_(previous_end), next_number_(next_number) {
  synced_ = previous_end.number();
}

void Log::snapshot(const SnapshotPlace& place) {
  const std::lock_guard lock(mutex_);
  snapshot_ = place;
}

SnapshotPlace Log::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Result<void> Log::sync() {
  if (broken()) return broken_log();
  if (!unsynced_) return {};
  if (auto synced = current_->file().sync(); !synced) {
    broken_ = true;
    take_back();
    return synced;
  }
  unsynced_ = false;
  current_->durable(end_);
  synced_.store(end().number(), std::memory_order_release);
  return {};
}

// RELIABILITY R4: what was not synced is refused, so it should not be there at the next start. The first of its groups
// loses its header, and replay ends before it. This is as much as can be had from a disk that fails: it may refuse, and
// a power cut may find the old octets.
void Log::take_back() {
  const std::string nothing(group_header_bytes, '\0');
  const Bytes pieces[] = {nothing};
  static_cast<void>(current_->file().write_at(synced().offset, pieces));
}

void Log::leave_segment() {
  if (!current_) return;
  previous_end_ = end();
  current_->durable(end_);
  current_->seal();
  current_ = nullptr;
}

Result<void> Log::roll(std::int64_t time_ms) {
  if (auto synced = sync(); !synced) return synced;
  leave_segment();
  auto begun = begin_segment(time_ms);
  if (begun || !parameters_.make_room || !parameters_.make_room()) return begun;
  begun = begin_segment(time_ms);
  if (begun) keep_room();
  return begun;
}

// After the ballast has gone: whoever has filled the disk may take at once what has become free, and deletions need
// their part of it.
void Log::keep_room() {
  if (!parameters_.zero_fill || !current_) return;
  static_cast<void>(current_->file().reserve(std::min<std::uint64_t>(end_ + last_reserve, parameters_.segment_bytes)));
}

Result<std::unique_ptr<world::File>> Log::new_file() {
  zeros_to_ = parameters_.segment_bytes;
  if (spare_.exchange(false)) {
    if (parameters_.disk.rename(spare_path, next_path)) {
      return parameters_.disk.open(next_path, world::Disk::Mode::write);
    }
  }
  static_cast<void>(parameters_.disk.remove(next_path));  // Of an attempt that failed; mostly there is none.
  auto file = parameters_.disk.open(next_path, world::Disk::Mode::create_new);
  if (!file) return file;
  if (parameters_.zero_fill) {
    zeros_to_ = parameters_.segment_bytes / first_reserve;
    auto reserved = (*file)->reserve(zeros_to_);
    if (!reserved) return failed(reserved);
  }
  return file;
}

void Log::write_zeros_ahead() {
  if (!parameters_.zero_fill || !current_ || broken()) return;
  const std::uint64_t whole = parameters_.segment_bytes;
  if (zeros_to_ >= std::min(end_ + whole / least_ahead, whole)) return;
  zeros_to_ = std::min(end_ + whole / next_reserve, whole);
  if (!current_->file().reserve(zeros_to_)) {
    zeros_to_ = whole;  // No room, perhaps: not again here.
    return;
  }
  unsynced_ = true;
  static_cast<void>(sync());  // Now, not when somebody waits for it. Its failure is the next group's.
}

// The name of a segment appears only after its header is durable, so a segment without a header is always rot.
Result<void> Log::begin_segment(std::int64_t time_ms) {
  auto file = new_file();
  if (!file) return failed(file);
  const SnapshotPlace newest = snapshot();
  SegmentHeader header{.instance = parameters_.instance,
                       .segment = next_number_,
                       .epoch = parameters_.epoch,
                       .nonce = parameters_.random.number(),
                       .created_ms = time_ms,
                       .previous_end = previous_end_,
                       .snapshot_begin = newest.begin,
                       .snapshot_end = newest.end,
                       .snapshot_of = newest.of};
  const std::string copy = encode(header);
  const Bytes copies[] = {copy, copy};
  if (auto written = (*file)->write_at(0, copies); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto named = parameters_.disk.rename(next_path, segment_path(next_number_)); !named) return named;
  if (auto synced = parameters_.disk.sync_directory("log"); !synced) {
    // The name may or may not be there after a crash: this number must not be used for anything else.
    ++next_number_;
    return synced;
  }
  auto resting = std::make_unique<RestingFile>(parameters_.open_files, parameters_.disk, segment_path(header.segment),
                                               std::move(*file), false);
  current_ = std::make_shared<Segment>(header, std::move(resting), first_group);
  end_ = first_group;
  ++next_number_;
  synced_.store(end().number(), std::memory_order_release);
  parameters_.segments.add(current_);
  return {};
}

Result<void> Log::write(std::span<LogRecord> records, std::int64_t time_ms) {
  if (broken()) return broken_log();
  std::size_t length = group_header_bytes;
  for (const LogRecord& record : records) length += record_header_bytes + payload_bytes(record);
  length = padded(length);
  if (length > longest_group) {
    return failure(Failure::Kind::permanent, "F-2031", "Too much at once", std::to_string(length) + " octets");
  }
  if (!current_ || (end_ + length > parameters_.segment_bytes && end_ > first_group)) {
    if (auto rolled = roll(time_ms); !rolled) return rolled;
  }
  auto written = write_once(records, length, time_ms);
  if (written) return written;
  // What the failed write left is unknown: the segment ends before it, and the group is tried once more in a new one.
  // A segment without groups stays: there the next write goes over what the failed one left.
  if (end_ > first_group) {
    if (auto rolled = roll(time_ms); !rolled) return rolled;
    written = write_once(records, length, time_ms);
    if (written) return written;
  }
  if (!parameters_.make_room || !parameters_.make_room()) return written;
  keep_room();
  return write_once(records, length, time_ms);
}

Result<void> Log::write_once(std::span<LogRecord> records, std::size_t length, std::int64_t time_ms) {
  const std::uint64_t nonce = current_->header().nonce;
  // Headers and small payloads stand in `arena`; `pieces` alternate between it and large payloads.
  std::size_t arena_bytes = group_header_bytes + group_alignment;
  for (const LogRecord& record : records) {
    arena_bytes += record_header_bytes + record.name.size() + std::min(record.octets.size(), copied_below);
  }
  std::string arena;
  arena.reserve(arena_bytes);
  std::vector<Bytes> pieces;
  std::size_t begun = 0;
  const auto close_piece = [&] {
    if (arena.size() > begun) pieces.push_back(Bytes(arena).substr(begun));
    begun = arena.size();
  };

  GroupHeader group{.segment = current_->number(),
                    .epoch = parameters_.epoch,
                    .offset = end_,
                    .length = static_cast<std::uint32_t>(length),
                    .records = static_cast<std::uint32_t>(records.size()),
                    .synced_to = synced(),
                    .time_ms = time_ms};
  encode(group, nonce, arena);
  std::size_t at = end_ + group_header_bytes;
  for (LogRecord& record : records) {
    record.placed = {current_->number(), static_cast<std::uint32_t>(at)};
    const auto payload = static_cast<std::uint32_t>(payload_bytes(record));
    encode(RecordHeader{record.type, payload, record.checksum}, nonce, record.placed.offset, arena);
    arena += record.name;
    if (record.octets.size() <= copied_below) {
      arena += record.octets;
    } else {
      close_piece();
      pieces.push_back(record.octets);
    }
    at += record_header_bytes + payload;
  }
  arena.append(end_ + length - at, '\0');
  close_piece();
  ASSERT(arena.size() <= arena_bytes);  // `pieces` point into it.

  if (auto written = current_->file().write_at(end_, pieces); !written) return written;
  end_ += static_cast<std::uint32_t>(length);
  unsynced_ = true;
  return {};
}

}  // namespace facteur::store
