#include "host/programs.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "host/errors.hpp"
#include "host/loop.hpp"

namespace facteur::host {

namespace {

constexpr std::size_t most_output = 64 * 1024;

// A running child; killed and collected when this goes.
class Child {
 public:
  explicit Child(pid_t process) : process_(process) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (status_) return;
    ::kill(-process_, SIGKILL);
    ::kill(process_, SIGKILL);  // If it has not made its group yet.
    int status;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
  }
  pid_t process() const { return process_; }
  // Its exit status if it has ended.
  std::optional<int> ended() {
    int status = 0;
    if (!status_ && ::waitpid(process_, &status, WNOHANG) == process_) {
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return status_;
  }

 private:
  pid_t process_;
  std::optional<int> status_;
};

// The input as a file in memory, so that nobody waits for a program that does not read.
int input_file(Bytes input) {
  const int fd = ::memfd_create("input", MFD_CLOEXEC);
  for (std::size_t at = 0; fd >= 0 && at < input.size();) {
    const auto size = ::write(fd, input.data() + at, input.size() - at);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ::close(fd), -1;
    at += static_cast<std::size_t>(size);
  }
  if (fd >= 0) ::lseek(fd, 0, SEEK_SET);
  return fd;
}

int spawn(const std::vector<std::string>& argv, int input, int output, pid_t& process) {
  std::vector<char*> arguments;
  for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  std::array<char*, 2> environment{path, nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawn(&process, argv[0].c_str(), &actions, &attributes, arguments.data(), environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// Starts the program; `output` becomes what it writes.
Result<pid_t> start(const std::vector<std::string>& argv, Bytes input, int& output) {
  if (argv.empty() || !argv[0].starts_with('/')) {
    return failure(Failure::Kind::permanent, "F-1100", "A program is named by an absolute path");
  }
  int ends[2];
  const int in = input_file(input);
  if (in < 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    const int error = errno;
    if (in >= 0) ::close(in);
    return failure(Failure::Kind::temporary, "F-1101", "The program cannot be started", system_error("pipe", error));
  }
  pid_t process = 0;
  const int error = spawn(argv, in, ends[1], process);
  ::close(in);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    const bool lasting = error == ENOENT || error == EACCES || error == ENOEXEC;
    return failure(lasting ? Failure::Kind::permanent : Failure::Kind::temporary, "F-1102",
                   "The program cannot be started", system_error(argv[0], error));
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  output = ends[0];
  return process;
}

// Takes what there is. True: there is more to come.
bool take_output(Descriptor& from, std::string& to) {
  std::array<char, 16 * 1024> room;
  for (;;) {
    const auto size = ::read(from.fd(), room.data(), room.size());
    if (size > 0) {
      to.append(room.data(), std::min(static_cast<std::size_t>(size), most_output - to.size()));
    } else if (size == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN;
    }
  }
}

// A descriptor that becomes readable when the process ends. (glibc 2.36 declares pidfd_open without extern "C".)
int open_process(pid_t process) { return static_cast<int>(::syscall(SYS_pidfd_open, process, O_NONBLOCK)); }

std::unexpected<Failure> too_slow() { return failure(Failure::Kind::timed_out, "F-1103", "The program took too long"); }

}  // namespace

Task<Result<world::ProgramResult>> Programs::run(std::vector<std::string> argv, Bytes input, Instant deadline) {
  Loop& loop = Loop::here();
  int fd = -1;
  auto process = start(argv, input, fd);
  if (!process) co_return failed(process);
  Child child(*process);
  Descriptor output(loop, fd);
  world::ProgramResult result;
  while (take_output(output, result.output)) {
    Wait wait(loop, deadline, nullptr, &output.reader, Wait::Precision::exact);
    const auto outcome = co_await wait;
    if (outcome == Wait::Outcome::timed_out) co_return too_slow();
  }
  Descriptor exit(loop, open_process(child.process()));
  while (!child.ended()) {
    Wait wait(loop, deadline, nullptr, &exit.reader, Wait::Precision::exact);
    const auto outcome = co_await wait;
    if (outcome == Wait::Outcome::timed_out) co_return too_slow();
  }
  result.status = *child.ended();
  co_return result;
}

}  // namespace facteur::host
