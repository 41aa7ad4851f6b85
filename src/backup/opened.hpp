// A generation of a backup as the disk of a store that is opened to be read: its log, and a place for all else.
//
//   host::Disk scratch(...);                 // A new folder; the index is made there.
//   OpenedBackup disk(repository, generation, scratch);
//   auto engine = store::open(disk.parameters(...));
#pragma once

#include <set>

#include "backup/repository.hpp"
#include "store/embedded_engine.hpp"
#include "world/disk.hpp"

namespace facteur::backup {

// The backup is only read, whatever the store does: what it writes goes to `scratch`, and what it changes of the log
// (its end, which it makes sure of at a start) is refused unless it is so already. All outlive this.
class OpenedBackup final : public world::Disk {
 public:
  OpenedBackup(const Repository& repository, const Generation& generation, world::Disk& scratch);

  Result<std::unique_ptr<world::File>> open(std::string_view path, Mode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<void> create_directory(std::string_view path) override { return scratch_.create_directory(path); }
  Result<std::vector<std::string>> list(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override { return scratch_.sync_directory(path); }
  Result<Space> space() override { return scratch_.space(); }
  std::string root() const override { return scratch_.root(); }

 private:
  const SegmentEntry* segment(std::string_view path) const;

  world::Disk& backup_;
  const Generation& generation_;
  world::Disk& scratch_;
  std::set<std::string, std::less<>> removed_;  // Segments the store has no use for any more.
};

// For a store that is only read: nothing is kept back, filled ahead or done in the background.
store::EngineParameters reading(store::EngineParameters parameters);

}  // namespace facteur::backup
