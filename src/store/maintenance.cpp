#include "store/maintenance.hpp"

#include <algorithm>

#include "store/compaction.hpp"
#include "store/key.hpp"
#include "store/snapshot.hpp"

namespace facteur::store {

namespace {

constexpr std::string_view rebuild_path = "log/rebuild-index";

Result<void> report(Core& core, std::string_view event, Result<void> result) {
  if (!result) core.parameters.scope.event(event).failure(result.error());
  return result;
}

// An empty group behind the last one says that the last one was durable: damage there is known as rot from now on.
Task<Result<void>> mark(std::shared_ptr<Core> core) {
  // While changes wait for the index, each marker is an attempt to bring them in.
  if (core->marked.load() && core->index->waiting_bytes() == 0) co_return Result<void>{};
  auto marker = std::make_shared<Submission>();
  co_return co_await submit(core, marker);
}

Result<void> flush_index(Core& core) {
  const auto before = read_position(core.index->latest());
  core.log_bytes_since_flush = 0;
  if (auto flushed = core.index->flush(); !flushed) return flushed;
  if (before) core.flushed = before->position.number();
  return {};
}

// ---- unneeded blobs

constexpr std::size_t looked_at_once = 256;

struct Unneeded {
  std::vector<Drop> drops;
  std::string next;  // Empty: all were seen.
};

Result<Unneeded> find_unneeded(Core& core, const std::string& from) {
  Unneeded found;
  const Bytes prefix(&unneeded_subspace, 1);
  const auto grace_ms = std::chrono::duration_cast<std::chrono::milliseconds>(core.parameters.grace).count();
  const std::int64_t before = core.parameters.clock.utc().milliseconds - grace_ms;
  std::vector<BlobId> ids;
  auto scanned = core.index->latest().scan(from.empty() ? prefix : Bytes(from), behind(prefix), [&](Bytes key, Bytes) {
    if (ids.size() >= looked_at_once) {
      found.next = std::string(key);
      return false;
    }
    ids.push_back(BlobId::from(key.substr(1)));
    return true;
  });
  if (!scanned) return failed(scanned);
  for (const BlobId& id : ids) {
    // What is gone or needed again only loses its mark: that is decided when the drop is applied.
    const auto location = core.applier->location(id);
    const std::int64_t stored = location ? location->stored_ms : 0;
    if (stored <= before) found.drops.push_back({id, stored});
  }
  return found;
}

Task<Result<void>> drop_unneeded(std::shared_ptr<Core> core, std::string& next, bool all) {
  do {
    auto look = [core, next] { return find_unneeded(*core, next); };
    auto found = co_await on_pool(core, std::move(look));
    if (!found) co_return failed(found);
    next = std::move(found->next);
    if (found->drops.empty()) continue;
    auto submission = std::make_shared<Submission>();
    for (const Drop& drop : found->drops) {
      submission->records.push_back(Submission::record(RecordType::drop, {}, encode(drop)));
    }
    auto dropped = co_await submit(core, submission);
    if (!dropped) co_return dropped;
  } while (all && !next.empty());
  co_return Result<void>{};
}

// ---- segments

// Operations below this are in the newest snapshot and in the index on disk (DECISIONS.md 9).
std::uint32_t first_needed(const Core& core) {
  const SnapshotPlace snapshot = core.log->snapshot();
  const Position flushed = Position::from(core.flushed.load());
  return std::min({snapshot.begin.segment, snapshot.of.segment, flushed.segment});
}

// A snapshot is as large as the index: the next one waits until there is more to be saved by it than it costs.
bool snapshot_due(const Core& core, bool thorough) {
  const EngineSizes& sizes = core.parameters.sizes;
  const SnapshotPlace newest = core.log->snapshot();
  const std::uint32_t of = newest.of.segment;
  const std::uint32_t now = core.log->synced().segment;
  const std::uint32_t span = newest.end.segment - newest.begin.segment;  // Segments it went through.
  const std::uint64_t its_bytes = std::uint64_t{span} * sizes.segment_bytes + newest.end.offset -
                                  std::min<std::uint64_t>(newest.begin.offset, newest.end.offset);
  if (core.operation_bytes_since_snapshot.load() >= std::max(sizes.snapshot_bytes, its_bytes)) return true;
  if (now >= of + sizes.snapshot_segments + 2 * span) return true;
  // Dead octets above the newest snapshot cannot be freed before the next one.
  const auto live = core.applier->live();
  std::uint64_t dead = 0;
  for (const auto& segment : core.segments.all()) {
    if (segment->number() < of || !segment->sealed()) continue;
    const auto found = live.find(segment->number());
    const std::uint64_t needed = found == live.end() ? 0 : found->second.bytes;
    dead += segment->durable() - std::min<std::uint64_t>(segment->durable(), needed);
  }
  // The snapshot itself lies there, too.
  return dead > (thorough ? 0 : std::uint64_t{4} * sizes.segment_bytes + 2 * its_bytes);
}

std::shared_ptr<Segment> worth_compacting(const Core& core, const std::set<std::uint32_t>& seen) {
  const std::uint32_t needed = first_needed(core);
  const auto live = core.applier->live();
  for (const auto& segment : core.segments.all()) {
    if (!segment->sealed() || segment->damaged || segment->number() >= needed || seen.contains(segment->number()))
      continue;
    const auto found = live.find(segment->number());
    if (found == live.end()) continue;
    if (found->second.bytes * 100 < std::uint64_t{segment->durable()} * core.parameters.sizes.compact_below_percent) {
      return segment;
    }
  }
  return nullptr;
}

// Its file becomes the next segment's: its blocks are there already. Otherwise it goes.
Result<void> retire(Core& core, std::uint32_t number) {
  auto& disk = core.parameters.disk;
  const std::string path = segment_path(number);
  const bool reuse = core.parameters.sizes.zero_fill && !core.log->has_spare() && !core.low_space.load();
  auto gone = reuse ? disk.rename(path, Log::spare_path) : disk.remove(path);
  if (!gone) return gone;
  // Durable before the file is written again: the name of the old segment must not come back with a new one's octets.
  if (auto synced = disk.sync_directory("log"); !synced) return synced;
  if (reuse) core.log->spare_ready();
  ++core.removed;
  return {};
}

Result<void> remove_dead_segments(Core& core) {
  const std::uint32_t needed = first_needed(core);
  const auto live = core.applier->live();
  for (const std::uint32_t number : core.segments.numbers()) {
    if (number >= needed) break;
    if (live.contains(number)) continue;
    // What a damaged record was to file may be in it, and nowhere else: it stays until that was looked for.
    if (const auto segment = core.segments.find(number); segment && segment->damaged) continue;
    if (!core.segments.take_unused(number)) continue;  // Somebody reads in it: next time.
    if (auto gone = retire(core, number); !gone) return gone;
    core.parameters.scope.event("store_segment_removed").field("segment", number);
  }
  return {};
}

// Zeros for the next segment, once the current one is half full. They make a sync faster, which pays while few commits
// share one; under load each octet of the log would only be written twice.
Result<void> prepare_spare(Core& core) {
  constexpr std::uint64_t few = 2;
  const EngineSizes& sizes = core.parameters.sizes;
  const std::uint64_t commits = core.commits.load() - std::exchange(core.commits_seen, core.commits.load());
  const std::uint64_t groups = core.groups.load() - std::exchange(core.groups_seen, core.groups.load());
  if (commits > few * groups) return {};
  if (!sizes.zero_fill || core.log->has_spare() || core.low_space.load()) return {};
  if (core.log->synced().offset < sizes.segment_bytes / 2) return {};
  auto& disk = core.parameters.disk;
  auto file = disk.open(Log::spare_path, world::Disk::Mode::create_new);
  if (!file) return failed(file);
  auto ready = (*file)->reserve(sizes.segment_bytes);
  if (ready) ready = (*file)->sync();
  if (!ready) {
    // DECISIONS.md 7: a file whose sync has failed is never synced again; a later sync would succeed, and prove
    // nothing.
    static_cast<void>(disk.remove(Log::spare_path));
    return ready;
  }
  core.log->spare_ready();
  return {};
}

// A damaged index is built anew at the next start.
Result<void> note_damage(Core& core) {
  if (!core.index->damaged()) return {};
  auto& disk = core.parameters.disk;
  const auto there = disk.exists(rebuild_path);
  if (there && *there) return {};
  core.quarantine("index", "a read has met damage; it is built anew at the next start");
  auto file = disk.open(rebuild_path, world::Disk::Mode::create);
  if (!file) return failed(file);
  return disk.sync_directory("log");
}

Result<void> housekeeping(Core& core, bool thorough) {
  core.watch_space(true);
  Result<void> done = note_damage(core);
  if (done && (thorough || core.log_bytes_since_flush.load() >= core.parameters.sizes.flush_bytes))
    done = flush_index(core);
  if (done) done = remove_dead_segments(core);
  if (done) done = prepare_spare(core);
  return done;
}

}  // namespace

Task<void> maintain_once(std::shared_ptr<Core> core, Background& background, bool thorough) {
  const auto held = co_await background.turn.take();
  const std::int64_t now_ms = core->parameters.clock.now().nanoseconds / 1'000'000;
  const auto idle_ms = std::chrono::duration_cast<std::chrono::milliseconds>(core->parameters.idle).count();
  const bool retry = core->index->waiting_bytes() > 0;
  if (thorough || retry || now_ms - core->last_group_ms.load() >= idle_ms) {
    static_cast<void>(report(*core, "store_marker_failed", co_await mark(core)));
  }
  auto dropped = co_await drop_unneeded(core, background.next_unneeded, thorough);
  static_cast<void>(report(*core, "store_drop_failed", std::move(dropped)));
  if (snapshot_due(*core, thorough)) {
    auto written = co_await write_snapshot(core);
    static_cast<void>(report(*core, "store_snapshot_failed", std::move(written)));
  }
  auto first = [core, thorough] { return housekeeping(*core, thorough); };
  auto kept = co_await on_pool(core, std::move(first));
  static_cast<void>(report(*core, "store_housekeeping_failed", std::move(kept)));

  std::set<std::uint32_t> seen;
  while (auto segment = worth_compacting(*core, seen)) {
    seen.insert(segment->number());
    auto compacted = co_await compact(core, std::move(segment));
    if (!report(*core, "store_compaction_failed", std::move(compacted)) || !thorough) break;
  }
  if (!seen.empty()) {
    auto again = [core, thorough] { return housekeeping(*core, thorough); };
    auto removed = co_await on_pool(core, std::move(again));
    static_cast<void>(report(*core, "store_housekeeping_failed", std::move(removed)));
  }
}

Task<void> run_background(std::shared_ptr<Core> core, Background& background) {
  while (!background.stopping) {
    const Instant next = core->parameters.clock.now() + core->parameters.interval;
    co_await core->parameters.clock.sleep_until(next, &background.stop);
    if (!background.stopping) co_await maintain_once(core, background, false);
  }
}

Task<void> settle(std::shared_ptr<Core> core) {
  static_cast<void>(report(*core, "store_marker_failed", co_await mark(core)));
  if (!core->parameters.sizes.index_stays) co_return;
  auto flush = [core] { return flush_index(*core); };
  auto flushed = co_await on_pool(core, std::move(flush));
  static_cast<void>(report(*core, "store_flush_failed", std::move(flushed)));
}

}  // namespace facteur::store
