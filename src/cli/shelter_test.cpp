// S80 of the attacks: what whoever has taken the server over can still reach. Each attempt is made by a process of its
// own that has entered the sandbox exactly as `facteur serve` does.
#include "cli/shelter.hpp"

#include <fcntl.h>
#include <linux/if_alg.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "rfc_test.hpp"
#include "roles/violation.hpp"
#include "store/folders.hpp"

using namespace facteur;
using namespace facteur::cli;
namespace fs = std::filesystem;

namespace {

constexpr int killed = 1000;  // Added to the number of a signal.
constexpr int not_entered = 200;

char program[] = "/bin/true";
char* arguments[] = {program, nullptr};

// Turns what a system call returns into 0 or its error.
int outcome(long returned) { return returned < 0 ? errno : 0; }

// A data folder, a configuration beside it, and things that belong to others.
struct Stage {
  fs::path home;
  config::Config config;

  Stage() {
    std::string name = fs::temp_directory_path() / "facteur-escape-XXXXXX";
    home = mkdtemp(name.data());
    for (const char* folder : {"data", "etc", "other"}) fs::create_directory(home / folder);
    for (const char* file : {"etc/facteur.toml", "other/mail"}) std::ofstream(home / file) << "secret\n";
    config.server.data = home / "data";
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() { fs::remove_all(home); }

  std::string path(const char* name) const { return (home / name).native(); }

  // What became of it: 0 (it succeeded), an error number, or killed + signal. `report` takes the violations.
  int attempt(const std::function<int()>& escape, int report = -1) const {
    return attempt_in(whole_shelter(config, path("etc/facteur.toml")), escape, report);
  }
  int attempt_as_server(const std::function<int()>& escape) const {
    return attempt_in(server_shelter(config, path("etc/facteur.toml")), escape, -1);
  }
  int attempt_as_keys(const std::function<int()>& escape) const { return attempt_in(keys_shelter(config), escape, -1); }

 private:
  int attempt_in(roles::SandboxOptions options, const std::function<int()>& escape, int report) const {
    options.report = report;
    const pid_t child = ::fork();
    if (child == 0) {
      if (report < 0) ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
      const auto sandbox = enter_shelter(config, options);
      ::_exit(sandbox.missing.empty() ? escape() : not_entered);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? killed + WTERMSIG(status) : WEXITSTATUS(status);
  }
};

// Whether this machine and this build have everything; said once if not.
bool possible(const Stage& stage) {
  const bool out = stage.attempt([] { return 0; }) != not_entered;
  if (!out) MESSAGE("skipped: no seccomp or Landlock here, or a build with a sanitizer");
  return out;
}

int open_it(const std::string& path, int flags = O_RDONLY) { return outcome(::open(path.c_str(), flags, 0600)); }
int socket_of(int family, int type, int protocol = 0) { return outcome(::socket(family, type, protocol)); }

}  // namespace

TEST_CASE("S80: files of others are closed to the server, its own are open") {
  const Stage stage;
  if (!possible(stage)) return;
  for (const char* file : {"/etc/shadow", "/etc/passwd", "/root/.bashrc", "/proc/self/environ", "/proc/1/mem"}) {
    const int got = stage.attempt([&] { return open_it(file); });
    CHECK_MESSAGE((got == EACCES || got == ENOENT), file);
  }
  CHECK(stage.attempt([&] { return open_it(stage.path("other/mail")); }) == EACCES);
  CHECK(stage.attempt([&] { return open_it(stage.path("etc/facteur.toml"), O_WRONLY); }) == EACCES);
  CHECK(stage.attempt([&] { return open_it(stage.path("etc/new"), O_WRONLY | O_CREAT); }) == EACCES);
  CHECK(stage.attempt([&] { return open_it(stage.path("other/new"), O_WRONLY | O_CREAT); }) == EACCES);
  CHECK(stage.attempt([] { return open_it("/tmp/facteur-escaped", O_WRONLY | O_CREAT); }) == EACCES);
  CHECK(stage.attempt([] { return open_it("/etc/cron.d/facteur", O_WRONLY | O_CREAT); }) == EACCES);
  // Nothing of its own can be put elsewhere, and nothing of others be taken in.
  CHECK(stage.attempt([&] {
    open_it(stage.path("data/own"), O_WRONLY | O_CREAT);
    return outcome(::rename(stage.path("data/own").c_str(), stage.path("other/own").c_str()));
  }) != 0);
  CHECK(stage.attempt(
            [&] { return outcome(::link(stage.path("other/mail").c_str(), stage.path("data/mail").c_str())); }) != 0);

  CHECK(stage.attempt([&] { return open_it(stage.path("data/new"), O_RDWR | O_CREAT); }) == 0);
  CHECK(stage.attempt([&] { return open_it(stage.path("etc/facteur.toml")); }) == 0);
  CHECK(stage.attempt([] { return open_it("/etc/resolv.conf"); }) == 0);
}

TEST_CASE("S80: whoever tries to run a program, to look into another process or to become somebody else is ended") {
  const Stage stage;
  if (!possible(stage)) return;
  const pid_t parent = ::getpid();
  static int read_here = 0;
  static iovec ours{&read_here, sizeof read_here}, theirs{&read_here, sizeof read_here};
  const std::pair<const char*, std::function<int()>> escapes[] = {
      {"execve", [] { return outcome(::execve(program, arguments, nullptr)); }},
      {"execveat", [] { return outcome(::syscall(SYS_execveat, AT_FDCWD, program, arguments, nullptr, 0)); }},
      {"fork", [] { return outcome(::syscall(SYS_fork)); }},
      {"vfork", [] { return outcome(::syscall(SYS_vfork)); }},
      {"ptrace", [=] { return outcome(::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr)); }},
      {"process_vm_readv", [=] { return outcome(::process_vm_readv(parent, &ours, 1, &theirs, 1, 0)); }},
      {"process_vm_writev", [=] { return outcome(::process_vm_writev(parent, &ours, 1, &theirs, 1, 0)); }},
      {"pidfd_getfd", [=] { return outcome(::syscall(SYS_pidfd_getfd, 0, 0, 0)); }},
      {"setuid", [] { return outcome(::setuid(0)); }},
      {"setresgid", [] { return outcome(::syscall(SYS_setresgid, 0, 0, 0)); }},
      {"capset", [] { return outcome(::syscall(SYS_capset, nullptr, nullptr)); }},
      {"chroot", [] { return outcome(::chroot("/")); }},
      {"mount", [] { return outcome(::mount("none", "/tmp", "tmpfs", 0, nullptr)); }},
      {"unshare", [] { return outcome(::unshare(CLONE_NEWUSER)); }},
      {"bpf", [] { return outcome(::syscall(SYS_bpf, 0, nullptr, 0)); }},
      {"io_uring_setup", [] { return outcome(::syscall(SYS_io_uring_setup, 1, nullptr)); }},
      {"keyctl", [] { return outcome(::syscall(SYS_keyctl, 0, 0, 0, 0, 0)); }},
      {"mknod", [&] { return outcome(::mknod(stage.path("data/node").c_str(), S_IFIFO | 0600, 0)); }},
      {"symlink", [&] { return outcome(::symlink("/etc/shadow", stage.path("data/link").c_str())); }},
  };
  for (const auto& [name, escape] : escapes) CHECK_MESSAGE(stage.attempt(escape) == killed + SIGKILL, name);
}

TEST_CASE("S80: sockets of the kernel, other processes, memory that is run, and the sandbox itself: all refused") {
  const Stage stage;
  if (!possible(stage)) return;
  const std::pair<const char*, std::function<int()>> escapes[] = {
      {"netlink", [] { return socket_of(AF_NETLINK, SOCK_RAW); }},
      {"packet", [] { return socket_of(AF_PACKET, SOCK_DGRAM); }},
      {"vsock", [] { return socket_of(AF_VSOCK, SOCK_STREAM); }},
      {"alg", [] { return socket_of(AF_ALG, SOCK_SEQPACKET); }},
      {"raw", [] { return socket_of(AF_INET, SOCK_RAW, IPPROTO_ICMP); }},
      {"raw, with flags", [] { return socket_of(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6); }},
      {"kill", [] { return outcome(::kill(::getppid(), SIGTERM)); }},
      {"tgkill", [] { return outcome(::syscall(SYS_tgkill, ::getppid(), ::getppid(), SIGTERM)); }},
      {"a process by clone", [] { return outcome(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0)); }},
      {"a namespace by clone",
       [] { return outcome(::syscall(SYS_clone, CLONE_NEWUSER, nullptr, nullptr, nullptr, 0)); }},
      {"mmap to run",
       [] {
         void* const got = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return got == MAP_FAILED ? errno : 0;
       }},
      {"mprotect to run",
       [] {
         void* const got = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return outcome(::mprotect(got, 4096, PROT_READ | PROT_EXEC));
       }},
      {"dumpable", [] { return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }},
      {"no report", [] { return ::signal(SIGSYS, SIG_IGN) == SIG_ERR ? errno : 0; }},
      {"ioctl", [] { return outcome(::syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x")); }},
  };
  for (const auto& [name, escape] : escapes) CHECK_MESSAGE(stage.attempt(escape) == EPERM, name);
  CHECK(stage.attempt([] { return outcome(::syscall(SYS_clone3, nullptr, 0)); }) == ENOSYS);
#if defined(__x86_64__)
  // The numbers of another machine: 20 is getpid for 32-bit programs, and 0x40000000 + 39 is it for x32 ones.
  CHECK(stage.attempt([] {
    long got = 20;
    asm volatile("int $0x80" : "+a"(got) : : "memory", "r8", "r9", "r10", "r11");
    return 0;
  }) >= killed);
  CHECK(stage.attempt([] { return outcome(::syscall(0x40000000 + 39)); }) == killed + SIGSYS);
#endif
  CHECK(stage.attempt([] { return socket_of(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC); }) == 0);
  CHECK(stage.attempt([] { return socket_of(AF_INET6, SOCK_DGRAM); }) == 0);
  CHECK(stage.attempt([] { return socket_of(AF_UNIX, SOCK_STREAM); }) == 0);
}

TEST_CASE("S80: every refused call is told with its number, and a flood of them is cut") {
  const Stage stage;
  if (!possible(stage)) return;
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) == 0);
  const auto told = [&]() -> std::optional<roles::Violation> {
    char message[64];
    const ssize_t size = ::recv(ends[0], message, sizeof message, 0);
    if (size <= 0) return std::nullopt;
    return roles::read_violation(std::string_view(message, static_cast<std::size_t>(size)));
  };
  static_cast<void>(stage.attempt([] { return outcome(::execve(program, arguments, nullptr)); }, ends[1]));
  const auto deadly = told();
  REQUIRE(deadly);
  CHECK(deadly->call == SYS_execve);
  CHECK(deadly->deadly);
  const auto flood = [] {
    for (int i = 0; i < 1000; ++i) static_cast<void>(!::kill(1, 0));
    return 0;
  };
  CHECK(stage.attempt(flood, ends[1]) == 0);
  int reports = 0;
  while (const auto one = told()) {
    CHECK(one->call == SYS_kill);
    CHECK(!one->deadly);
    ++reports;
  }
  CHECK(reports == 50);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("S80: the server of three processes reaches no key, not even as root, and not by moving it either") {
  Stage stage;
  if (!possible(stage)) return;
  REQUIRE(furnish_data_folder(stage.config));
  fs::create_directory(stage.home / "data/keys");
  for (const char* file : {"data/keys/self-signed.key", "etc/own.key"}) std::ofstream(stage.home / file) << "key\n";
  stage.config.tls.certificates = {{stage.path("etc/own.crt"), stage.path("etc/own.key")}};
  const std::string own = stage.path("data/log/own"), made = stage.path("data/keys/self-signed.key");

  CHECK(stage.attempt_as_server([&] { return open_it(made); }) == EACCES);
  CHECK(stage.attempt_as_server([&] { return open_it(made, O_WRONLY); }) == EACCES);
  CHECK(stage.attempt_as_server([&] { return open_it(stage.path("etc/own.key")); }) == EACCES);
  CHECK(stage.attempt_as_server([&] { return outcome(::rename(made.c_str(), own.c_str())); }) != 0);
  CHECK(stage.attempt_as_server([&] { return outcome(::link(made.c_str(), own.c_str())); }) != 0);
  CHECK(stage.attempt_as_server([&] {
    return outcome(::rename(stage.path("data/keys").c_str(), stage.path("data/log/keys").c_str()));
  }) != 0);
  CHECK(stage.attempt_as_server([&] { return outcome(::chmod(made.c_str(), 0666)) != 0 ? 0 : open_it(made); }) ==
        EACCES);

  CHECK(stage.attempt_as_server([&] { return open_it(own, O_RDWR | O_CREAT); }) == 0);
  for (const auto folder : store::own_folders) {
    const std::string in = stage.path("data/") + std::string(folder);
    CHECK_MESSAGE(stage.attempt_as_server([&] { return open_it(in + "/new", O_RDWR | O_CREAT); }) == 0, in);
    CHECK(stage.attempt_as_server([&] { return outcome(::unlink((in + "/new").c_str())); }) == 0);
    // One that is made anew would be closed.
    CHECK(stage.attempt_as_server([&] { return outcome(::rmdir(in.c_str())); }) == EACCES);
  }
  CHECK(stage.attempt_as_server([&] { return open_it(stage.path("data/instance")); }) == 0);
  CHECK(stage.attempt_as_server([&] { return open_it(stage.path("etc/facteur.toml")); }) == 0);
  CHECK(stage.attempt_as_server([&] {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    stage.path("data/control.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    return outcome(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }) == 0);
}

TEST_CASE("S80: the keys open no mail and no connection, write nothing and run nothing") {
  Stage stage;
  if (!possible(stage)) return;
  REQUIRE(furnish_data_folder(stage.config));
  fs::create_directory(stage.home / "data/keys");
  for (const char* file : {"data/keys/self-signed.key", "data/log/mail"}) std::ofstream(stage.home / file) << "x\n";
  const std::string made = stage.path("data/keys/self-signed.key");

  for (const char* file : {"data/log/mail", "data/instance", "etc/facteur.toml", "other/mail"}) {
    CHECK_MESSAGE(stage.attempt_as_keys([&] { return open_it(stage.path(file)); }) == EACCES, file);
  }
  CHECK(stage.attempt_as_keys([] { return open_it("/etc/shadow"); }) == EACCES);
  CHECK(stage.attempt_as_keys([&] { return open_it(made, O_WRONLY); }) == EPERM);
  CHECK(stage.attempt_as_keys([&] { return open_it(stage.path("data/keys/new"), O_WRONLY | O_CREAT); }) == EPERM);
  CHECK(stage.attempt_as_keys([&] { return outcome(::unlink(made.c_str())); }) == EPERM);
  CHECK(stage.attempt_as_keys([] { return socket_of(AF_INET, SOCK_STREAM); }) == EPERM);
  CHECK(stage.attempt_as_keys([] { return socket_of(AF_UNIX, SOCK_STREAM); }) == EPERM);
  CHECK(stage.attempt_as_keys([] { return outcome(::connect(0, nullptr, 0)); }) == EPERM);
  CHECK(stage.attempt_as_keys([] { return outcome(::execve(program, arguments, nullptr)); }) == killed + SIGKILL);
  CHECK(stage.attempt_as_keys([] { return outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }) ==
        killed + SIGKILL);
  CHECK(stage.attempt_as_keys([&] { return open_it(made); }) == 0);
}

TEST_CASE("the folder around a file is opened for it, but never a folder that holds everything") {
  CHECK(around("/etc/facteur/facteur.toml").front() == "/etc/facteur");
  CHECK(around("/etc/facteur.toml").front() == "/etc/facteur.toml");
  CHECK(around("/facteur.toml").front() == "/facteur.toml");
  CHECK(around("/home/x.toml").front() == "/home/x.toml");
  CHECK(around("/srv/../etc/x.toml").front() == "/etc/x.toml");
  CHECK(around("/etc/facteur/facteur.toml", {"/etc/facteur/keys/a.key"}).front() == "/etc/facteur/facteur.toml");
  CHECK(around("/etc/facteur/facteur.toml", {"/etc/facteur-keys/a.key"}).front() == "/etc/facteur");
}
