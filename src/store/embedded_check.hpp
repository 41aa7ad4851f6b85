// The check of the embedded engine (check.hpp): the log, the blobs, the index against a second one.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "store/check.hpp"
#include "store/core.hpp"
#include "store/index_comparison.hpp"
#include "store/maintenance.hpp"

namespace facteur::store {

class EmbeddedCheck final : public Check {
 public:
  EmbeddedCheck(std::shared_ptr<Core> core, std::shared_ptr<Background> background, bool repair);
  EmbeddedCheck(const EmbeddedCheck&) = delete;
  EmbeddedCheck& operator=(const EmbeddedCheck&) = delete;
  ~EmbeddedCheck() override { core_->checked = false; }

  Task<Result<void>> step() override;
  Stage stage() const override { return stage_; }
  const CheckReport& report() const override { return report_; }
  std::vector<std::string>& lost_bodies() override { return lost_bodies_; }
  Task<Result<void>> settle() override;

 private:
  Task<Result<void>> survey();  // The next segment.
  Task<Result<void>> read_blobs();
  Task<Result<void>> compare_index();
  Task<Result<void>> mend_index();
  Task<Result<void>> make_snapshot();
  void problem(std::string what, bool left);

  std::shared_ptr<Core> core_;
  std::shared_ptr<Background> background_;
  bool repair_;
  Stage stage_ = Stage::log;
  CheckReport report_;
  std::shared_ptr<const Reader> live_;              // The index at one moment,
  Position until_;                                  // which is here in the log.
  SnapshotPlace snapshot_;                          // The newest one then.
  std::vector<std::shared_ptr<Segment>> segments_;  // Held, so that none goes meanwhile.
  std::size_t next_segment_ = 0;
  std::string next_blob_;
  std::set<std::uint64_t> never_applied_;  // Positions of records that were damaged when the log was replayed.
  bool incomplete_ = false;                // The log alone would not give the index back.
  std::shared_ptr<IndexComparison> comparison_;
  std::vector<std::string> lost_bodies_;
  std::set<std::uint32_t> kept_;  // Segments with parts of lost messages.
};

}  // namespace facteur::store
