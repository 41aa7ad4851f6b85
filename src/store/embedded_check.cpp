#include "store/embedded_check.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "store/key.hpp"
#include "store/read_blobs.hpp"
#include "store/segment_reader.hpp"
#include "store/snapshot.hpp"

namespace facteur::store {

namespace {

constexpr std::size_t most_problems = 1000;

// What one segment tells.
class Survey final : public SegmentVisitor {
 public:
  Survey(std::uint32_t segment, const std::set<std::uint64_t>& never_applied)
      : segment_(segment), never_applied_(never_applied) {}

  std::uint64_t records = 0;
  std::vector<std::pair<Position, std::string>> damages;
  std::vector<std::string> lost;  // Bodies before a transaction that was never applied.

  Result<void> group(const GroupHeader&) override {
    bodies_.clear();
    return {};
  }
  Result<void> group_end(const GroupHeader&) override { return {}; }
  Result<void> damage(std::uint32_t from, std::uint32_t, std::string why) override {
    const Position at{segment_, from};
    damages.emplace_back(at, std::move(why));
    if (never_applied_.contains(at.number())) give_up_bodies();
    return {};
  }
  Result<void> record(const Position& at, const RecordHeader& header, Bytes payload, bool whole) override {
    ++records;
    if (!whole) damages.emplace_back(at, "its checksum does not fit");
    if (header.type == RecordType::body) {
      if (whole && payload.size() >= name_octets) bodies_.emplace_back(payload);
    } else if (header.type == RecordType::transaction) {
      if (never_applied_.contains(at.number())) give_up_bodies();
      bodies_.clear();
    }
    return {};
  }

 private:
  void give_up_bodies() {
    for (std::string& body : bodies_) lost.push_back(std::move(body));
    bodies_.clear();
  }

