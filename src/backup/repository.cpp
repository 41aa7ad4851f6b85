#include "backup/repository.hpp"

#include <algorithm>
#include <set>

#include "base/base64.hpp"

namespace facteur::backup {
namespace {

constexpr std::string_view manifests = "manifests";
constexpr std::string_view ending = ".json";

}  // namespace

Result<Repository> Repository::open(world::Disk& disk) {
  Repository out(disk);
  if (auto read = out.read_all(); !read) return failed(read);
  return out;
}

Result<void> Repository::read_all() {
  auto there = disk_->exists(manifests);
  if (!there) return failed(there);
  if (!*there) return {};
  auto names = disk_->list(manifests);
  if (!names) return failed(names);
  for (const auto& name : *names) {
    if (!name.ends_with(ending)) continue;  // Of a run that was broken off.
    const std::string path = std::string(manifests) + "/" + name;
    auto text = read_whole(*disk_, path);
    auto manifest = text ? decode(*text) : std::nullopt;
    if (manifest) {
      generations_.push_back({name.substr(0, name.size() - ending.size()), std::move(*manifest)});
    } else {
      unreadable_.push_back(path);
    }
  }
  std::ranges::sort(generations_, {}, [](const Generation& one) { return std::pair(one.manifest.sequence, one.name); });
  return {};
}

const Generation* Repository::find(std::string_view name) const {
  if (name.empty()) return generations_.empty() ? nullptr : &generations_.back();
  const auto found = std::ranges::find(generations_, name, &Generation::name);
  return found == generations_.end() ? nullptr : &*found;
}

Result<std::size_t> Repository::keep(std::size_t count) {
  if (!unreadable_.empty()) {
    return failure(Failure::Kind::corrupt, "F-8001", "A manifest of the backup is damaged: nothing is removed",
                   unreadable_.front());
  }
  std::size_t gone = 0;
  while (generations_.size() > std::max<std::size_t>(count, 1)) {
    const auto path = std::string(manifests) + "/" + generations_.front().name + std::string(ending);
    if (auto removed = disk_->remove(path); !removed) return failed(removed);
    generations_.erase(generations_.begin());
    ++gone;
  }
  // Its parts may go only once the manifest cannot come back.
  if (gone > 0) {
    if (auto synced = disk_->sync_directory(manifests); !synced) return failed(synced);
  }
  std::vector<std::string> named;
  for (const auto& generation : generations_) {
    for (const auto& segment : generation.manifest.segments) named.push_back(segment_file(segment));
    for (const auto& file : generation.manifest.files) named.push_back(content_file(file.sha256));
  }
  std::ranges::sort(named);
  for (const std::string_view folder : {"segments", "files"}) {
    if (auto removed = remove_unnamed(folder, named); !removed) return failed(removed);
  }
  return gone;
}

Result<void> Repository::remove_unnamed(std::string_view folder, const std::vector<std::string>& named) {
  auto there = disk_->exists(folder);
  if (!there) return failed(there);
  if (!*there) return {};
  auto names = disk_->list(folder);
  if (!names) return failed(names);
  for (const auto& name : *names) {
    const std::string path = std::string(folder) + "/" + name;
    if (std::ranges::binary_search(named, path)) continue;
    if (auto removed = disk_->remove(path); !removed) return removed;
  }
  return {};
}

Result<std::string> read(const Repository& repository, const FileEntry& file) {
  auto text = read_whole(repository.disk(), content_file(file.sha256));
  if (!text) return text;
  if (text->size() != file.size || to_hex(crypto::sha256(*text).view()) != file.sha256) {
    return failure(Failure::Kind::corrupt, file_is_damaged, "A file of the backup is damaged",
                   content_file(file.sha256));
  }
  return text;
}

}  // namespace facteur::backup
