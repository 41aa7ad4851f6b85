#include "store/snapshot.hpp"

#include <zstd.h>

#include "base/assert.hpp"

#include "store/applier.hpp"
#include "store/key.hpp"
#include "store/segment_reader.hpp"

namespace facteur::store {

namespace {

constexpr std::size_t part_bytes = 256 << 10;     // Before compression.
constexpr std::size_t largest_part = 256U << 20;  // One value may be larger than a part.
constexpr Bytes after_all = "\xff\xff\xff\xff";

std::string compressed(Bytes plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1);
  ASSERT(!ZSTD_isError(size));
  out.resize(size);
  return out;
}

std::optional<std::string> decompressed(Bytes packed) {
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size > largest_part) return std::nullopt;  // Also the values that mean "unknown" and "error".
  std::string out(static_cast<std::size_t>(size), '\0');
  const std::size_t got = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) || got != out.size()) return std::nullopt;
  return out;
}

struct Part {
  std::string payload;  // Compressed.
  std::string next;     // The key to go on with.
  std::uint64_t keys = 0;
  bool last = false;
};

Result<Part> read_part(const Reader& reader, const std::string& from) {
  Part part;
  Key plain;
  part.last = true;
  auto scanned = reader.scan(from, after_all, [&](Bytes key, Bytes value) {
    if (plain.text().size() >= part_bytes) {
      part.next = std::string(key);
      part.last = false;
      return false;
    }
    plain.string(key).string(value);
    ++part.keys;
    return true;
  });
  if (!scanned) return failed(scanned);
  part.payload = compressed(plain);
  return part;
}

class PartsVisitor final : public SegmentVisitor {
 public:
  PartsVisitor(Index& index, const SnapshotPlace& place, std::uint64_t most_waiting)
      : index_(index), place_(place), most_waiting_(most_waiting) {}

  Result<void> group(const GroupHeader&) override { return {}; }
  Result<void> group_end(const GroupHeader&) override { return {}; }
  Result<void> damage(std::uint32_t, std::uint32_t, std::string) override { return {}; }  // Missing parts are noticed.

  Result<void> record(const Position& at, const RecordHeader& header, Bytes payload, bool whole) override {
    if (done_ || at < place_.begin || at > place_.end || !whole) return {};
    if (header.type == RecordType::snapshot_end && at == place_.end) {
      const auto end = decode_snapshot_end(payload);
      done_ = true;
      complete_ = end && number_ && *number_ == end->number && parts_ == end->parts && keys_ == end->keys;
      return {};
    }
    if (header.type != RecordType::snapshot) return {};
    Parser p(payload);
    const std::uint64_t number = p.u64();
    const std::uint32_t part = p.u32();
    if (at == place_.begin) number_ = number;
    if (!p.ok() || number_ != number || part != parts_) return {};  // Of a snapshot that was given up.
    return put(p.rest());
  }
  bool complete() const { return complete_; }
  // Last of all, since whoever finds a position takes the index for complete up to it: what the index writes by itself
  // before a crash is a beginning of what it was given.
  Result<void> give_position() {
    if (position_) index_.put(position_key, *position_);
    return index_.apply();
  }

 private:
  Result<void> put(Bytes packed) {
    const auto plain = decompressed(packed);
    if (!plain) return {};
    Parser p(*plain);
    while (p.ok() && !p.rest().empty()) {
      const Bytes key = p.string();
      const Bytes value = p.string();
      if (!p.ok()) break;
      if (key == position_key) {
        position_ = std::string(value);
      } else {
        index_.put(key, value);
      }
      ++keys_;
    }
    ++parts_;
    if (auto applied = index_.apply(); !applied) return applied;
    if (index_.waiting_bytes() <= most_waiting_) return {};
    return failure(Failure::Kind::temporary, "F-2071", "There is no room to make the index anew",
                   "restoring a snapshot");
  }

  Index& index_;
  SnapshotPlace place_;
  std::uint64_t most_waiting_;
  std::optional<std::uint64_t> number_;
  std::uint32_t parts_ = 0;
  std::uint64_t keys_ = 0;
  bool done_ = false, complete_ = false;
  std::optional<std::string> position_;
};

}  // namespace

Task<Result<void>> write_snapshot(std::shared_ptr<Core> core) {
  const std::shared_ptr<const Reader> reader = core->index->snapshot();
  const auto of = read_position(*reader);
  if (!of) co_return Result<void>{};  // Nothing was ever committed.
  core->operation_bytes_since_snapshot = 0;
  SnapshotEnd end{.begin = {}, .of = of->position, .parts = 0, .number = core->next_snapshot++, .keys = 0};
  const auto pins = std::make_shared<Pins>();
  std::string from;
  for (bool last = false; !last;) {
    auto read = [reader, from] { return read_part(*reader, from); };
    auto part = co_await on_pool(core, std::move(read));
    if (!part) co_return failed(part);
    auto submission = std::make_shared<Submission>();
    submission->durable = false;
    submission->pins = pins;
    std::string payload = Key().u64(end.number).u32(end.parts).raw(part->payload).take();
    submission->records.push_back(Submission::record(RecordType::snapshot, {}, std::move(payload)));
    auto written = co_await submit(core, submission);
    if (!written) co_return written;
    if (end.parts == 0) end.begin = submission->records.front().placed;
    ++end.parts;
    end.keys += part->keys;
    from = std::move(part->next);
    last = part->last;
  }
  auto submission = std::make_shared<Submission>();
  submission->records.push_back(Submission::record(RecordType::snapshot_end, {}, encode(end)));
  auto written = co_await submit(core, submission);
  if (!written) co_return written;
  core->log->snapshot({end.begin, submission->records.front().placed, end.of});
  core->parameters.scope.event("store_snapshot_finished").field("keys", end.keys).field("parts", end.parts);
  co_return Result<void>{};
}

Result<void> restore_snapshot(const Segments& segments, const SnapshotPlace& place, Index& index,
                              std::uint64_t most_waiting) {
  PartsVisitor visitor(index, place, most_waiting);
  for (const auto& segment : segments.all()) {
    if (segment->number() < place.begin.segment || segment->number() > place.end.segment) continue;
    auto walked = walk(segment->file(), segment->header(), segment->durable(), {}, visitor);
    if (!walked) return walked;
  }
  if (!visitor.complete()) {
    return failure(Failure::Kind::corrupt, "F-2055", "A snapshot of the index is damaged", to_string(place.begin));
  }
  return visitor.give_position();
}

}  // namespace facteur::store
