// What is damaged, how much room there is, and what the store says of itself.
#include <algorithm>

#include "base/base64.hpp"
#include "store/core.hpp"

namespace facteur::store {

namespace {
constexpr std::string_view ballast_path = "ballast/ballast";
}

Engine::Health Core::health() const {
  if (index_failed.load() || log->broken()) return Engine::Health::read_only;
  if (index_behind()) return Engine::Health::index_behind;
  return low_space.load() ? Engine::Health::low_space : Engine::Health::good;
}

void Core::quarantine(std::string where, std::string why) {
  {
    const std::lock_guard lock(quarantine_mutex_);
    if (!quarantine_.emplace(where, why).second) return;
  }
  parameters.scope.event("store_record_quarantined")
      .level(observe::Level::error)
      .field("where", where)
      .field("why", why);
}

void Core::quarantine_blob(const BlobId& id, const Position& at, const Failure& why) {
  const std::string where = to_string(at);
  quarantine(where, "blob " + to_hex(id.bytes()) + ": " + why.cause);
  const std::lock_guard lock(quarantine_mutex_);
  damaged_blobs_[id] = where;
}

std::vector<Engine::Corrupt> Core::quarantined() const {
  const std::lock_guard lock(quarantine_mutex_);
  std::vector<Engine::Corrupt> out;
  for (const auto& [where, why] : quarantine_) out.push_back({where, why});
  return out;
}

void Core::forgive(const BlobId& id) {
  const std::lock_guard lock(quarantine_mutex_);
  const auto found = damaged_blobs_.find(id);
  if (found == damaged_blobs_.end()) return;
  quarantine_.erase(found->second);
  damaged_blobs_.erase(found);
}

void Core::forgive(const std::string& where) {
  const std::lock_guard lock(quarantine_mutex_);
  quarantine_.erase(where);
}

bool Core::is_quarantined(const BlobId& id) const {
  const std::lock_guard lock(quarantine_mutex_);
  return damaged_blobs_.contains(id);
}

bool Core::release_ballast() {
  const auto space = parameters.disk.space();
  if (space && space->free_bytes > parameters.sizes.segment_bytes) return false;  // It failed for another reason.
  full = true;
  low_space = true;
  const std::lock_guard lock(ballast_mutex_);
  const auto there = parameters.disk.exists(ballast_path);
  if (!there || !*there) return false;
  const bool removed_now = parameters.disk.remove(ballast_path).has_value();
  parameters.scope.event("store_ballast_released").level(observe::Level::error).field("removed", removed_now ? 1 : 0);
  return removed_now;
}

void Core::watch_space(bool restore_ballast) {
  const auto space = parameters.disk.space();
  if (!space) return;
  const std::uint64_t mark = std::min(parameters.sizes.low_space_bytes, space->total_bytes / 20);
  const bool low = space->free_bytes < mark;
  if (low != low_space.exchange(low)) {
    parameters.scope.event(low ? "store_space_low" : "store_space_good").field("free_bytes", space->free_bytes);
  }
  if (low) return;
  const std::lock_guard lock(ballast_mutex_);
  full = false;
  if (!restore_ballast) return;
  if (parameters.sizes.ballast_bytes == 0 || space->free_bytes < mark + parameters.sizes.ballast_bytes) return;
  const auto there = parameters.disk.exists(ballast_path);
  if (!there || *there) return;
  auto file = parameters.disk.open(ballast_path, world::Disk::Mode::create);
  if (!file || !(*file)->reserve(parameters.sizes.ballast_bytes)) {
    static_cast<void>(parameters.disk.remove(ballast_path));
  }
}

Statistics Core::statistics() const {
  Statistics out;
  out.open_segments = static_cast<std::uint32_t>(open_files->open());
  for (const auto& segment : segments.all()) {
    ++out.segments;
    out.log_bytes += segment->durable();
  }
  for (const auto& [number, live] : applier->live()) out.live_bytes += live.bytes;
  out.dead_bytes = out.log_bytes - std::min(out.log_bytes, out.live_bytes);
  const Position end = log->synced();
  const Position on_disk = Position::from(flushed.load());
  const Position snapshot = log->snapshot().of;
  out.end_segment = end.segment, out.end_offset = end.offset;
  out.index_segment = on_disk.segment, out.index_offset = on_disk.offset;
  out.index_waiting_bytes = index->waiting_bytes();
  out.snapshot_segment = snapshot.segment, out.snapshot_offset = snapshot.offset;
  out.commits = commits.load(), out.groups = groups.load();
  out.compacted_segments = compacted.load(), out.removed_segments = removed.load();
  out.replayed_bytes = replayed_bytes;
  out.rebuilt = rebuilt;
  return out;
}

}  // namespace facteur::store
