#include "store/start.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "store/folders.hpp"
#include "store/key.hpp"
#include "store/replayer.hpp"
#include "store/segment_reader.hpp"
#include "store/snapshot.hpp"

namespace facteur::store {

namespace {

constexpr std::string_view instance_path = "instance";
constexpr std::uint64_t verified_at_start = 128 << 20;  // A larger index is checked as it is read.
constexpr std::string_view rebuild_path = "log/rebuild-index";

Result<void> make_folders(world::Disk& disk) {
  for (const std::string_view folder : own_folders) {
    if (auto made = disk.create_directory(folder); !made) return made;
  }
  return disk.sync_directory("");
}

Result<std::string> read_whole(world::Disk& disk, std::string_view path) {
  auto file = disk.open(path, world::Disk::Mode::read);
  if (!file) return failed(file);
  std::string text(256, '\0');
  auto read = (*file)->read_at(0, Room(text.data(), text.size()));
  if (!read) return failed(read);
  text.resize(*read);
  return text;
}

Result<void> write_whole(world::Disk& disk, std::string_view path, Bytes text) {
  const std::string fresh = std::string(path) + ".new";
  {
    auto file = disk.open(fresh, world::Disk::Mode::create);
    if (!file) return failed(file);
    if (auto emptied = (*file)->truncate(0); !emptied) return emptied;
    if (auto written = (*file)->write_at(0, text); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
  }
  if (auto named = disk.rename(fresh, path); !named) return named;
  return disk.sync_directory("");
}

// Everything found on the way to a running engine.
class Start {
 public:
  explicit Start(EngineParameters parameters)
      : core_(std::make_shared<Core>(std::move(parameters))), disk_(core_->parameters.disk) {}

  Result<std::shared_ptr<Core>> run() {
    if (auto made = make_folders(disk_); !made) return failed(made);
    if (auto listed = list_segments(); !listed) return failed(listed);
    if (auto known = find_instance(); !known) return failed(known);
    if (auto ended = end_segments(); !ended) return failed(ended);
    if (auto opened = open_index(); !opened) return failed(opened);
    make_log();
    core_->next_snapshot = core_->parameters.random.number();
    core_->watch_space(false);
    return core_;
  }

 private:
  struct Found {
    SegmentHeader header;
    std::unique_ptr<RestingFile> file;
  };

  Result<void> list_segments() {
    for (const std::string_view left : {"log/next", "log/spare"}) {
      auto there = disk_.exists(left);
      if (there && *there) static_cast<void>(disk_.remove(left));
    }
    auto names = disk_.list("log");
    if (!names) return failed(names);
    for (const std::string& name : *names) {
      const auto number = segment_number(name);
      if (!number) continue;
      auto file = std::make_unique<RestingFile>(core_->open_files, disk_, segment_path(*number), nullptr, true);
      auto header = read_segment_header(*file);
      if (!header) return failed(header);
      if (!*header) {
        core_->quarantine(segment_path(*number), "both copies of its header are damaged");
        highest_ = std::max(highest_, *number);
        continue;
      }
      if ((*header)->segment != *number) continue;  // An outlived name of a file that was used again.
      highest_ = std::max(highest_, *number);
      found_[*number] = {**header, std::move(file)};
    }
    return {};
  }

  // The file `instance` names the data directory; the segments know it too.
  Result<void> find_instance() {
    auto there = disk_.exists(instance_path);
    if (!there) return failed(there);
    std::optional<std::string> octets;
    if (*there) {
      auto text = read_whole(disk_, instance_path);
      if (!text) return failed(text);
      octets = from_hex(Bytes(*text).substr(0, 32));
    }
    if (!found_.empty()) {
      const InstanceId& of_log = found_.rbegin()->second.header.instance;
      octets = std::string(of_log.data(), of_log.size());
    }
    const bool made = !octets || octets->size() != core_->instance.size();
    const std::string& expected = core_->parameters.expected_instance;
    if (!expected.empty() && (made || to_hex(*octets) != expected)) {
      // DECISIONS.md 16: an empty or foreign directory where mail was expected, perhaps a disk that is not mounted.
      return failure(Failure::Kind::permanent, "F-2060", "This is not the data directory that the configuration names",
                     "expected instance " + expected + ", found " + (made ? "none" : to_hex(*octets)));
    }
    if (made) {
      octets = std::string(core_->instance.size(), '\0');
      core_->parameters.random.fill(*octets);
    }
    std::ranges::copy(*octets, core_->instance.begin());
    if (*there && !made) return {};
    return write_whole(disk_, instance_path, to_hex(*octets) + "\n");
  }

  // Segments of another instance are not ours to touch. The end of all but the last is in the header of the next.
  Result<void> end_segments() {
    std::erase_if(found_, [&](const auto& entry) {
      const bool foreign = entry.second.header.instance != core_->instance;
      if (foreign) core_->quarantine(segment_path(entry.first), "it belongs to another data directory");
      return foreign;
    });
    for (auto at = found_.begin(); at != found_.end(); ++at) {
      auto& [number, found] = *at;
      epoch_ = std::max(epoch_, found.header.epoch);
      std::uint32_t end = first_group;
      const auto next = std::next(at);
      if (next == found_.end()) {
        auto last = end_last(found);
        if (!last) return failed(last);
        end = *last;
      } else if (next->second.header.previous_end.segment == number) {
        end = next->second.header.previous_end.offset;
      } else if (next->second.header.previous_end.segment > number) {
        // The segment between is lost or damaged: what this one holds must be found by looking.
        auto looked = find_end(*found.file, found.header);
        if (!looked) return failed(looked);
        end = looked->end;
      }
      auto segment = std::make_shared<Segment>(found.header, std::move(found.file), end);
      segment->seal();
      end_ = {number, end};
      core_->segments.add(std::move(segment));
    }
    return {};
  }

  // Whole groups behind the durable end may be in the page cache only: written again and synced before anybody sees
  // them. Nothing is ever appended to this segment.
  Result<std::uint32_t> end_last(const Found& found) {
    auto file = disk_.open(segment_path(found.header.segment), world::Disk::Mode::write);
    if (!file) return failed(file);
    auto end = find_end(**file, found.header);
    if (!end) return failed(end);
    std::string copy;
    constexpr std::uint32_t stride = 1 << 20;
    for (std::uint32_t at = end->durable; at < end->end; at += stride) {
      copy.resize(std::min(stride, end->end - at));
      auto read = (*file)->read_at(at, Room(copy.data(), copy.size()));
      if (!read) return failed(read);
      if (auto written = (*file)->write_at(at, Bytes(copy)); !written) return failed(written);
    }
    if (end->clean) {
      auto size = (*file)->size();
      if (size && *size > end->end) static_cast<void>((*file)->truncate(end->end));
    } else {
      core_->parameters.scope.event("store_tail_cut").field("segment", found.header.segment).field("offset", end->end);
    }
    if (auto synced = (*file)->sync(); !synced) return failed(synced);
    return end->end;
  }

  // ---- the index

  std::unique_ptr<IndexMaker> maker() {
    const EngineParameters& p = core_->parameters;
    if (p.index == IndexKind::rocksdb) return rocksdb_index(p.disk, p.sizes.rocksdb);
    return map_index(p.disk, p.random, p.sizes.map_persist_one_in);
  }

  Result<void> open_index() {
    const auto make = maker();
    auto marked = disk_.exists(rebuild_path);
    Result<void> usable;
    if (marked && *marked) {
      usable = failure(Failure::Kind::corrupt, "F-2061", "The index was found damaged", "marked at run time");
    } else {
      usable = try_index(*make);
    }
    if (usable || usable.error().kind == Failure::Kind::refused) return usable;
    core_->parameters.scope.event("store_index_rebuilt").failure(usable.error());
    core_->rebuilt = true;
    core_->applier = nullptr;
    core_->index = nullptr;
    if (auto removed = make->remove(); !removed) return removed;
    auto opened = make->open();
    if (!opened) return failed(opened);
    core_->index = std::move(*opened);
    if (auto restored = restore(*make); !restored) return restored;
    // Until it is on disk the mark stays: what is there of it is not to be trusted.
    if (!core_->parameters.sizes.index_stays || !core_->index->flush()) return {};
    note_flushed();
    if (marked && *marked) static_cast<void>(disk_.remove(rebuild_path));
    return {};
  }

  Result<void> try_index(IndexMaker& make) {
    auto opened = make.open();
    if (!opened) return failed(opened);
    core_->index = std::move(*opened);
    if (auto verified = core_->index->verify(verified_at_start); !verified) return verified;
    core_->applier = std::make_unique<Applier>(*core_->index, core_->instance);
    const auto position = read_position(core_->index->latest());
    if (!position) {
      // No position: nothing was applied, or all is lost. Both are right only for a log without groups.
      bool anything = !found_.empty();
      auto scanned = core_->index->latest().scan({}, "\xff", [&](Bytes, Bytes) {
        anything = true;
        return false;
      });
      if (!scanned) return scanned;
      if (!anything) return {};
      return failure(Failure::Kind::corrupt, "F-2062", "The index is missing", "it has no position");
    }
    if (position->instance != core_->instance || !replayable_from(position->position)) {
      return failure(Failure::Kind::corrupt, "F-2063", "The index does not fit the log", to_string(position->position));
    }
    core_->flushed = position->position.number();
    place_ = read_snapshot_place(core_->index->latest());
    if (auto loaded = core_->applier->load(); !loaded) return loaded;
    return replay(position->position);
  }

  bool replayable_from(const Position& position) const {
    const auto segment = core_->segments.find(position.segment);
    if (!segment || position.offset < first_group || position.offset > segment->durable()) return false;
    // Segments with operations go only below the newest snapshot, so there is a gap only where the index is too old.
    std::uint32_t next = position.segment;
    for (const std::uint32_t number : core_->segments.numbers()) {
      if (number < position.segment) continue;
      if (number != next && !skipped_number(next, number)) return false;
      next = number + 1;
    }
    return true;
  }

  // A number without a file is fine where the log went on without it: a segment that could not be begun.
  bool skipped_number(std::uint32_t missing, std::uint32_t next) const {
    const auto segment = core_->segments.find(next);
    return segment && segment->header().previous_end.segment < missing;
  }

  // From the newest complete snapshot, or from the very beginning of the log.
  Result<void> restore(IndexMaker& make) {
    SnapshotPlace place = newest_snapshot();
    if (place.of.segment != 0) {
      auto restored = restore_snapshot(core_->segments, place, *core_->index, core_->parameters.sizes.flush_bytes);
      if (!restored && restored.error().kind != Failure::Kind::corrupt) return restored;
      if (!restored) {
        core_->quarantine(to_string(place.begin), "the newest snapshot of the index: " + restored.error().cause);
        core_->index = nullptr;
        if (auto removed = make.remove(); !removed) return removed;
        auto opened = make.open();
        if (!opened) return failed(opened);
        core_->index = std::move(*opened);
        place = {};
      }
    }
    place_ = place;
    core_->applier = std::make_unique<Applier>(*core_->index, core_->instance);
    if (auto loaded = core_->applier->load(); !loaded) return loaded;
    return replay(place.of);
  }

  // The header of the last segment knows the newest one before it; newer ones end in the last segments themselves.
  SnapshotPlace newest_snapshot() {
    class Ends final : public SegmentVisitor {
     public:
      explicit Ends(SnapshotPlace& place) : place_(place) {}
      Result<void> group(const GroupHeader&) override { return {}; }
      Result<void> group_end(const GroupHeader&) override { return {}; }
      Result<void> damage(std::uint32_t, std::uint32_t, std::string) override { return {}; }
      Result<void> record(const Position& at, const RecordHeader& header, Bytes payload, bool whole) override {
        if (header.type != RecordType::snapshot_end || !whole) return {};
        if (const auto end = decode_snapshot_end(payload)) place_ = {end->begin, at, end->of};
        return {};
      }

     private:
      SnapshotPlace& place_;
    };
    SnapshotPlace place;
    const auto all = core_->segments.all();
    for (const auto& segment : all) {
      const SegmentHeader& header = segment->header();
      if (header.snapshot_of > place.of) place = {header.snapshot_begin, header.snapshot_end, header.snapshot_of};
    }
    Ends ends(place);
    for (const auto& segment : all) {
      if (segment->number() < place.end.segment) continue;
      static_cast<void>(walk(segment->file(), segment->header(), segment->durable(), {}, ends));
    }
    return place;
  }

  Result<void> replay(const Position& from);
  void spoiled(const Position& at, const std::string& why);

  void note_flushed() {
    if (const auto position = read_position(core_->index->latest())) core_->flushed = position->position.number();
  }

  void make_log() {
    const EngineParameters& p = core_->parameters;
    core_->log =
        std::make_unique<Log>(Log::Parameters{.disk = p.disk,
                                              .random = p.random,
                                              .segments = core_->segments,
                                              .open_files = core_->open_files,
                                              .instance = core_->instance,
                                              .epoch = epoch_ + 1,
                                              .segment_bytes = p.sizes.segment_bytes,
                                              .zero_fill = p.sizes.zero_fill,
                                              .make_room = [core = core_.get()] { return core->release_ballast(); }},
                              end_, highest_ + 1);
    core_->log->snapshot(place_);
  }

  std::shared_ptr<Core> core_;
  world::Disk& disk_;
  std::map<std::uint32_t, Found> found_;
  std::uint32_t highest_ = 0, epoch_ = 0;
  Position end_;
  SnapshotPlace place_;
};

Result<void> Start::replay(const Position& from) {
  Replayer replayer(*core_->applier, [this](const Position& at, const std::string& why) { spoiled(at, why); });
  constexpr Position end{UINT32_MAX, UINT32_MAX};
  for (const auto& segment : core_->segments.all()) {
    if (auto replayed = replayer.replay(*segment, from, end); !replayed) return replayed;
    // What a living server leaves to be replayed is bounded; all of the log is not.
    if (!core_->rebuilt || core_->index->waiting_bytes() <= core_->parameters.sizes.flush_bytes) continue;
    return failure(Failure::Kind::temporary, "F-2073", "There is no room to make the index anew", "replaying the log");
  }
  core_->replayed_bytes += replayer.bytes();
  core_->operation_bytes_since_snapshot += replayer.operation_bytes();
  if (replayer.newest_snapshot().of.segment != 0) place_ = replayer.newest_snapshot();
  // What was found damaged at an earlier start is still known.
  const Bytes prefix(&damaged_subspace, 1);
  return core_->index->latest().scan(prefix, behind(prefix), [&](Bytes key, Bytes why) {
    spoiled(Position::from(Parser(key.substr(1)).u64()), std::string(why));
    return true;
  });
}

void Start::spoiled(const Position& at, const std::string& why) {
  core_->quarantine(to_string(at), why);
  if (const auto found = core_->segments.find(at.segment)) found->damaged = true;
}

}  // namespace

Result<std::shared_ptr<Core>> start(EngineParameters parameters) { return Start(std::move(parameters)).run(); }

}  // namespace facteur::store
