#include "store/resting_file.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace facteur::store {

std::size_t OpenFiles::open() const {
  const std::lock_guard lock(mutex_);
  return files_.size();
}

void OpenFiles::used(RestingFile& file) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(files_, &file);
  if (found == files_.end()) {
    files_.push_front(&file);
  } else {
    files_.splice(files_.begin(), files_, found);
  }
  for (auto at = files_.end(); files_.size() > most_ && at != files_.begin();) {
    --at;
    if (*at == &file || !(*at)->rest()) continue;
    at = files_.erase(at);
  }
}

void OpenFiles::gone(RestingFile& file) {
  const std::lock_guard lock(mutex_);
  files_.remove(&file);
}

RestingFile::RestingFile(std::shared_ptr<OpenFiles> open_files, world::Disk& disk, std::string path,
                         std::unique_ptr<world::File> file, bool rests)
    : open_files_(std::move(open_files)), disk_(disk), path_(std::move(path)), file_(std::move(file)), rests_(rests) {
  if (file_) open_files_->used(*this);
}

RestingFile::~RestingFile() { open_files_->gone(*this); }

void RestingFile::may_rest() {
  const std::lock_guard lock(mutex_);
  rests_ = true;
}

// Called with the list locked: it must not wait for somebody who waits for the list.
bool RestingFile::rest() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || !rests_) return false;
  if (!file_) return true;
  file_->give_back();
  if (has_mapped_) mapped_.push_back(std::move(file_));
  file_ = nullptr;
  has_mapped_ = false;
  return true;
}

// The file is open as long as the lock is held.
Result<std::shared_lock<std::shared_mutex>> RestingFile::awake() {
  while (true) {
    std::shared_lock shared(mutex_);
    if (file_) return shared;
    shared.unlock();
    const std::lock_guard alone(mutex_);
    if (file_) continue;
    auto opened = disk_.open(path_, world::Disk::Mode::read);
    if (!opened) return failed(opened);
    file_ = std::move(*opened);
  }
}

Result<std::uint64_t> RestingFile::size() {
  auto lock = awake();
  if (!lock) return failed(lock);
  auto out = file_->size();
  lock->unlock();
  open_files_->used(*this);
  return out;
}

Result<std::size_t> RestingFile::read_at(std::uint64_t offset, Room room) {
  auto lock = awake();
  if (!lock) return failed(lock);
  auto out = file_->read_at(offset, room);
  lock->unlock();
  open_files_->used(*this);
  return out;
}

Bytes RestingFile::map(std::uint64_t offset, std::size_t length) {
  {
    const std::shared_lock shared(mutex_);
    for (const auto& file : mapped_) {
      const Bytes octets = file->map(offset, length);
      if (!octets.empty()) return octets;
    }
  }
  auto lock = awake();
  if (!lock) return {};
  const Bytes out = file_->map(offset, length);
  {
    const std::lock_guard guard(mapping_);
    has_mapped_ = has_mapped_ || !out.empty();
  }
  lock->unlock();
  open_files_->used(*this);
  return out;
}

Result<void> RestingFile::write_at(std::uint64_t offset, std::span<const Bytes> pieces) {
  const std::shared_lock shared(mutex_);
  ASSERT(file_ && !rests_);
  return file_->write_at(offset, pieces);
}

Result<void> RestingFile::sync() {
  const std::shared_lock shared(mutex_);
  ASSERT(file_ && !rests_);
  return file_->sync();
}

Result<void> RestingFile::truncate(std::uint64_t size) {
  const std::shared_lock shared(mutex_);
  ASSERT(file_ && !rests_);
  return file_->truncate(size);
}

Result<void> RestingFile::reserve(std::uint64_t size) {
  const std::shared_lock shared(mutex_);
  ASSERT(file_ && !rests_);
  return file_->reserve(size);
}

}  // namespace facteur::store
