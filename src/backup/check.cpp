// Reading a backup back: all of it against its checksums, and out of it into a new data folder.
#include <algorithm>
#include <map>
#include <memory>

#include "backup/repository.hpp"
#include "base/base64.hpp"
#include "store/folders.hpp"
#include "store/format.hpp"

namespace facteur::backup {
namespace {

constexpr std::uint32_t stride = 1 << 20;
constexpr std::string_view unfinished = "restoring";  // In a new data folder, until the log is complete.
constexpr const char* does_not_fit = "its checksum does not fit";

// Takes [from, to) into `hash`, and writes it to `out` if there is one. Why it could not be read; empty: it was. Fails
// when it cannot be written, or the work is to end.
Result<std::string> take(world::File& file, std::uint32_t from, std::uint32_t to, crypto::Sha256& hash,
                         world::File* out, const Pace& pace) {
  std::string octets;
  for (std::uint32_t at = from; at < to;) {
    octets.resize(std::min(stride, to - at));
    auto read = file.read_at(at, Room(octets.data(), octets.size()));
    if (!read) return read.error().cause;
    if (*read != octets.size()) return std::string("it is too short");
    hash.update(octets);
    if (out) {
      if (auto put = out->write_at(at, Bytes(octets)); !put) return failed(put);
    }
    at += static_cast<std::uint32_t>(octets.size());
    if (auto went = pace(octets.size()); !went) return failed(went);
  }
  return std::string();
}

// The lengths that generations name of one copy, with their checksums.
using Lengths = std::map<std::uint32_t, std::string>;

Result<void> check_segment(world::Disk& disk, const std::string& path, const Lengths& lengths, const Pace& pace,
                           std::vector<Finding>& findings) {
  auto file = disk.open(path, world::Disk::Mode::read);
  if (!file) {
    findings.push_back({path, file.error().cause});
    return {};
  }
  crypto::Sha256 hash;
  std::uint32_t from = 0;
  for (const auto& [length, expected] : lengths) {
    auto wrong = take(**file, from, length, hash, nullptr, pace);
    if (!wrong) return failed(wrong);
    crypto::Sha256 so_far = hash;
    if (wrong->empty() && to_hex(so_far.finish().view()) != expected) *wrong = does_not_fit;
    if (!wrong->empty()) {
      findings.push_back({path, *wrong});
      return {};
    }
    from = length;
  }
  return {};
}

// One segment out of the backup, with what is wrong with it.
Result<void> put_segment(world::Disk& from, const SegmentEntry& segment, world::Disk& target, const Pace& pace,
                         std::vector<Finding>& findings) {
  const std::string path = segment_file(segment);
  auto copy = from.open(path, world::Disk::Mode::read);
  if (!copy) {
    findings.push_back({path, copy.error().cause});
    return {};
  }
  const std::string name = store::segment_path(segment.number);
  auto file = target.open(std::string(unfinished) + name.substr(name.find('/')), world::Disk::Mode::create);
  if (!file) return failed(file);
  if (auto emptied = (*file)->truncate(0); !emptied) return emptied;
  crypto::Sha256 hash;
  auto wrong = take(**copy, 0, segment.length, hash, file->get(), pace);
  if (!wrong) return failed(wrong);
  if (wrong->empty() && to_hex(hash.finish().view()) != segment.sha256) *wrong = does_not_fit;
  if (!wrong->empty()) findings.push_back({path, *wrong});
  return (*file)->sync();
}

std::string path_of(const FileEntry& file) {
  return file.what == "data" ? file.path : std::string(restored_folder) + file.path;
}

Result<void> put_file(const Repository& repository, const FileEntry& file, world::Disk& target,
                      std::vector<Finding>& findings) {
  auto text = read(repository, file);
  if (!text) {
    findings.push_back(
        {content_file(file.sha256), text.error().code == file_is_damaged ? does_not_fit : text.error().cause});
    return {};
  }
  const std::string path = path_of(file);
  for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
    const std::string folder = path.substr(0, at);
    if (auto made = target.create_directory(folder); !made) return made;
    const auto slash = folder.rfind('/');
    const std::string parent = slash == folder.npos ? std::string() : folder.substr(0, slash);
    if (auto synced = target.sync_directory(parent); !synced) return synced;
  }
  return write_whole(target, path, *text);
}

}  // namespace

Result<std::vector<Finding>> check(const Repository& repository, const Pace& pace) {
  std::vector<Finding> findings;
  for (const auto& path : repository.unreadable()) findings.push_back({path, does_not_fit});
  std::map<std::string, Lengths> segments;
  std::map<std::string, const FileEntry*> files;
  for (const auto& generation : repository.generations()) {
    for (const auto& one : generation.manifest.segments) segments[segment_file(one)].emplace(one.length, one.sha256);
    for (const auto& one : generation.manifest.files) files[content_file(one.sha256)] = &one;
  }
  for (const auto& [path, lengths] : segments) {
    if (auto checked = check_segment(repository.disk(), path, lengths, pace, findings); !checked) {
      return failed(checked);
    }
  }
  for (const auto& [path, file] : files) {
    auto text = read(repository, *file);
    if (!text) findings.push_back({path, text.error().code == file_is_damaged ? does_not_fit : text.error().cause});
    if (auto went = pace(file->size); !went) return failed(went);
  }
  return findings;
}

Result<bool> restorable_to(world::Disk& target) {
  auto names = target.list("");
  if (!names) return failed(names);
  const auto has = [&](std::string_view name) { return std::ranges::find(*names, name) != names->end(); };
  return names->empty() || (has(unfinished) && !has("log"));
}

Result<std::vector<Finding>> restore(const Repository& repository, const Generation& generation, world::Disk& target,
                                     const Pace& pace, Since since) {
  auto fits = restorable_to(target);
  if (!fits) return failed(fits);
  if (!*fits) return failure(Failure::Kind::refused, "F-8005", "The data folder is not empty", target.root());
  std::vector<Finding> findings;
  if (auto made = target.create_directory(unfinished); !made) return failed(made);
  if (auto synced = target.sync_directory(""); !synced) return failed(synced);
  for (const auto& segment : generation.manifest.segments) {
    if (auto put = put_segment(repository.disk(), segment, target, pace, findings); !put) return failed(put);
  }
  for (const auto& file : generation.manifest.files) {
    if (auto put = put_file(repository, file, target, findings); !put) return failed(put);
  }
  const std::string mark = std::string(unfinished) + std::string(store::restored_mark.substr(3));
  if (since == Since::lost) {
    if (auto marked = write_whole(target, mark, {}); !marked) return failed(marked);
  } else if (target.exists(mark).value_or(false)) {  // Of a run that was broken off.
    if (auto removed = target.remove(mark); !removed) return failed(removed);
  }
  if (auto synced = target.sync_directory(unfinished); !synced) return failed(synced);
  if (auto named = target.rename(unfinished, "log"); !named) return failed(named);
  if (auto synced = target.sync_directory(""); !synced) return failed(synced);
  return findings;
}

}  // namespace facteur::backup
