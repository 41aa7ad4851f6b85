#include "store/index_comparison.hpp"

#include <algorithm>

#include "store/folders.hpp"
#include "store/key.hpp"
#include "store/snapshot.hpp"

namespace facteur::store {

namespace {

constexpr std::string_view folder = check_folder;
constexpr std::size_t keys_at_once = 20'000;
constexpr std::size_t most_differences = 100'000;

std::unique_ptr<IndexMaker> second_index(const Core& core) {
  const EngineParameters& p = core.parameters;
  if (p.index == IndexKind::rocksdb) return rocksdb_index(p.disk, p.sizes.rocksdb, std::string(folder), false);
  return map_index(p.disk, p.random, 0, std::string(folder));
}

// A second index must not take the room that new mail needs.
Result<void> room_for_it(const Core& core) {
  world::Disk& disk = core.parameters.disk;
  const auto space = disk.space();
  const auto names = disk.list("index");
  if (!space || !names) return {};  // Not known: the index itself says when it cannot be written.
  std::uint64_t needed = std::min(core.parameters.sizes.low_space_bytes, space->total_bytes / 20);
  for (const std::string& name : *names) {
    auto file = disk.open("index/" + name, world::Disk::Mode::read);
    if (auto size = file ? (*file)->size() : Result<std::uint64_t>(0)) needed += *size;
  }
  if (space->free_bytes >= needed) return {};
  return failure(Failure::Kind::temporary, "F-2072", "There is no room for the second index that a check needs",
                 std::to_string(needed) + " octets");
}

struct Some {
  std::vector<std::pair<std::string, std::string>> keys;
  bool more = false;
};
Result<Some> read_some(const Reader& reader, Bytes from) {
  Some some;
  auto scanned = reader.scan(from, "\xff\xff\xff\xff", [&](Bytes key, Bytes value) {
    some.more = some.keys.size() == keys_at_once;
    if (!some.more) some.keys.emplace_back(key, value);
    return !some.more;
  });
  if (!scanned) return failed(scanned);
  return some;
}

// What a replay finds damaged is noted in its index only.
bool matters(Bytes key) { return key.front() != damaged_subspace; }

}  // namespace

IndexComparison::IndexComparison(std::shared_ptr<Core> core, std::shared_ptr<const Reader> live,
                                 const SnapshotPlace& from, const Position& until)
    : core_(std::move(core)), live_(std::move(live)), from_(from), until_(until) {}

IndexComparison::~IndexComparison() {
  replayer_ = nullptr;
  applier_ = nullptr;
  index_ = nullptr;
  if (!maker_) return;
  static_cast<void>(maker_->remove());
}

Result<void> IndexComparison::begin() {
  if (auto room = room_for_it(*core_); !room) return room;
  maker_ = second_index(*core_);
  if (auto removed = maker_->remove(); !removed) return removed;  // One that a crash has left.
  auto opened = maker_->open();
  if (!opened) return failed(opened);
  index_ = std::move(*opened);
  if (from_.of.segment != 0) {
    if (auto restored = restore_snapshot(core_->segments, from_, *index_, 0); !restored) return restored;
  }
  applier_ = std::make_unique<Applier>(*index_, core_->instance);
  if (auto loaded = applier_->load(); !loaded) return loaded;
  auto note = [this](const Position& at, const std::string&) { spoiled_.push_back(at); };
  replayer_ = std::make_unique<Replayer>(*applier_, std::move(note));
  return {};
}

Result<bool> IndexComparison::advance(const std::vector<std::shared_ptr<Segment>>& segments) {
  if (!replayer_) {
    if (auto begun = begin(); !begun) return failed(begun);
    return true;
  }
  if (next_ < segments.size()) {
    if (auto replayed = replayer_->replay(*segments[next_++], from_.of, until_); !replayed) return failed(replayed);
    return true;
  }
  return compare();
}

Result<bool> IndexComparison::compare() {
  auto live = read_some(*live_, cursor_);
  if (!live) return failed(live);
  auto log = read_some(index_->latest(), cursor_);
  if (!log) return failed(log);
  // Up to where both are read.
  std::optional<std::string> last;
  for (const Some* some : {&*live, &*log}) {
    if (some->more && (!last || some->keys.back().first < *last)) last = some->keys.back().first;
  }
  auto a = live->keys.begin();
  auto b = log->keys.begin();
  const auto inside = [&](const auto& at, const Some& some) {
    return at != some.keys.end() && (!last || at->first <= *last);
  };
  while (inside(a, *live) || inside(b, *log)) {
    const bool in_live = inside(a, *live) && (!inside(b, *log) || a->first <= b->first);
    const bool in_log = inside(b, *log) && (!inside(a, *live) || b->first <= a->first);
    const std::string& key = in_live ? a->first : b->first;
    ++compared_;
    if (matters(key) && (!in_live || !in_log || a->second != b->second)) {
      differ(key, in_live ? std::optional(a->second) : std::nullopt, in_log ? std::optional(b->second) : std::nullopt);
    }
    if (in_live) ++a;
    if (in_log) ++b;
  }
  if (!last) return false;
  cursor_ = *last + '\0';
  return true;
}

void IndexComparison::differ(std::string key, std::optional<std::string> live, std::optional<std::string> log) {
  ++different_;
  if (differences_.size() < most_differences) differences_.push_back({std::move(key), std::move(live), std::move(log)});
}

namespace {

void put(Index& index, Bytes key, const std::optional<std::string>& value) {
  if (value) {
    index.put(key, *value);
  } else {
    index.remove(key);
  }
}

// Commits since the comparison have added to the wrong sum, and taken from it.
std::optional<std::string> corrected(const std::optional<std::string>& now, const IndexDifference& difference) {
  const Live is = read_live(now), was = read_live(difference.live), right = read_live(difference.log);
  const auto sum = [](std::uint64_t a, std::uint64_t b, std::uint64_t c) { return a + c < b ? 0 : a + c - b; };
  const Live live{sum(is.bytes, was.bytes, right.bytes), sum(is.records, was.records, right.records)};
  return live.records == 0 ? std::nullopt : std::optional(write_live(live));
}

}  // namespace

Result<std::uint64_t> mend(Core& core, const std::vector<IndexDifference>& differences) {
  std::uint64_t left = 0;
  for (const IndexDifference& difference : differences) {
    auto now = core.index->latest().get(difference.key);
    if (!now) return failed(now);
    if (difference.key.front() == live_subspace) {
      put(*core.index, difference.key, corrected(*now, difference));
    } else if (*now == difference.live) {
      put(*core.index, difference.key, difference.log);
    } else {
      ++left;  // Changed since, by a commit that may have been built on what was wrong.
    }
  }
  if (auto applied = core.index->apply(); !applied) return failed(applied);
  if (auto loaded = core.applier->load(); !loaded) return failed(loaded);
  return left;
}

}  // namespace facteur::store
