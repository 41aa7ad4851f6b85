#include "roles/sandbox.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "roles/system_calls.hpp"
#include "roles/violation.hpp"

namespace facteur::roles {

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FACTEUR_SANITIZED 1
#endif
#endif
#if defined(FACTEUR_SANITIZED)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

// Of newer kernels than the headers of Debian 12 (landlock(7)).
constexpr std::uint64_t truncate_file = 1ULL << 14;         // Version 3.
constexpr std::uint64_t bind_tcp = 1, connect_tcp = 2;      // Version 4.
constexpr std::uint64_t device_ioctl = 1ULL << 15;          // Version 5.
constexpr std::uint64_t abstract_sockets = 1, signals = 2;  // Version 6: what leaves the sandbox.
struct Ruleset {
  std::uint64_t files = 0, network = 0, scoped = 0;
};

constexpr std::uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t changing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK;
constexpr std::uint64_t sockets_only =
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_SOCK;
// Nobody may do these anywhere.
constexpr std::uint64_t never = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                LANDLOCK_ACCESS_FS_MAKE_SYM;

std::string reason(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// The rules of one process, as they are made.
class Rules {
 public:
  explicit Rules(int version) : version_(version) {}
  Rules(const Rules&) = delete;
  Rules& operator=(const Rules&) = delete;
  ~Rules() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool open(bool without_network) {
    Ruleset handled{.files = reading | write() | never};
    if (version_ >= 4 && without_network) handled.network = bind_tcp | connect_tcp;
    if (version_ >= 5) handled.files |= device_ioctl;
    if (version_ >= 6) handled.scoped = abstract_sockets | signals;
    const std::size_t size = version_ >= 6 ? 24 : version_ >= 4 ? 16 : 8;
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size, 0));
    return fd_ >= 0;
  }

  bool add(const std::string& path, std::uint64_t access) {
    const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR || errno == EACCES;  // What is not there needs no rule.
    struct stat found{};
    ::fstat(fd, &found);
    constexpr std::uint64_t of_files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | truncate_file;
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(found.st_mode) ? access : access & of_files;
    rule.parent_fd = fd;
    const bool added = ::syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    const int error = errno;
    ::close(fd);
    errno = error;
    return added;
  }

  bool enter() { return ::syscall(SYS_landlock_restrict_self, fd_, 0) == 0; }

  std::uint64_t write() const {
    std::uint64_t out = changing;
    if (version_ >= 2) out |= LANDLOCK_ACCESS_FS_REFER;
    if (version_ >= 3) out |= truncate_file;
    return out;
  }

 private:
  int version_;
  int fd_ = -1;
};

// The version in force, or 0 and why not.
int enter_landlock(const SandboxOptions& options, std::string& why) {
  const int version = landlock_version();
  if (version < 1) return why = reason("no Landlock"), 0;
  Rules rules(version);
  if (!rules.open(options.role == Role::keys)) return why = reason("landlock_create_ruleset"), 0;
  bool good = true;
  for (const auto& path : options.readable) good = rules.add(path, reading) && good;
  for (const auto& path : options.writable) good = rules.add(path, reading | rules.write()) && good;
  for (const auto& path : options.sockets) good = rules.add(path, sockets_only) && good;
  if (good && rules.enter()) return version;
  return why = reason("landlock"), 0;
}

bool enter_seccomp(Role role, std::string& why) {
  std::vector<sock_filter> code = filter_of(role);
  if (code.empty()) return why = "no system call filter for this machine", false;
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return true;
  return why = reason("seccomp"), false;
}

void limit(decltype(RLIMIT_CORE) resource, rlim_t most) {
  const rlimit both{most, most};
  static_cast<void>(::setrlimit(resource, &both));
}

}  // namespace

std::string Sandbox::text() const {
  std::string out = seccomp ? "seccomp" : "";
  if (landlock > 0) out += (out.empty() ? "" : ", ") + std::string("landlock ") + std::to_string(landlock);
  return out.empty() ? "none" : out;
}

int landlock_version() {
  return static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

Sandbox enter_sandbox(const SandboxOptions& options) {
  Sandbox out;
  if (sanitized) return out.missing = "this is a build with a sanitizer", out;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return out.missing = reason("no_new_privs"), out;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // Nobody of the same user may look into it.
  limit(RLIMIT_CORE, 0);
  report_violations(options.report, options.json);
  std::string paths, calls;
  out.landlock = enter_landlock(options, paths);
  out.seccomp = enter_seccomp(options.role, calls);
  out.missing = paths + (paths.empty() || calls.empty() ? "" : "; ") + calls;
  return out;
}

}  // namespace facteur::roles
