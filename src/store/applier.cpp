#include "store/applier.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "store/key.hpp"

namespace facteur::store {

namespace {

// A blob that is stored again becomes young again, but not for every copy of a mailing: that would be a write each.
constexpr std::int64_t refresh_ms = 60'000;

std::unexpected<Failure> malformed(std::string_view code, std::string what) {
  return failure(Failure::Kind::corrupt, code, "A record of the log is damaged", std::move(what));
}

std::set<std::uint32_t> segments_of(const Location* location) {
  std::set<std::uint32_t> segments;
  if (!location || location->pieces.size() < 2) return segments;
  for (const Piece& piece : location->pieces) segments.insert(piece.at.segment);
  return segments;
}

}  // namespace

std::optional<IndexPosition> read_position(const Reader& reader) {
  const auto value = reader.get(position_key);
  if (!value || !*value) return std::nullopt;
  Parser p(**value);
  IndexPosition found;
  found.position = Position::from(p.u64());
  std::ranges::copy(p.raw(found.instance.size()), found.instance.begin());
  return p.done() ? std::optional(found) : std::nullopt;
}

SnapshotPlace read_snapshot_place(const Reader& reader) {
  const auto value = reader.get(snapshot_key);
  if (!value || !*value) return {};
  Parser p(**value);
  SnapshotPlace place;
  place.begin = Position::from(p.u64());
  place.end = Position::from(p.u64());
  place.of = Position::from(p.u64());
  return p.done() ? place : SnapshotPlace{};
}

std::string write_live(const Live& live) { return Key().u64(live.bytes).u64(live.records).take(); }

Live read_live(const std::optional<std::string>& value) {
  if (!value) return {};
  Parser p(*value);
  Live live;
  live.bytes = p.u64();
  live.records = p.u64();
  return live;
}

std::string blob_key(const BlobId& id) { return Key('B').raw(id.bytes()).take(); }

std::string pieces_key(std::uint32_t segment, Bytes blob_octets) {
  return Key(pieces_subspace).u32(segment).raw(blob_octets).take();
}

Result<void> Applier::load() {
  std::map<std::uint32_t, Live> live;
  const Bytes prefix(&live_subspace, 1);
  auto scanned = index_.latest().scan(prefix, behind(prefix), [&](Bytes key, Bytes value) {
    live[Parser(key.substr(1)).u32()] = read_live(std::string(value));
    return true;
  });
  if (!scanned) return scanned;
  const std::lock_guard lock(mutex_);
  live_ = std::move(live);
  return {};
}

std::map<std::uint32_t, Live> Applier::live() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

void Applier::body(const Piece& piece, bool known_absent) { before_.push_back({piece, known_absent}); }

void Applier::existing() { before_.push_back({}); }

std::optional<Location> Applier::location(const BlobId& id) const {
  const auto value = index_.latest().get(blob_key(id));
  if (!value || !*value) return std::nullopt;
  return decode_location(**value);
}

std::optional<Location> Applier::pending_or_applied(const BlobId& id) const {
  if (const auto found = pending_.find(id); found != pending_.end()) return found->second;
  return location(id);
}

void Applier::count(const Piece& piece, int sign) {
  const std::lock_guard lock(mutex_);
  Live& live = live_[piece.at.segment];
  if (sign > 0) {
    live.bytes += record_bytes(piece);
    ++live.records;
  } else {
    live.bytes -= std::min(live.bytes, record_bytes(piece));
    live.records -= std::min<std::uint64_t>(live.records, 1);
  }
  touched_.insert(piece.at.segment);
}

void Applier::place(const BlobId& id, const Location* from, const Location* to) {
  if (from) {
    for (const Piece& piece : from->pieces) count(piece, -1);
  }
  if (to) {
    for (const Piece& piece : to->pieces) count(piece, +1);
  }
  const auto old_segments = segments_of(from);
  const auto new_segments = segments_of(to);
  for (const std::uint32_t segment : old_segments) {
    if (!new_segments.contains(segment)) index_.remove(pieces_key(segment, id.bytes()));
  }
  for (const std::uint32_t segment : new_segments) index_.put(pieces_key(segment, id.bytes()), {});
  if (to) {
    index_.put(blob_key(id), encode(*to));
    pending_[id] = *to;
  } else {
    index_.remove(blob_key(id));
    pending_[id] = std::nullopt;
  }
}

void Applier::add(const AddedBlob& blob, const Before& before) {
  const auto old = before.known_absent ? std::nullopt : pending_or_applied(blob.id);
  Location location{time_ms_, blob.size, {}};
  if (before.piece) {
    location.pieces = blob.streamed;
    if (before.piece->length > 0 || location.pieces.empty()) location.pieces.push_back(*before.piece);
  } else if (old) {
    if (time_ms_ - old->stored_ms < refresh_ms) return;
    location.pieces = old->pieces;
  } else {
    return;  // Said to exist, and does not: its record was damaged. content() says that there is none.
  }
  place(blob.id, old ? &*old : nullptr, &location);
  if (!blob.referenced) index_.put(Key(unneeded_subspace).raw(blob.id.bytes()), {});
}

Result<void> Applier::transaction(Bytes payload) {
  const auto before = std::exchange(before_, {});
  referring_ = true;
  TransactionParser check(payload);
  const auto blobs = check.blobs();
  if (!blobs || blobs->size() > before.size()) return malformed("F-2010", "transaction: blobs");
  while (check.next()) continue;
  if (!check.done()) return malformed("F-2011", "transaction: operations");

  // Bodies of a damaged transaction may stand in front: the nearest ones are ours.
  const std::size_t skip = before.size() - blobs->size();
  for (std::size_t i = 0; i < blobs->size(); ++i) add((*blobs)[i], before[skip + i]);
  TransactionParser parser(payload);
  parser.blobs();
  while (const auto operation = parser.next()) {
    switch (operation->kind) {
      case Batch::Operation::Kind::put:
        index_.put(operation->key, operation->value);
        break;
      case Batch::Operation::Kind::remove:
        index_.remove(operation->key);
        break;
      case Batch::Operation::Kind::reference:
        index_.put(Key('Z').raw(operation->key), {});
        break;
      case Batch::Operation::Kind::unreference:
        index_.remove(Key('Z').raw(operation->key));
        index_.put(Key(unneeded_subspace).raw(operation->key.substr(0, 32)), {});
        break;
    }
  }
  return {};
}

Result<void> Applier::move(Bytes payload) {
  before_.clear();
  const auto move = decode_move(payload);
  if (!move) return malformed("F-2012", "move");
  const auto old = pending_or_applied(move->id);
  if (!old || old->pieces != move->from) return {};  // Gone or moved since: the copy is of no use.
  Location location = *old;
  location.pieces = move->to;
  place(move->id, &*old, &location);
  return {};
}

bool Applier::referenced(const BlobId& id) const {
  const std::string prefix = Key('Z').raw(id.bytes()).take();
  bool found = false;
  const auto scanned = index_.latest().scan(prefix, behind(prefix), [&](Bytes, Bytes) {
    found = true;
    return false;
  });
  return found || !scanned;
}

Result<void> Applier::drop(Bytes payload) {
  before_.clear();
  const auto drop = decode_drop(payload);
  if (!drop) return malformed("F-2013", "drop");
  // References of this very group count, so the index must know them: once for drops that follow each other, which
  // change nothing that the others look at. Applied twice (a crash before end()), all this gives the same.
  if (std::exchange(referring_, false)) {
    write_live();
    if (auto applied = index_.apply(); !applied) return applied;
    pending_.clear();
  }
  const auto old = pending_or_applied(drop->id);
  if (old && old->stored_ms != drop->stored_ms) return {};
  if (old && !referenced(drop->id)) place(drop->id, &*old, nullptr);
  index_.remove(Key(unneeded_subspace).raw(drop->id.bytes()));
  return {};
}

Result<void> Applier::snapshot_end(const Position& at, Bytes payload) {
  const auto end = decode_snapshot_end(payload);
  if (!end) return malformed("F-2014", "snapshot_end");
  index_.put(snapshot_key, Key().u64(end->begin.number()).u64(at.number()).u64(end->of.number()));
  return {};
}

void Applier::damaged(const Position& at, Bytes why) { index_.put(Key(damaged_subspace).u64(at.number()), why); }

void Applier::write_live() {
  const std::lock_guard lock(mutex_);
  for (const std::uint32_t segment : touched_) {
    const Live& live = live_[segment];
    const Key key = Key(live_subspace).u32(segment);
    if (live.records == 0) {
      live_.erase(segment);
      index_.remove(key);
    } else {
      index_.put(key, store::write_live(live));
    }
  }
  touched_.clear();
}

Result<void> Applier::end(const Position& upto) {
  write_live();
  before_.clear();
  pending_.clear();
  referring_ = false;
  index_.put(position_key, Key().u64(upto.number()).raw(Bytes(instance_.data(), instance_.size())));
  return index_.apply();
}

}  // namespace facteur::store
