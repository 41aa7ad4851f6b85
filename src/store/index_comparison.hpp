// The index that the log makes, beside the one that is in use.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/core.hpp"
#include "store/replayer.hpp"

namespace facteur::store {

struct IndexDifference {
  std::string key;
  std::optional<std::string> live, log;  // The values.
};

// All calls block: on the pool, one at a time.
class IndexComparison {
 public:
  // `live`: the index as it was at `until`; `from`: the newest snapshot then.
  IndexComparison(std::shared_ptr<Core> core, std::shared_ptr<const Reader> live, const SnapshotPlace& from,
                  const Position& until);
  ~IndexComparison();

  // Some of the work. False: there is no more. Fails (corrupt) where the log cannot make an index.
  Result<bool> advance(const std::vector<std::shared_ptr<Segment>>& segments);

  // Records that the replay found damaged: the log is not enough then, and a difference says nothing against the index.
  const std::vector<Position>& spoiled() const { return spoiled_; }
  const std::vector<IndexDifference>& differences() const { return differences_; }  // The first 100,000.
  std::uint64_t different() const { return different_; }
  std::uint64_t compared() const { return compared_; }

 private:
  Result<void> begin();
  Result<bool> compare();
  void differ(std::string key, std::optional<std::string> live, std::optional<std::string> log);

  std::shared_ptr<Core> core_;
  std::shared_ptr<const Reader> live_;
  SnapshotPlace from_;
  Position until_;
  std::unique_ptr<IndexMaker> maker_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<Replayer> replayer_;
  std::size_t next_ = 0;
  std::string cursor_;
  std::vector<Position> spoiled_;
  std::vector<IndexDifference> differences_;
  std::uint64_t different_ = 0, compared_ = 0;
};

// Where the index still has the value that the comparison saw, it gets that of the log; live octets of segments are
// corrected by what they were wrong. How many keys were left, because they have changed since. On the log's lane.
Result<std::uint64_t> mend(Core& core, const std::vector<IndexDifference>& differences);

}  // namespace facteur::store
