#include "roles/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace facteur::roles {

Pair Pair::make() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return {};
  return {ends[0], ends[1]};
}

void Pair::close() const {
  ::close(ours);
  ::close(theirs);
}

void Child::renew_channel() {
  const Pair fresh = Pair::make();
  if (fresh.ours < 0) return;
  channel.close();
  channel = fresh;
}

void Child::await_end() const {
  constexpr int most = 100;
  for (int i = 0; ::waitpid(process, nullptr, WNOHANG) == 0 && i < 2 * most; ++i) {
    if (i == most) ::kill(process, SIGKILL);
    ::poll(nullptr, 0, 20);
  }
}

void become(Role role, Start start, const observe::Scope& scope) {
  constexpr int failed = 1;  // An exit code.
  const auto end = [&scope](const Failure& why) {
    scope.event("keeper_failed").failure(why).level(observe::Level::error);
    ::_exit(failed);
  };
  const int above = 3 + static_cast<int>(start.descriptors.size());
  const int program = ::fcntl(start.program, F_DUPFD, above);
  for (int& fd : start.descriptors) fd = ::fcntl(fd, F_DUPFD, above);
  int next = 3;
  for (const int fd : start.descriptors) ::dup2(fd, next++);
  ::dup2(program, above);
  ::fcntl(above, F_SETFD, FD_CLOEXEC);
  ::close_range(static_cast<unsigned>(above) + 1, ~0U, 0);
  ::sigprocmask(SIG_SETMASK, &start.signals, nullptr);
  ::setpgid(0, 0);  // Ctrl-C is for the keeper, who passes it on.
  ::setenv(role_variable, start.role.c_str(), 1);
  for (const char* of_ours : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(of_ours);
  // The keys stay root, who may read the files of keys, but without any capability.
  const auto other = role == Role::server && start.user ? become_user(*start.user)
                     : ::geteuid() == 0                 ? keep_capabilities({})
                                                        : Result<void>();
  pass_no_capabilities();
  if (!other) end(other.error());
  std::vector<char*> arguments;
  for (const auto& argument : start.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::fexecve(above, arguments.data(), environ);
  const auto why = failure(Failure::Kind::permanent, "F-6533", "The keeper cannot start",
                           std::string("exec: ") + std::strerror(errno));
  end(why.error());
  std::abort();
}

}  // namespace facteur::roles
