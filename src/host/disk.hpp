// The real disk below one folder.
#pragma once

#include <memory>
#include <string>

#include "world/disk.hpp"

namespace facteur::host {

class Disk final : public world::Disk {
 public:
  // Makes the folder (and those above it) if it is not there. Mode of what is made: 0700 and 0600.
  static Result<std::unique_ptr<Disk>> open_root(const std::string& path);
  ~Disk() override;

  Result<std::unique_ptr<world::File>> open(std::string_view path, Mode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<void> create_directory(std::string_view path) override;
  Result<std::vector<std::string>> list(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;
  Result<Space> space() override;
  std::uint64_t unreadable_pages() const override;
  std::string root() const override { return root_; }

  // For one process at a time: an exclusive lock on the root, held as long as this lives. False: another has it.
  Result<bool> lock();

 private:
  Disk(std::string root, int directory) : root_(std::move(root)), directory_(directory) {}

  std::string root_;
  int directory_;
};

}  // namespace facteur::host
