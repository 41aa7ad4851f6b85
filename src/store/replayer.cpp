#include "store/replayer.hpp"

#include <algorithm>

namespace facteur::store {

Result<void> Replayer::replay(Segment& segment, const Position& from, const Position& to) {
  if (segment.number() < from.segment || segment.number() > to.segment) return {};
  segment_ = segment.number();
  WalkOptions options;
  if (segment_ == from.segment) options.from = from.offset;
  const std::uint32_t end = segment_ == to.segment ? std::min(to.offset, segment.durable()) : segment.durable();
  return walk(segment.file(), segment.header(), end, options, *this);
}

Result<void> Replayer::group(const GroupHeader& header) {
  applier_.begin(header.time_ms);
  return {};
}

Result<void> Replayer::group_end(const GroupHeader& header) {
  return applier_.end({segment_, header.offset + header.length});
}

Result<void> Replayer::damage(std::uint32_t from, std::uint32_t to, std::string why) {
  spoil({segment_, from}, why + " (" + std::to_string(to - from) + " octets)");
  return {};
}

Result<void> Replayer::record(const Position& at, const RecordHeader& header, Bytes payload, bool whole) {
  if (header.type == RecordType::body) {
    const std::uint32_t length = header.length - std::min(header.length, name_octets);
    applier_.body({at, length}, false);
    return {};
  }
  if (!whole) {
    if (header.type != RecordType::snapshot) spoil(at, "the checksum of an operation does not fit");
    return {};
  }
  if (header.type != RecordType::snapshot) bytes_ += payload.size();
  auto done = apply(at, header.type, payload);
  if (done || done.error().kind != Failure::Kind::corrupt) return done;
  spoil(at, done.error().cause);
  return {};
}

Result<void> Replayer::apply(const Position& at, RecordType type, Bytes payload) {
  switch (type) {
    case RecordType::existing:
      applier_.existing();
      return {};
    case RecordType::transaction:
      operation_bytes_ += payload.size();
      return applier_.transaction(payload);
    case RecordType::move:
      return applier_.move(payload);
    case RecordType::drop:
      return applier_.drop(payload);
    case RecordType::snapshot_end:
      return snapshot_end(at, payload);
    case RecordType::body:
    case RecordType::chunk:
    case RecordType::snapshot:
      break;
  }
  return {};
}

Result<void> Replayer::snapshot_end(const Position& at, Bytes payload) {
  if (const auto end = decode_snapshot_end(payload)) newest_ = {end->begin, at, end->of};
  return applier_.snapshot_end(at, payload);
}

void Replayer::spoil(const Position& at, const std::string& why) {
  applier_.damaged(at, why);
  spoiled_(at, why);
}

}  // namespace facteur::store
