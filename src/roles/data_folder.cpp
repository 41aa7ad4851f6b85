#include "roles/data_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace facteur::roles {

namespace {

// Root's group may look into it: the keys are root, but without the right to look everywhere.
constexpr mode_t mode_of_data = 0750, mode_of_keys = 0700, mode_of_key = 0640;

std::unexpected<Failure> cannot(std::string_view code, const std::string& path) {
  return failure(Failure::Kind::permanent, code, "The data folder cannot be prepared",
                 path + ": " + std::strerror(errno));
}

class Folder {
 public:
  Folder(int below, const char* name) : fd_(::openat(below, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {}
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  // Without "." and "..".
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    DIR* const listed = ::fdopendir(::dup(fd_));
    if (!listed) return out;
    ::rewinddir(listed);
    while (const dirent* const one = ::readdir(listed)) {
      const std::string name = one->d_name;
      if (name != "." && name != "..") out.push_back(name);
    }
    ::closedir(listed);
    return out;
  }
  bool belongs_to(unsigned user) const {
    struct stat found{};
    return ::fstat(fd_, &found) == 0 && found.st_uid == user;
  }
  bool give_to(unsigned user, unsigned group, mode_t mode) const {
    return ::fchown(fd_, user, group) == 0 && ::fchmod(fd_, mode) == 0;
  }

 private:
  int fd_;
};

// What is below it; links themselves, not what they name.
bool give_content(const Folder& folder, const User& user, unsigned group, mode_t mode_of_files,
                  const std::string& except = {}) {
  bool good = folder.fd() >= 0;
  for (const auto& name : folder.names()) {
    if (name == except) continue;
    const Folder inner(folder.fd(), name.c_str());
    if (inner.fd() >= 0) {
      const bool keys = !except.empty() && name == "keys";
      const bool given =
          keys ? give_content(inner, user, 0, mode_of_key) && inner.give_to(user.user, 0, mode_of_data)
               : give_content(inner, user, group, mode_of_files) && inner.give_to(user.user, group, mode_of_keys);
      good = given && good;
      continue;
    }
    good = ::fchmodat(folder.fd(), name.c_str(), mode_of_files, AT_SYMLINK_NOFOLLOW) == 0 && good;
    good = ::fchownat(folder.fd(), name.c_str(), user.user, group, AT_SYMLINK_NOFOLLOW) == 0 && good;
  }
  return good;
}

}  // namespace

Result<void> give_data_folder(const std::string& path, const User& user, const std::string& except) {
  const Folder data(AT_FDCWD, path.c_str());
  if (!give_content(data, user, user.group, 0600, except) || !data.give_to(user.user, 0, mode_of_data)) {
    return failure(Failure::Kind::permanent, "F-6526", "The data folder cannot be given to the server's user",
                   path + ": " + std::strerror(errno));
  }
  return {};
}

Result<void> prepare_data_folder(const std::string& path, const User& user) {
  std::error_code none;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), none);
  const bool made = ::mkdir(path.c_str(), mode_of_data) == 0;
  const Folder data(AT_FDCWD, path.c_str());
  if (data.fd() < 0) return cannot("F-6520", path);
  if (made && !data.give_to(user.user, 0, mode_of_data)) return cannot("F-6521", path);
  if (!data.belongs_to(user.user)) {
    return failure(Failure::Kind::permanent, "F-6522", "The data folder belongs to somebody else",
                   path + " must belong to " + user.name + " (server.user): chown -R " + user.name + ": " + path +
                       "; or set server.processes = \"one\"");
  }
  if (!data.give_to(user.user, 0, mode_of_data)) return cannot("F-6523", path);
  if (::mkdirat(data.fd(), "keys", mode_of_keys) != 0 && errno != EEXIST) return cannot("F-6524", path + "/keys");
  const Folder keys(data.fd(), "keys");
  if (keys.fd() < 0 || !keys.give_to(0, 0, mode_of_keys)) return cannot("F-6525", path + "/keys");
  return {};
}

}  // namespace facteur::roles
