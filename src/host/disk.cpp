#include "host/disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>

#include "host/errors.hpp"
#include "host/mapped_pages.hpp"

namespace facteur::host {

namespace {

std::unexpected<Failure> disk_failure(std::string_view code, std::string_view call, std::string_view path, int error) {
  // Nothing here is permanent: space comes back, and what is missing may be restored.
  const char* text = error == ENOSPC || error == EDQUOT ? "The disk is full" : "The disk cannot be used";
  return failure(Failure::Kind::temporary, code, text, system_error(call, error) + ": " + std::string(path));
}

// Opens below `directory`, never through a symbolic link or out of it.
int open_below(int directory, std::string_view path, int flags) {
  const std::string name(path.empty() ? "." : path);
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.mode = flags & O_CREAT ? 0600 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const long fd = ::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how);
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  // A kernel or a sandbox without openat2: the last part of the path is still not followed.
  if (name.starts_with('/') || name.find("..") != name.npos) return errno = EXDEV, -1;
  return ::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

class File final : public world::File {
 public:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~File() override {
    for (auto& window : windows_) {
      window.guard.reset();
      ::munmap(window.memory, window.length);
    }
    if (fd_ >= 0) ::close(fd_);
  }

  Result<std::uint64_t> size() override;
  Result<std::size_t> read_at(std::uint64_t offset, Room room) override;
  Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) override;
  Result<void> sync() override;
  Result<void> truncate(std::uint64_t size) override;
  Result<void> reserve(std::uint64_t size) override;
  Bytes map(std::uint64_t offset, std::size_t length) override;
  void give_back() override {
    ::close(fd_);
    fd_ = -1;
  }

 private:
  // A part of the file in memory; it may reach beyond the end, where nobody looks.
  struct Window {
    std::uint64_t offset;
    std::size_t length;
    void* memory;
    std::unique_ptr<GuardedPages> guard;
  };
  static constexpr std::uint64_t window_step = 64 << 20;

  bool reaches(std::uint64_t end);
  const char* mapped(std::uint64_t offset, std::size_t length);

  int fd_;
  std::string path_;
  std::atomic<std::uint64_t> known_size_{0};  // The file has been at least this long; lowered by truncate() only.
  std::mutex mapping_;
  std::vector<Window> windows_;  // Guarded by mapping_. They stay until the file is closed.
};

Result<std::uint64_t> File::size() {
  struct stat found{};
  if (::fstat(fd_, &found) != 0) return disk_failure("F-1080", "fstat", path_, errno);
  return static_cast<std::uint64_t>(found.st_size);
}

Result<std::size_t> File::read_at(std::uint64_t offset, Room room) {
  std::size_t got = 0;
  while (got < room.size()) {
    const auto size = ::pread(fd_, room.data() + got, room.size() - got, static_cast<off_t>(offset + got));
    if (size == 0) break;
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return disk_failure("F-1081", "pread", path_, errno);
    got += static_cast<std::size_t>(size);
  }
  return got;
}

Result<void> File::write_at(std::uint64_t offset, std::span<const Bytes> pieces) {
  constexpr std::size_t most = 256;
  std::array<iovec, most> vectors;
  std::size_t at = 0, within = 0;
  while (at < pieces.size()) {
    std::size_t n = 0;
    for (std::size_t i = at; i < pieces.size() && n < most; ++i) {
      const Bytes piece = i == at ? pieces[i].substr(within) : pieces[i];
      vectors[n++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    const auto size = ::pwritev(fd_, vectors.data(), static_cast<int>(n), static_cast<off_t>(offset));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return disk_failure("F-1082", "pwritev", path_, errno);
    auto written = static_cast<std::size_t>(size);
    offset += written;
    // A short write (the disk is nearly full, a signal): go on behind it, and find out why.
    while (at < pieces.size() && written >= pieces[at].size() - within) {
      written -= pieces[at].size() - within;
      ++at;
      within = 0;
    }
    within += written;
  }
  return {};
}

Result<void> File::sync() {
  if (::fdatasync(fd_) != 0) return disk_failure("F-1083", "fdatasync", path_, errno);
  return {};
}

Result<void> File::truncate(std::uint64_t size) {
  known_size_ = std::min<std::uint64_t>(known_size_, size);
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return disk_failure("F-1084", "ftruncate", path_, errno);
  return {};
}

Result<void> File::reserve(std::uint64_t size) {
  auto from = this->size();
  if (!from) return failed(from);
  static const std::string zeros(1 << 20, '\0');
  for (std::uint64_t at = *from; at < size; at += zeros.size()) {
    const Bytes piece =
        Bytes(zeros).substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), size - at)));
    if (auto written = world::File::write_at(at, piece); !written) return written;
  }
  return {};
}

bool File::reaches(std::uint64_t end) {
  if (end <= known_size_) return true;
  const auto size = this->size();
  if (!size) return false;
  known_size_ = *size;
  return end <= *size;
}

Bytes File::map(std::uint64_t offset, std::size_t length) {
  // A touch behind the end of the file would be fatal (SIGBUS).
  if (length == 0 || offset > UINT64_MAX - length || !reaches(offset + length)) return {};
  const char* memory = mapped(offset, length);
  return memory ? Bytes(memory, length) : Bytes();
}

