// Files that give their descriptor back when others need it more: a log of any length with a bounded number of them.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "world/disk.hpp"

namespace facteur::store {

class RestingFile;

// Which files have a descriptor, the one used last in front. Thread-safe.
class OpenFiles {
 public:
  explicit OpenFiles(std::size_t most) : most_(most) {}
  std::size_t open() const;

 private:
  friend class RestingFile;
  void used(RestingFile& file);  // May let others rest. No lock of `file` is held.
  void gone(RestingFile& file);

  const std::size_t most_;  // Beyond it only files that are in use at this moment, or may not rest.
  mutable std::mutex mutex_;
  std::list<RestingFile*> files_;
};

// A file that is opened again, to be read, whenever it is used after a rest. What was mapped stays mapped, open or not.
// Nobody renames or replaces it meanwhile. The disk outlives it.
class RestingFile final : public world::File {
 public:
  // `file` may be empty: opened when it is first used. `rests`: as may_rest(), from the beginning.
  RestingFile(std::shared_ptr<OpenFiles> open_files, world::Disk& disk, std::string path,
              std::unique_ptr<world::File> file, bool rests);
  ~RestingFile() override;
  RestingFile(const RestingFile&) = delete;
  RestingFile& operator=(const RestingFile&) = delete;

  // Nothing will be written or synced any more: from now on it can only be read. All is synced that ever will be.
  void may_rest();

  Result<std::uint64_t> size() override;
  Result<std::size_t> read_at(std::uint64_t offset, Room room) override;
  Bytes map(std::uint64_t offset, std::size_t length) override;

  // Before may_rest() only.
  using world::File::write_at;
  Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) override;
  Result<void> sync() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> reserve(std::uint64_t size) override;

 private:
  friend class OpenFiles;
  bool rest();  // False: it is in use, or may not.
  Result<std::shared_lock<std::shared_mutex>> awake();

  const std::shared_ptr<OpenFiles> open_files_;
  world::Disk& disk_;
  const std::string path_;
  std::shared_mutex mutex_;  // Shared: the file is used. Alone: it is opened or closed.
  std::unique_ptr<world::File> file_;
  std::vector<std::unique_ptr<world::File>> mapped_;  // Without descriptors; for what is mapped.
  std::mutex mapping_;                                // Guards has_mapped_.
  bool has_mapped_ = false;
  bool rests_;
};

}  // namespace facteur::store
