#include "store/core.hpp"

#include "crypto/crc32c.hpp"

namespace facteur::store {

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
  const std::size_t together = group.size();
  resume_all(parameters.shards, std::move(group));
  prepare_next(together);
  const std::lock_guard lock(queue_mutex_);
  running_ = !queue_.empty();
  if (running_) parameters.shards.offload(world::Shards::Lane::log, [self] { self->run_group(self); });
}

// Zeros ahead of the log make a sync faster, which pays while few commits share one; under load each octet of the log
// would only be written twice.
void Core::prepare_next(std::size_t together) {
  constexpr std::size_t few = 2;
  crowd_ = crowd_ - crowd_ / 8 + together;
  if (crowd_ >= 8 * (few + 1) || low_space.load()) return;
  {
    const std::lock_guard lock(queue_mutex_);
    if (!queue_.empty()) return;
  }
  log->write_zeros_ahead();
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

}  // namespace facteur::store
