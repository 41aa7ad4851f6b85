// Walks the groups and records of one segment, whatever is in it: torn, rotten or strange.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/segment.hpp"

namespace facteur::store {

// What walk() finds, in order of the log.
class SegmentVisitor {
 public:
  virtual ~SegmentVisitor() = default;
  virtual Result<void> group(const GroupHeader& header) = 0;
  // `payload` is empty for bodies and chunks unless they are asked for (WalkOptions::bodies); `whole`: the checksum was
  // compared and fits, or was not compared (a body below the durable end).
  virtual Result<void> record(const Position& at, const RecordHeader& header, Bytes payload, bool whole) = 0;
  virtual Result<void> group_end(const GroupHeader& header) = 0;
  // Octets [from, to) should be groups and cannot be read.
  virtual Result<void> damage(std::uint32_t from, std::uint32_t to, std::string why) = 0;
};

struct WalkOptions {
  std::uint32_t from = first_group;  // A border of groups.
  bool bodies = false;               // Read and check bodies and chunks too.
};

// Where the groups end: for a segment with a successor its header says so; for the last one the end is found.
// Below the result's `durable` all damage is rot; the groups from there up to `end` are whole but were perhaps never
// synced. Behind `end` there is nothing that was ever acknowledged (DECISIONS.md 6).
struct SegmentEnd {
  std::uint32_t durable = first_group;
  std::uint32_t end = first_group;
  bool clean = true;  // Behind the end are zeros or nothing.
};
Result<SegmentEnd> find_end(world::File& file, const SegmentHeader& header);

// Groups up to `end` (a border of groups, or the end of rot).
Result<void> walk(world::File& file, const SegmentHeader& header, std::uint32_t end, const WalkOptions& options,
                  SegmentVisitor& visitor);

}  // namespace facteur::store
