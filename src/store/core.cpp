#include "store/core.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "crypto/crc32c.hpp"
#include "store/key.hpp"

namespace facteur::store {

namespace {
constexpr std::string_view ballast_path = "ballast/ballast";
}

Submission::Record Submission::record(RecordType type, std::string name, std::string octets) {
  const std::uint32_t checksum = crypto::crc32c(octets, name.empty() ? 0 : crypto::crc32c(name));
  return {.type = type, .name = std::move(name), .octets = std::move(octets), .checksum = checksum, .placed = {}};
}

std::size_t Submission::bytes() const {
  std::size_t sum = 0;
  for (const Record& record : records) sum += record_header_bytes + record.name.size() + record.octets.size();
  return sum;
}

// ---- the queue

void Core::enter(const std::shared_ptr<Core>& self, std::shared_ptr<Submission> submission) {
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(submission));
    if (std::exchange(running_, true)) return;
  }
  parameters.shards.offload(world::Shards::Lane::log, [self] { self->run_group(self); });
}

Core::Group Core::take_group() {
  const std::lock_guard lock(queue_mutex_);
  Group group;
  std::size_t bytes = 0;
  while (!queue_.empty() && group.size() < parameters.sizes.group_commits) {
    const std::size_t next = queue_.front()->bytes();
    if (!group.empty() && bytes + next > parameters.sizes.group_bytes) break;
    bytes += next;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

Result<void> Core::admit(const Submission& submission) const {
  if (submission.refused) return std::unexpected(*submission.refused);
  if (index_failed.load() || (log && log->broken())) {
    return failure(Failure::Kind::temporary, "F-2050", "The store cannot write until it is started again",
                   index_failed.load() ? "the index has failed" : "a sync of the log has failed");
  }
  // DECISIONS.md 13: while the index cannot be written, commits go on up to what the next start may have to replay.
  if (!submission.records.empty() && index_behind()) {
    return failure(Failure::Kind::temporary, "F-2070", "The index cannot be written now", "too much waits for it");
  }
  for (const auto& chain : submission.chains) {
    if (chain->broken) {
      return failure(Failure::Kind::temporary, "F-2069", "The change before this one could not be made",
                     "built on a failed commit");
    }
  }
  if (submission.needs_room && full.load()) {
    return failure(Failure::Kind::temporary, "F-2051", "No room for new mail", "the disk is full");
  }
  return {};
}

void Core::run_group(const std::shared_ptr<Core>& self) {
  Group group = take_group();
  Group admitted;
  for (const auto& submission : group) {
    submission->outcome = admit(*submission);
    if (submission->outcome) {
      admitted.push_back(submission);
    } else {
      for (const auto& chain : submission->chains) chain->broken = true;
    }
  }
  if (!admitted.empty()) {
    if (auto written = write_group(admitted); !written) {
      parameters.scope.event("store_group_failed").failure(written.error()).field("commits", admitted.size());
      for (const auto& submission : admitted) {
        submission->outcome = written;
        for (const auto& chain : submission->chains) chain->broken = true;
      }
    }
  }
  admitted.clear();
  resume_all(parameters.shards, std::move(group));
  const std::lock_guard lock(queue_mutex_);
  running_ = !queue_.empty();
  if (running_) parameters.shards.offload(world::Shards::Lane::log, [self] { self->run_group(self); });
}

// A body that the store has already is not written again.
void Core::skip_existing(Submission& submission, std::unordered_set<BlobId>& in_group) {
  if (submission.verbatim) return;
  for (Submission::Record& record : submission.records) {
    if (record.type != RecordType::body) continue;
    const BlobId id = BlobId::from(record.name);
    bool there = in_group.contains(id);
    if (!there) {
      const auto value = index->latest().get(blob_key(id));
      record.known_absent = value && !*value;
      there = value && *value && !is_quarantined(id);
    }
    if (there) {
      record.type = RecordType::existing;
      record.octets.clear();
      record.checksum = crypto::crc32c(record.name);
    } else {
      in_group.insert(id);
    }
  }
}

Result<void> Core::write_group(const Group& group) {
  std::unordered_set<BlobId> in_group;
  std::vector<LogRecord> records;
  bool durable = false;
  for (const auto& submission : group) {
    skip_existing(*submission, in_group);
    durable = durable || submission->durable;
    for (const auto& record : submission->records) {
      records.push_back({record.type, record.name, record.octets, record.checksum, {}});
    }
  }
  const std::int64_t time_ms = parameters.clock.utc().milliseconds;
  if (auto written = log->write(records, time_ms); !written) return written;
  std::size_t at = 0;
  const auto segment = segments.find(log->end().segment);
  for (const auto& submission : group) {
    for (auto& record : submission->records) record.placed = records[at++].placed;
    if (submission->pins) submission->pins->add(segment);
  }
  if (!durable) return {};
  if (auto synced = log->sync(); !synced) return synced;
  ++groups;
  last_group_ms.store(parameters.clock.now().nanoseconds / 1'000'000);
  marked.store(records.empty());  // A group without records is the marker itself.
  return apply_group(group, time_ms);
}

Result<void> Core::apply_group(const Group& group, std::int64_t time_ms) {
  applier->begin(time_ms);
  std::uint64_t bytes = 0;
  bool marker = false;
  for (const auto& submission : group) {
    bytes += submission->bytes();
    if (!submission->durable) continue;
    marker = marker || submission->records.empty();
    ++commits;
    if (auto applied = apply_submission(*submission); !applied) {
      index_failed = true;
      return applied;
    }
  }
  log_bytes_since_flush += bytes;
  auto applied = applier->end(log->end());
  if (!applied) index_failed = true;
  if (applied) watch_index(marker);
  return applied;
}

bool Core::index_behind() const { return index && index->waiting_bytes() > parameters.sizes.flush_bytes; }

// A marker comes from the background now and then (maintenance.cpp): the moment to try again.
void Core::watch_index(bool retry) {
  const std::uint64_t waiting = index->waiting_bytes();
  if (waiting == 0 && !index_waits_) return;
  auto recovered = waiting > 0 && retry ? index->recover() : Result<void>{};
  const bool waits = index->waiting_bytes() > 0;
  if (waits != index_waits_ || !recovered) {
    auto event = parameters.scope.event(waits ? "store_index_waits" : "store_index_caught_up");
    if (waits) event.level(observe::Level::error);
    if (!recovered) event.failure(recovered.error());
    event.field("waiting_bytes", waiting);
  }
  index_waits_ = waits;
}

Result<void> Core::apply_submission(const Submission& submission) {
  Result<void> done;
  for (const auto& record : submission.records) {
    switch (record.type) {
      case RecordType::body:
        if (!record.known_absent) forgive(BlobId::from(record.name));
        applier->body({record.placed, static_cast<std::uint32_t>(record.octets.size())}, record.known_absent);
        break;
      case RecordType::existing:
        applier->existing();
        break;
      case RecordType::transaction:
        operation_bytes_since_snapshot += record.octets.size();
        done = applier->transaction(record.octets);
        break;
      case RecordType::move:
        done = applier->move(record.octets);
        break;
      case RecordType::drop:
        done = applier->drop(record.octets);
        break;
      case RecordType::snapshot_end:
        done = applier->snapshot_end(record.placed, record.octets);
        break;
      case RecordType::chunk:
      case RecordType::snapshot:
        break;
    }
    if (!done) return done;
  }
  return done;
}

// ---- content

namespace {

// A record of a blob's octets, whole, at its place: of this blob, or a chunk.
bool is_body(Bytes record, const Segment& segment, std::uint32_t offset, const BlobId& id) {
  const auto header = decode_record_header(record, segment.header().nonce, offset);
  const Bytes payload = record.substr(record_header_bytes);
  return header && header->length == payload.size() && crypto::crc32c(payload) == header->checksum &&
         (header->type != RecordType::body || payload.starts_with(id.bytes()));
}

}  // namespace

Result<Content> Core::read_pieces(const Location& location, const BlobId& id, Position& at) {
  struct Held {
    std::vector<std::shared_ptr<Segment>> segments;
    std::vector<std::unique_ptr<std::string>> copies;
  };
  auto held = std::make_shared<Held>();
  std::vector<Bytes> octets;
  octets.reserve(location.pieces.size());
  for (const Piece& piece : location.pieces) {
    at = piece.at;
    auto segment = segments.find(piece.at.segment);
    if (!segment) return failure(Failure::Kind::closed, "F-2052", "A stored message has moved", to_string(piece.at));
    const std::uint32_t length = record_header_bytes + name_octets + piece.length;
    std::string copy;
    auto record = segment->octets(piece.at.offset, length, copy);
    if (!record) return failed(record);
    bool whole = is_body(*record, *segment, piece.at.offset, id);
    if (!whole && copy.empty()) {
      // In mapped memory, what the disk could not read looks like zeros: asked again, it says so, or gives it.
      record = segment->octets_by_read(piece.at.offset, length, copy);
      if (!record) return failed(record);
      whole = is_body(*record, *segment, piece.at.offset, id);
    }
    if (!whole) {
      segment->damaged = true;
      return failure(Failure::Kind::corrupt, "F-2053", "A stored message is damaged",
                     to_string(piece.at) + ": its checksum does not fit");
    }
    if (!copy.empty()) {
      held->copies.push_back(std::make_unique<std::string>(std::move(copy)));
      record = Bytes(*held->copies.back());
    }
    if (piece.length > 0) octets.push_back(record->substr(record_header_bytes + name_octets));
    if (held->segments.empty() || held->segments.back() != segment) held->segments.push_back(std::move(segment));
  }
  return Content(std::move(held), std::move(octets));
}

Result<std::optional<Content>> Core::content(const BlobId& id) {
  // Compaction may move the blob between the two look-ups: then its new place is in the index already.
  constexpr int tries = 8;
  for (int i = 0;; ++i) {
    auto value = index->latest().get(blob_key(id));
    if (!value) return failed(value);
    if (!*value) return std::nullopt;
    const auto location = decode_location(**value);
    if (!location) {
      return failure(Failure::Kind::corrupt, "F-2054", "A stored message is damaged",
                     "location of " + to_hex(id.bytes()));
    }
    Position at;
    auto content = read_pieces(*location, id, at);
    if (content) return std::optional(std::move(*content));
    if (content.error().kind == Failure::Kind::closed && i + 1 < tries) continue;
    if (content.error().kind == Failure::Kind::corrupt || content.error().kind == Failure::Kind::closed) {
      quarantine_blob(id, at, content.error());
      content.error().kind = Failure::Kind::corrupt;
    }
    return failed(content);
  }
}

// The hint: segment, offset and length of the only piece.
std::string Core::place_of(const BlobId& id) const {
  const auto value = index->latest().get(blob_key(id));
  const auto location = value && *value ? decode_location(**value) : std::nullopt;
  if (!location || location->pieces.size() != 1) return {};
  const Piece& piece = location->pieces.front();
  return Key().u32(piece.at.segment).u32(piece.at.offset).u32(piece.length).take();
}

Result<std::optional<Content>> Core::content_near(const BlobId& id, Bytes hint) {
  Parser in(hint);
  Location location;
  Piece piece;
  piece.at.segment = in.u32();
  piece.at.offset = in.u32();
  piece.length = in.u32();
  if (!in.done() || piece.at.segment == 0) return content(id);
  const auto segment = segments.find(piece.at.segment);
  const std::uint64_t end = std::uint64_t{piece.at.offset} + record_bytes(piece);
  if (!segment || end > segment->durable()) return content(id);
  std::string copy;
  const auto length = static_cast<std::uint32_t>(record_bytes(piece));
  auto record = segment->octets(piece.at.offset, length, copy);
  if (!record) return content(id);
  const auto header = decode_record_header(*record, segment->header().nonce, piece.at.offset);
  const Bytes payload = record->substr(record_header_bytes);
  const bool right = header && header->type == RecordType::body && header->length == payload.size() &&
                     payload.starts_with(id.bytes()) && crypto::crc32c(payload) == header->checksum;
  if (!right) return content(id);  // Which also reports what is damaged.
  if (!copy.empty()) return Content::copy_of(std::string(payload.substr(name_octets)));
  std::vector<Bytes> octets;
  if (piece.length > 0) octets.push_back(payload.substr(name_octets));
  return Content(segment, std::move(octets));
}

// ---- health, quarantine, room

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