// Windows begin at multiples of window_step and are twice as long, so that all that is not longer than a step lies
// inside of one, and a file has few of them however often it is asked.
const char* File::mapped(std::uint64_t offset, std::size_t length) {
  const std::lock_guard lock(mapping_);
  for (const auto& window : windows_) {
    if (offset >= window.offset && offset + length <= window.offset + window.length) {
      return static_cast<const char*>(window.memory) + (offset - window.offset);
    }
  }
  const std::uint64_t begin = offset / window_step * window_step;
  const std::uint64_t steps = std::max<std::uint64_t>(2, (offset + length - begin + window_step - 1) / window_step);
  const auto size = static_cast<std::size_t>(steps * window_step);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, static_cast<off_t>(begin));
  if (memory == MAP_FAILED) return nullptr;
  windows_.push_back({begin, size, memory, std::make_unique<GuardedPages>(memory, size)});
  return static_cast<const char*>(memory) + (offset - begin);
}

// The folder a path lies in, opened safely, and its last name.
struct Place {
  int directory = -1;
  std::string name;

  Place(int root, std::string_view path) {
    const std::size_t slash = path.rfind('/');
    directory = open_below(root, slash == path.npos ? std::string_view() : path.substr(0, slash), O_PATH | O_DIRECTORY);
    name = path.substr(slash == path.npos ? 0 : slash + 1);
    if (directory >= 0 && (name.empty() || name == "." || name == "..")) {
      ::close(directory);
      directory = -1;
      errno = EINVAL;
    }
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    if (directory >= 0) ::close(directory);
  }
};

}  // namespace

Result<std::unique_ptr<Disk>> Disk::open_root(const std::string& path) {
  for (std::size_t at = path.find('/', 1); !path.empty(); at = path.find('/', at + 1)) {
    if (::mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST) {
      return disk_failure("F-1085", "mkdir", path, errno);
    }
    if (at == path.npos) break;
  }
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return disk_failure("F-1086", "open", path, errno);
  return std::unique_ptr<Disk>(new Disk(path, directory));
}

Disk::~Disk() { ::close(directory_); }

std::uint64_t Disk::unreadable_pages() const { return GuardedPages::unreadable(); }

Result<bool> Disk::lock() {
  if (::flock(directory_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return disk_failure("F-1087", "flock", root_, errno);
}

Result<std::unique_ptr<world::File>> Disk::open(std::string_view path, Mode mode) {
  const int flags = mode == Mode::read     ? O_RDONLY
                    : mode == Mode::write  ? O_RDWR
                    : mode == Mode::create ? O_RDWR | O_CREAT
                                           : O_RDWR | O_CREAT | O_EXCL;
  const int fd = open_below(directory_, path, flags);
  if (fd < 0) return disk_failure("F-1088", "openat", path, errno);
  return std::make_unique<File>(fd, std::string(path));
}

Result<void> Disk::rename(std::string_view from, std::string_view to) {
  const Place source(directory_, from), target(directory_, to);
  if (source.directory < 0 || target.directory < 0 ||
      ::renameat(source.directory, source.name.c_str(), target.directory, target.name.c_str()) != 0) {
    return disk_failure("F-1089", "renameat", from, errno);
  }
  return {};
}

Result<void> Disk::remove(std::string_view path) {
  const Place place(directory_, path);
  if (place.directory < 0) return disk_failure("F-1090", "openat", path, errno);
  if (::unlinkat(place.directory, place.name.c_str(), 0) == 0) return {};
  if (errno == EISDIR && ::unlinkat(place.directory, place.name.c_str(), AT_REMOVEDIR) == 0) return {};
  return disk_failure("F-1091", "unlinkat", path, errno);
}

Result<void> Disk::create_directory(std::string_view path) {
  const Place place(directory_, path);
  if (place.directory >= 0 && (::mkdirat(place.directory, place.name.c_str(), 0700) == 0 || errno == EEXIST)) return {};
  return disk_failure("F-1092", "mkdirat", path, errno);
}

Result<std::vector<std::string>> Disk::list(std::string_view path) {
  const int fd = open_below(directory_, path, O_RDONLY | O_DIRECTORY);
  DIR* const directory = fd >= 0 ? ::fdopendir(fd) : nullptr;
  if (!directory) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    return disk_failure("F-1093", "opendir", path, error);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  ::closedir(directory);
  if (error != 0) return disk_failure("F-1094", "readdir", path, error);
  std::ranges::sort(names);
  return names;
}

Result<bool> Disk::exists(std::string_view path) {
  const Place place(directory_, path);
  struct stat found{};
  if (place.directory >= 0 && ::fstatat(place.directory, place.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0) {
    return true;
  }
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return disk_failure("F-1095", "fstatat", path, errno);
}

Result<void> Disk::sync_directory(std::string_view path) {
  const int fd = open_below(directory_, path, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return disk_failure("F-1096", "openat", path, errno);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return disk_failure("F-1097", "fsync", path, error);
  return {};
}

Result<Disk::Space> Disk::space() {
  struct statvfs found{};
  if (::fstatvfs(directory_, &found) != 0) return disk_failure("F-1098", "fstatvfs", root_, errno);
  return Space{found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize};
}

}  // namespace facteur::host