  std::uint32_t segment_;
  const std::set<std::uint64_t>& never_applied_;
  std::vector<std::string> bodies_;  // With their names in front; since the last transaction.
};

std::string kind_of(Bytes key) {
  const auto first = static_cast<unsigned char>(key.front());
  return first < 0x20 ? "0x0" + std::to_string(first) : std::string(1, key.front());
}

}  // namespace

EmbeddedCheck::EmbeddedCheck(std::shared_ptr<Core> core, std::shared_ptr<Background> background, bool repair)
    : core_(std::move(core)), background_(std::move(background)), repair_(repair), live_(core_->index->snapshot()) {
  if (const auto position = read_position(*live_)) until_ = position->position;
  snapshot_ = read_snapshot_place(*live_);
  segments_ = core_->segments.all();
  std::erase_if(segments_, [&](const auto& segment) { return segment->number() > until_.segment; });
  const Bytes prefix(&damaged_subspace, 1);
  static_cast<void>(live_->scan(prefix, behind(prefix), [&](Bytes key, Bytes) {
    never_applied_.insert(Parser(key.substr(1)).u64());
    return true;
  }));
  next_blob_ = blob_key(BlobId{});
  if (core_->rebuilt && !core_->rebuild_told)
    problem("the index was missing or damaged when the store was opened", false);
}

void EmbeddedCheck::problem(std::string what, bool left) {
  if (left && report_.left.size() < most_problems) report_.left.push_back(what);
  if (report_.problems.size() < most_problems) report_.problems.push_back(std::move(what));
}

Task<Result<void>> EmbeddedCheck::step() {
  switch (stage_) {
    case Stage::log:
      return survey();
    case Stage::blobs:
      return read_blobs();
    case Stage::index:
    case Stage::done:
      break;
  }
  return compare_index();
}

// ---- the log

Task<Result<void>> EmbeddedCheck::survey() {
  if (next_segment_ == segments_.size()) {
    stage_ = Stage::blobs;
    co_return Result<void>{};
  }
  const auto segment = segments_[next_segment_++];
  const std::uint32_t number = segment->number();
  const std::uint32_t end = number == until_.segment ? std::min(until_.offset, segment->durable()) : segment->durable();
  const auto found = std::make_shared<Survey>(number, never_applied_);
  // Bodies are checked as blobs; here they are read only where one of them may be lost.
  const auto first = never_applied_.lower_bound(Position{number, 0}.number());
  const bool bodies = first != never_applied_.end() && Position::from(*first).segment == number;
  auto look = [segment, end, bodies, found] {
    return walk(segment->file(), segment->header(), end, {.bodies = bodies}, *found);
  };
  auto walked = co_await on_pool(core_, std::move(look));
  if (!walked) co_return walked;
  ++report_.segments;
  report_.records += found->records;
  report_.log_bytes += end;
  report_.damaged_records += found->damages.size();
  for (const auto& [at, why] : found->damages) {
    const bool applied = !never_applied_.contains(at.number());
    const bool in_snapshot = at >= snapshot_.begin && at <= snapshot_.end;
    // Below the newest snapshot an operation is not needed any more, and bodies are looked at as blobs.
    if (!in_snapshot && applied && at < snapshot_.of) continue;
    if (applied) incomplete_ = true;
    problem(to_string(at) + ": " + why + (applied ? "" : "; what it was to change never happened"), !repair_);
  }
  for (std::string& body : found->lost) {
    const BlobId id = BlobId::from(Bytes(body).substr(0, name_octets));
    std::string octets = body.substr(name_octets);
    const auto there = live_->get(blob_key(id));
    if (there && *there) continue;  // Another transaction has it.
    if (BlobId::from(crypto::sha256(octets).view()) != id) {
      problem("a part of a lost message, " + to_hex(id.bytes()) + ", is in " + segment_path(number), true);
      kept_.insert(number);
      continue;
    }
    problem("a message is in the log, but in no mailbox: " + to_hex(id.bytes()), !repair_);
    lost_bodies_.push_back(std::move(octets));
  }
  co_return Result<void>{};
}

// ---- blobs

Task<Result<void>> EmbeddedCheck::read_blobs() {
  auto look = [core = core_, from = next_blob_] { return read_some_blobs(*core, from); };
  auto seen = co_await on_pool(core_, std::move(look));
  if (!seen) co_return failed(seen);
  report_.blobs += seen->blobs;
  report_.blob_bytes += seen->bytes;
  report_.damaged_blobs += seen->damaged.size();
  for (const auto& [id, why] : seen->damaged) {
    problem("content " + to_hex(id.bytes()) + " cannot be read: " + why, true);
    if (report_.damaged.size() < most_problems) report_.damaged.push_back(id);
  }
  next_blob_ = std::move(seen->next);
  if (next_blob_.empty()) stage_ = Stage::index;
  co_return Result<void>{};
}

// ---- the index

Task<Result<void>> EmbeddedCheck::compare_index() {
  if (stage_ == Stage::done) co_return Result<void>{};
  if (!incomplete_ && until_.segment != 0) {
    if (!comparison_) comparison_ = std::make_shared<IndexComparison>(core_, live_, snapshot_, until_);
    auto advance = [comparison = comparison_, segments = segments_] { return comparison->advance(segments); };
    auto more = co_await on_pool(core_, std::move(advance));
    if (!more && more.error().kind != Failure::Kind::corrupt) co_return failed(more);
    if (more && *more) co_return Result<void>{};
    if (!more) {
      incomplete_ = true;
      problem("the log does not give the index back: " + more.error().cause, !repair_);
    }
    report_.index_keys = comparison_->compared();
    const bool as_the_index = std::ranges::all_of(
        comparison_->spoiled(), [&](const Position& at) { return never_applied_.contains(at.number()); });
    if (!as_the_index) incomplete_ = true;
    if (!incomplete_) {
      auto mended = co_await mend_index();
      if (!mended) co_return mended;
    }
    comparison_ = nullptr;
  }
  if (repair_ && incomplete_) {
    auto written = co_await make_snapshot();
    if (!written) co_return written;
  }
  if (repair_) core_->rebuild_told = true;
  stage_ = Stage::done;
  co_return Result<void>{};
}

Task<Result<void>> EmbeddedCheck::mend_index() {
  report_.different_keys = comparison_->different();
  if (report_.different_keys == 0) co_return Result<void>{};
  std::map<std::string, std::uint64_t> kinds;
  for (const auto& difference : comparison_->differences()) ++kinds[kind_of(difference.key)];
  const bool all = comparison_->differences().size() == comparison_->different();
  for (const auto& [kind, count] : kinds) {
    problem("index: " + std::to_string(count) + " keys of kind " + kind + " are not as the log says", !repair_ || !all);
  }
  if (!repair_) co_return Result<void>{};
  auto write = [core = core_, differences = comparison_->differences()] { return mend(*core, differences); };
  auto skipped = co_await on_lane(core_, world::Shards::Lane::log, std::move(write));
  if (!skipped) co_return failed(skipped);
  if (*skipped > 0) {
    problem("index: " + std::to_string(*skipped) + " keys have changed meanwhile; check again", true);
  }
  auto flush = [core = core_] { return core->index->flush(); };
  co_return co_await on_pool(core_, std::move(flush));
}

// A complete copy of the index behind what is damaged: from now on the log is enough again.
Task<Result<void>> EmbeddedCheck::make_snapshot() {
  const unsigned home = core_->parameters.shards.current();
  co_await world::hop(core_->parameters.shards, 0);
  const auto held = co_await background_->turn.take();
  auto written = co_await write_snapshot(core_);
  co_await world::hop(core_->parameters.shards, home);
  co_return written;
}

// The marks go; and a snapshot comes behind the damage, so that a replay never finds it again.
Task<Result<void>> EmbeddedCheck::settle() {
  // Parts of a message stay in the log, and their segment is known as damaged, so that they are not cleared away.
  std::erase_if(never_applied_, [&](std::uint64_t number) { return kept_.contains(Position::from(number).segment); });
  if (never_applied_.empty()) co_return Result<void>{};
  auto forget = [core = core_, positions = never_applied_]() -> Result<void> {
    for (const std::uint64_t at : positions) core->index->remove(Key(damaged_subspace).u64(at));
    return core->index->apply();
  };
  auto forgotten = co_await on_lane(core_, world::Shards::Lane::log, std::move(forget));
  if (!forgotten) co_return forgotten;
  auto written = co_await make_snapshot();
  if (!written) co_return written;
  for (const std::uint64_t number : never_applied_) {
    const Position at = Position::from(number);
    core_->forgive(to_string(at));
    if (const auto segment = core_->segments.find(at.segment)) segment->damaged = false;
  }
  co_return Result<void>{};
}

}  // namespace facteur::store
