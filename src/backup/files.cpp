#include "backup/repository.hpp"

namespace facteur::backup {

Result<std::string> read_whole(world::Disk& disk, const std::string& path) {
  constexpr std::uint64_t most = 16 << 20;
  auto file = disk.open(path, world::Disk::Mode::read);
  if (!file) return failed(file);
  auto size = (*file)->size();
  if (!size) return failed(size);
  if (*size > most) return failure(Failure::Kind::permanent, "F-8000", "A file is too large", path);
  std::string text(static_cast<std::size_t>(*size), '\0');
  auto read = (*file)->read_at(0, Room(text.data(), text.size()));
  if (!read) return failed(read);
  text.resize(*read);
  return text;
}

Result<void> write_whole(world::Disk& disk, const std::string& path, Bytes content) {
  const std::string fresh = path + ".new";
  {
    auto file = disk.open(fresh, world::Disk::Mode::create);
    if (!file) return failed(file);
    if (auto emptied = (*file)->truncate(0); !emptied) return emptied;
    if (auto written = (*file)->write_at(0, content); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
  }
  if (auto named = disk.rename(fresh, path); !named) return named;
  const auto slash = path.rfind('/');
  return disk.sync_directory(slash == path.npos ? std::string() : path.substr(0, slash));
}

}  // namespace facteur::backup
