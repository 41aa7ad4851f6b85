// Replays the log into an index: at the start what the index lacks, and for a check all of it into a second index.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "store/applier.hpp"
#include "store/segment_reader.hpp"
#include "store/segments.hpp"

namespace facteur::store {

class Replayer final : public SegmentVisitor {
 public:
  // `spoiled` is told of each record that cannot be applied; it is noted in the index too.
  using Spoiled = std::function<void(const Position& at, const std::string& why)>;
  Replayer(Applier& applier, Spoiled spoiled) : applier_(applier), spoiled_(std::move(spoiled)) {}

  // What stands in [from, to): borders of groups, `to` up to the durable end. Failures: the index does not work.
  Result<void> replay(Segment& segment, const Position& from, const Position& to);  // Of one segment.

  std::uint64_t bytes() const { return bytes_; }                      // Of records that mean something to the index.
  std::uint64_t operation_bytes() const { return operation_bytes_; }  // Of transactions.
  const SnapshotPlace& newest_snapshot() const { return newest_; }    // That ends in what was replayed; or nowhere.

  Result<void> group(const GroupHeader& header) override;
  Result<void> group_end(const GroupHeader& header) override;
  Result<void> damage(std::uint32_t from, std::uint32_t to, std::string why) override;
  Result<void> record(const Position& at, const RecordHeader& header, Bytes payload, bool whole) override;

 private:
  Result<void> apply(const Position& at, RecordType type, Bytes payload);
  Result<void> snapshot_end(const Position& at, Bytes payload);
  void spoil(const Position& at, const std::string& why);

  Applier& applier_;
  Spoiled spoiled_;
  std::uint32_t segment_ = 0;
  std::uint64_t bytes_ = 0, operation_bytes_ = 0;
  SnapshotPlace newest_;
};

}  // namespace facteur::store
