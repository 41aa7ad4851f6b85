#include "backup/opened.hpp"

#include <algorithm>
#include <utility>

#include "store/format.hpp"

namespace facteur::backup {
namespace {

// The first octets of a copy. Writing what is there already is as good as done.
class Prefix final : public world::File {
 public:
  Prefix(std::unique_ptr<world::File> copy, std::uint64_t length) : copy_(std::move(copy)), length_(length) {}

  Result<std::uint64_t> size() override {
    auto real = copy_->size();
    if (!real) return real;
    return std::min(*real, length_);
  }
  Result<std::size_t> read_at(std::uint64_t offset, Room room) override {
    if (offset >= length_) return std::size_t{0};
    return copy_->read_at(offset, room.first(std::min<std::uint64_t>(room.size(), length_ - offset)));
  }
  Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    std::string there;
    for (const Bytes piece : pieces) {
      there.resize(piece.size());
      auto read = read_at(offset, Room(there.data(), there.size()));
      if (!read) return failed(read);
      if (*read != piece.size() || there != piece) return only_read();
      offset += piece.size();
    }
    return {};
  }
  Result<void> sync() override { return {}; }
  Result<void> truncate(std::uint64_t size) override {
    length_ = std::min(length_, size);
    return {};
  }
  Result<void> reserve(std::uint64_t) override { return only_read(); }
  Bytes map(std::uint64_t offset, std::size_t length) override {
    return offset + length <= length_ ? copy_->map(offset, length) : Bytes();
  }

 private:
  static Result<void> only_read() { return failure(Failure::Kind::refused, "F-8006", "A backup is only read"); }
  std::unique_ptr<world::File> copy_;
  std::uint64_t length_;
};

constexpr std::string_view log_folder = "log";

}  // namespace

OpenedBackup::OpenedBackup(const Repository& repository, const Generation& generation, world::Disk& scratch)
    : backup_(repository.disk()), generation_(generation), scratch_(scratch) {
  // A copy that is lost is for the store a lost segment: it serves the others.
  for (const auto& one : generation.manifest.segments) {
    const auto there = backup_.exists(segment_file(one));
    if (!there || !*there) removed_.insert(store::segment_path(one.number));
  }
}

const SegmentEntry* OpenedBackup::segment(std::string_view path) const {
  if (removed_.contains(path)) return nullptr;
  const auto& all = generation_.manifest.segments;
  const auto found =
      std::ranges::find_if(all, [&](const SegmentEntry& one) { return store::segment_path(one.number) == path; });
  return found == all.end() ? nullptr : &*found;
}

Result<std::unique_ptr<world::File>> OpenedBackup::open(std::string_view path, Mode mode) {
  const SegmentEntry* found = segment(path);
  if (!found) return scratch_.open(path, mode);
  auto copy = backup_.open(segment_file(*found), Mode::read);
  if (!copy) return copy;
  return std::make_unique<Prefix>(std::move(*copy), found->length);
}

Result<void> OpenedBackup::rename(std::string_view from, std::string_view to) {
  if (segment(from)) return failure(Failure::Kind::refused, "F-8007", "A backup is only read");
  return scratch_.rename(from, to);
}

Result<void> OpenedBackup::remove(std::string_view path) {
  if (!segment(path)) return scratch_.remove(path);
  removed_.emplace(path);
  return {};
}

Result<std::vector<std::string>> OpenedBackup::list(std::string_view path) {
  auto names = scratch_.list(path);
  if (!names || path != log_folder) return names;
  for (const auto& one : generation_.manifest.segments) {
    const std::string full = store::segment_path(one.number);
    if (!removed_.contains(full)) names->push_back(full.substr(log_folder.size() + 1));
  }
  std::ranges::sort(*names);
  return names;
}

Result<bool> OpenedBackup::exists(std::string_view path) {
  if (segment(path)) return true;
  return scratch_.exists(path);
}

store::EngineParameters reading(store::EngineParameters parameters) {
  parameters.sizes.ballast_bytes = 0;
  parameters.sizes.zero_fill = false;
  // The index is made anew and thrown away: larger pieces of it are merged less often.
  parameters.sizes.rocksdb.write_buffer_bytes = 64 << 20;
  parameters.sizes.index_stays = false;
  parameters.interval = 24h * 365;
  return parameters;
}

}  // namespace facteur::backup
