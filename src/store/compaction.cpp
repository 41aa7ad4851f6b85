#include "store/compaction.hpp"

#include <algorithm>

#include "crypto/crc32c.hpp"
#include "store/key.hpp"
#include "store/segment_reader.hpp"

namespace facteur::store {

namespace {

constexpr std::size_t copied_at_once = 1 << 20;

class NamesVisitor final : public SegmentVisitor {
 public:
  Result<void> group(const GroupHeader&) override { return {}; }
  Result<void> group_end(const GroupHeader&) override { return {}; }
  Result<void> damage(std::uint32_t, std::uint32_t, std::string) override { return {}; }
  Result<void> record(const Position&, const RecordHeader& header, Bytes payload, bool) override {
    if (header.type == RecordType::body && payload.size() >= name_octets)
      ids.insert(BlobId::from(payload.substr(0, 32)));
    return {};
  }
  std::set<BlobId> ids;
};

// Every blob that may have a piece in the segment.
Result<std::vector<BlobId>> blobs_in(Core& core, Segment& segment) {
  NamesVisitor names;
  auto walked = walk(segment.file(), segment.header(), segment.durable(), {.bodies = true}, names);
  if (!walked) return failed(walked);
  const std::string prefix = pieces_key(segment.number(), {});
  auto scanned = core.index->latest().scan(prefix, behind(prefix), [&](Bytes key, Bytes) {
    names.ids.insert(BlobId::from(key.substr(prefix.size())));
    return true;
  });
  if (!scanned) return failed(scanned);
  return std::vector<BlobId>(names.ids.begin(), names.ids.end());
}

// How far the blobs of a segment have been copied.
struct Progress {
  std::vector<BlobId> blobs;
  std::size_t blob = 0;      // The next one,
  std::size_t piece = 0;     // and its next piece,
  std::optional<Move> move;  // if this has begun.
};

// What is copied at once, and which moves are complete with it.
struct Batchful {
  std::shared_ptr<Submission> copies = std::make_shared<Submission>();
  struct Target {
    std::size_t move, piece;  // moves[move].to[piece] is where the copy of the same index goes.
  };
  std::vector<Target> targets;
  std::vector<Move> moves;  // The last one may be incomplete: then it goes back into the progress.
  Progress progress;
};

Result<Submission::Record> copy_piece(Core& core, Segment& segment, const BlobId& id, const Piece& piece, bool single) {
  std::string copy;
  const std::uint32_t length = record_header_bytes + name_octets + piece.length;
  auto record = segment.octets(piece.at.offset, length, copy);
  if (!record) return failed(record);
  const auto whole = [&] {
    const auto header = decode_record_header(*record, segment.header().nonce, piece.at.offset);
    const Bytes octets = record->substr(record_header_bytes);
    return header && header->length == octets.size() && crypto::crc32c(octets) == header->checksum;
  };
  if (!whole() && copy.empty()) {  // As in Core::read_pieces: it may only not have been readable in mapped memory.
    record = segment.octets_by_read(piece.at.offset, length, copy);
    if (!record) return failed(record);
  }
  const Bytes payload = record->substr(record_header_bytes);
  if (!whole()) {
    segment.damaged = true;
    auto damaged = failure(Failure::Kind::corrupt, "F-2056", "A stored message is damaged", to_string(piece.at));
    core.quarantine_blob(id, piece.at, damaged.error());
    return damaged;
  }
  return Submission::record(single ? RecordType::body : RecordType::chunk, std::string(payload.substr(0, name_octets)),
                            std::string(payload.substr(name_octets)));
}

// Begins the move of the next blob that has a piece in the segment; false: it has none (any more).
bool begin_move(Core& core, const Segment& segment, Progress& progress) {
  const BlobId& id = progress.blobs[progress.blob];
  const auto location = core.applier->location(id);
  const auto here = [&](const Piece& piece) { return piece.at.segment == segment.number(); };
  if (!location || std::ranges::none_of(location->pieces, here)) return false;
  progress.move = Move{id, location->pieces, location->pieces};
  progress.piece = 0;
  return true;
}

Batchful next_batch(Core& core, const std::shared_ptr<Segment>& segment, Progress progress) {
  Batchful batch;
  batch.copies->durable = false;
  batch.copies->verbatim = true;
  std::size_t bytes = 0;
  while (progress.blob < progress.blobs.size() && bytes < copied_at_once) {
    if (!progress.move && !begin_move(core, *segment, progress)) {
      ++progress.blob;
      continue;
    }
    Move& move = *progress.move;
    const Piece& piece = move.from[progress.piece];
    if (piece.at.segment == segment->number()) {
      auto copy = copy_piece(core, *segment, move.id, piece, move.from.size() == 1);
      if (!copy) {  // It stays where it is, and with it the segment.
        progress.move.reset();
        ++progress.blob;
        std::erase_if(batch.targets, [&](const auto& target) { return target.move == batch.moves.size(); });
        batch.copies->records.resize(batch.targets.size());
        continue;
      }
      bytes += copy->octets.size();
      batch.copies->records.push_back(std::move(*copy));
      batch.targets.push_back({batch.moves.size(), progress.piece});
    }
    if (++progress.piece == move.from.size()) {
      batch.moves.push_back(std::move(move));
      progress.move.reset();
      ++progress.blob;
    }
  }
  batch.progress = std::move(progress);
  return batch;
}

// Where the copies went becomes the `to` of their moves.
void place(Batchful& batch) {
  for (std::size_t i = 0; i < batch.targets.size(); ++i) {
    const auto [move, piece] = batch.targets[i];
    Move& target = move < batch.moves.size() ? batch.moves[move] : *batch.progress.move;
    target.to[piece].at = batch.copies->records[i].placed;
  }
}

}  // namespace

Task<Result<void>> compact(std::shared_ptr<Core> core, std::shared_ptr<Segment> segment) {
  auto list = [core, segment] { return blobs_in(*core, *segment); };
  auto blobs = co_await on_pool(core, std::move(list));
  if (!blobs) co_return failed(blobs);
  const auto pins = std::make_shared<Pins>();
  Progress progress;
  progress.blobs = std::move(*blobs);
  std::uint64_t moved = 0;
  while (progress.blob < progress.blobs.size()) {
    auto next = [core, segment, now = std::move(progress)]() mutable {
      return next_batch(*core, segment, std::move(now));
    };
    Batchful batch = co_await on_pool(core, std::move(next));
    batch.copies->pins = pins;
    if (!batch.copies->records.empty()) {
      auto copied = co_await submit(core, batch.copies);
      if (!copied) co_return copied;
    }
    place(batch);
    if (!batch.moves.empty()) {
      auto submission = std::make_shared<Submission>();
      for (const Move& move : batch.moves) {
        submission->records.push_back(Submission::record(RecordType::move, {}, encode(move)));
      }
      auto done = co_await submit(core, submission);
      if (!done) co_return done;
      moved += batch.moves.size();
    }
    progress = std::move(batch.progress);
  }
  ++core->compacted;
  core->parameters.scope.event("store_compaction_finished").field("segment", segment->number()).field("blobs", moved);
  co_return Result<void>{};
}

}  // namespace facteur::store
