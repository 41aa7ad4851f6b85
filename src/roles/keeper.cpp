#include "roles/keeper.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "host/network.hpp"
#include "roles/data_folder.hpp"
#include "roles/messages.hpp"
#include "roles/service_manager.hpp"
#include "roles/violation.hpp"

namespace facteur::roles {

namespace {

using Time = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds longest_wait{10'000};
constexpr std::chrono::seconds long_life{60};  // Who lived so long starts again at once.
constexpr int failed = 1;                      // An exit code.

// Both ends of a socket that keeps messages apart.
struct Pair {
  int ours = -1, theirs = -1;
};
Pair make_pair() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return {};
  return {ends[0], ends[1]};
}

// One of the two processes the keeper starts.
struct Child {
  const char* name;
  Role role;
  Pair channel{};     // theirs: its end.
  pid_t process = 0;  // 0: it does not run.
  Time::time_point begun{}, again{}, heard{};
  milliseconds wait{0};
  bool ready = false;  // It has started, and says that it is alive.
};

class Keeper {
 public:
  explicit Keeper(const KeeperOptions& options) : options_(options), scope_(options.sink) {}
  int run();

 private:
  bool prepare();
  Result<void> give_up_privileges();
  bool open_ports(std::vector<int>* opened);
  void close_ports(bool taken);
  static void renew_channel(Child& child);
  void start(Child& child);
  [[noreturn]] void become(const Child& child);
  std::vector<int> descriptors_of(const Child& child, std::string& text) const;
  void take_signals();
  void collect();
  void ended(Child& child, int status);
  void listen_to(Child& child);
  void obey(Message asked);
  bool receive(Child& child, std::string& message);
  std::string renew_keys();
  static void await_end(pid_t process);
  void watch();
  void watch(Child& child) const;
  int time_left() const;
  void stop(int number);
  std::unexpected<Failure> cannot(std::string_view code, const std::string& what) const {
    return failure(Failure::Kind::permanent, code, "The keeper cannot start", what + ": " + std::strerror(errno));
  }
  bool say(const Failure& why) const {
    scope_.event("keeper_failed").failure(why).level(observe::Level::error);
    return false;
  }

  const KeeperOptions& options_;
  const observe::Scope scope_;
  const ServiceManager manager_;
  std::map<Endpoint, std::vector<int>> listening_;
  std::set<Endpoint> fresh_;    // Opened for a configuration that the server has not taken yet.
  std::vector<Pair> channels_;  // ours: the server's ends.
  Child keys_{"keys", Role::keys}, server_{"server", Role::server};
  sigset_t before_{};
  const pid_t own_ = ::getpid();
  int signals_ = -1, program_ = -1;
  bool started_ = false, stopping_ = false, over_ = false;
  int code_ = 0;
};

// Binds what is new. False if something cannot be bound.
bool Keeper::open_ports(std::vector<int>* opened) {
  const auto wanted = options_.ports();
  if (!wanted) return true;
  bool good = true;
  for (const Port& port : *wanted) {
    auto& sockets = listening_[port.endpoint];
    while (sockets.size() < port.sockets) {
      const int fd = host::open_listener(port.endpoint);
      if (fd < 0) {
        const auto why = cannot("F-6530", "cannot listen on " + to_string(port.endpoint));
        good = say(why.error());
        break;
      }
      if (sockets.empty()) fresh_.insert(port.endpoint);
      sockets.push_back(fd);
      if (opened) opened->push_back(fd);
    }
    if (sockets.empty()) listening_.erase(port.endpoint);
  }
  return good;
}

// The server has taken the new configuration: closes what is not in it any more. Or not: closes what was new in it.
// A socket that nobody serves would let connections wait for ever.
void Keeper::close_ports(bool taken) {
  const auto wanted = options_.ports();
  std::erase_if(listening_, [&](const auto& entry) {
    const auto is_it = [&](const Port& port) { return port.endpoint == entry.first; };
    const bool gone = taken ? wanted && std::ranges::none_of(*wanted, is_it) : fresh_.contains(entry.first);
    if (!gone) return false;
    for (const int fd : entry.second) ::close(fd);
    return true;
  });
  fresh_.clear();
}

Result<void> Keeper::give_up_privileges() {
  // What is left of root: to become the user, to signal it, to bind low ports when the configuration changes.
  if (::geteuid() == 0) {
    auto kept = keep_capabilities({CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_NET_BIND_SERVICE});
    if (!kept) return kept;
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return cannot("F-6531", "no_new_privs");
  return {};
}

bool Keeper::prepare() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (options_.user) {
    if (auto folder = prepare_data_folder(options_.data, *options_.user); !folder) return say(folder.error());
  }
  if (!open_ports(nullptr)) return false;
  fresh_.clear();
  program_ = ::open("/proc/self/exe", O_PATH | O_CLOEXEC);
  keys_.channel = make_pair();
  server_.channel = make_pair();
  for (unsigned i = 0; i < options_.key_channels; ++i) channels_.push_back(make_pair());
  const auto broken = [](const Pair& pair) { return pair.ours < 0; };
  if (program_ < 0 || broken(keys_.channel) || broken(server_.channel) || std::ranges::any_of(channels_, broken)) {
    const auto why = cannot("F-6532", "descriptors");
    return say(why.error());
  }
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, &before_);
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (auto given = give_up_privileges(); !given) return say(given.error());
  scope_.event("keeper_started")
      .field("user", options_.user ? options_.user->name : "unchanged")
      .field("ports", listening_.size());
  return true;
}

std::vector<int> Keeper::descriptors_of(const Child& child, std::string& text) const {
  std::vector<int> out{child.channel.theirs};
  for (const Pair& pair : channels_) out.push_back(child.role == Role::keys ? pair.theirs : pair.ours);
  std::size_t sockets = 0;
  if (child.role == Role::server) {
    for (const auto& [endpoint, open] : listening_) {
      out.insert(out.end(), open.begin(), open.end());
      sockets += open.size();
    }
  }
  text = std::string(child.name) + " " + std::to_string(channels_.size()) + " " + std::to_string(sockets) + " " +
         std::to_string(options_.shards) + " " + std::to_string(own_);
  return out;
}

// In the new process: the descriptors of this role at 3 and up, in the order that inherited() expects, and no others.
void Keeper::become(const Child& child) {
  std::string text;
  std::vector<int> wanted = descriptors_of(child, text);
  const int above = 3 + static_cast<int>(wanted.size());
  const int program = ::fcntl(program_, F_DUPFD, above);
  for (int& fd : wanted) fd = ::fcntl(fd, F_DUPFD, above);
  int next = 3;
  for (const int fd : wanted) ::dup2(fd, next++);
  ::dup2(program, above);
  ::fcntl(above, F_SETFD, FD_CLOEXEC);
  ::close_range(static_cast<unsigned>(above) + 1, ~0U, 0);
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  ::setpgid(0, 0);  // Ctrl-C is for the keeper, who passes it on.
  ::setenv(role_variable, text.c_str(), 1);
  for (const char* of_ours : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(of_ours);
  // The keys stay root, who may read the files of keys, but without any capability.
  const auto other = child.role == Role::server && options_.user ? become_user(*options_.user)
                     : ::geteuid() == 0                          ? keep_capabilities({})
                                                                 : Result<void>();
  pass_no_capabilities();
  if (!other) {
    say(other.error());
    ::_exit(failed);
  }
  std::vector<char*> arguments;
  for (const auto& argument : options_.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::fexecve(above, arguments.data(), environ);
  const auto why = cannot("F-6533", "exec");
  say(why.error());
  ::_exit(failed);
}

// What was said to the one before is not for the next one.
void Keeper::renew_channel(Child& child) {
  const Pair fresh = make_pair();
  if (fresh.ours < 0) return;
  ::close(child.channel.ours);
  ::close(child.channel.theirs);
  child.channel = fresh;
}

void Keeper::start(Child& child) {
  if (child.role == Role::server && started_) {  // It reads the configuration as it is now.
    open_ports(nullptr);
    close_ports(true);
  }
  renew_channel(child);
  child.begun = child.heard = Time::now();
  child.ready = false;
  const pid_t process = ::fork();
  if (process == 0) become(child);
  child.process = process > 0 ? process : 0;
  if (process < 0) child.again = child.begun + longest_wait;
}

void Keeper::ended(Child& child, int status) {
  listen_to(child);  // Its last words.
  const bool by_signal = WIFSIGNALED(status);
  const int code = by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
  const pid_t process = std::exchange(child.process, 0);
  if (child.role == Role::server && (stopping_ || !started_)) {
    over_ = true;
    code_ = by_signal ? 128 + code : code;
    return;
  }
  if (stopping_) return;
  if (Time::now() - child.begun > long_life) child.wait = milliseconds(0);
  child.again = Time::now() + child.wait;
  scope_.event("process_ended")
      .level(observe::Level::error)
      .field("role", child.name)
      .field("process", process)
      .field(by_signal ? "signal" : "status", code)
      .field("starts_again_in_ms", child.wait.count());
  child.wait = std::min(longest_wait, std::max(milliseconds(100), child.wait * 2));
}

void Keeper::collect() {
  int status = 0;
  for (pid_t process; (process = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (process == server_.process) ended(server_, status);
    if (process == keys_.process) ended(keys_, status);
  }
}

void Keeper::stop(int number) {
  // No more connections; the server ends those it has.
  for (auto& [endpoint, sockets] : listening_) {
    for (const int fd : sockets) ::close(fd);
  }
  listening_.clear();
  manager_.tell("STOPPING=1");
  if (server_.process > 0) ::kill(server_.process, number);  // Asked twice, it ends at once.
  if (server_.process == 0) over_ = true;
  stopping_ = true;
}

void Keeper::take_signals() {
  signalfd_siginfo one{};
  while (::read(signals_, &one, sizeof one) == sizeof one) {
    const auto number = static_cast<int>(one.ssi_signo);
    if (number == SIGCHLD) {
      collect();
    } else if (number == SIGTERM || number == SIGINT) {
      stop(number);
    } else if (server_.process > 0) {
      ::kill(server_.process, number);
    }
  }
}

// New keys read the configuration, and may open what it names now. The old ones answer until the new ones can: those
// that cannot start change nothing. Questions wait in the channels meanwhile. Why not; empty: they are there.
std::string Keeper::renew_keys() {
  Child fresh{"keys", Role::keys};
  fresh.channel = make_pair();
  start(fresh);
  std::string problem = "the keys did not start in time";
  const auto end = Time::now() + longest_wait;
  for (bool waiting = fresh.process > 0; waiting && Time::now() < end;) {
    pollfd polled{fresh.channel.ours, POLLIN, 0};
    ::poll(&polled, 1, 20);
    for (std::string message; waiting && receive(fresh, message);) {
      waiting = message.front() != static_cast<char>(Message::started);
      if (!waiting) problem.clear();
      if (message.front() == static_cast<char>(Message::reason)) problem = message.substr(1);
    }
    if (waiting && ::waitpid(fresh.process, nullptr, WNOHANG) != 0) waiting = false, fresh.process = 0;
  }
  Child& unwanted = problem.empty() ? keys_ : fresh;
  if (unwanted.process > 0) {
    ::kill(unwanted.process, problem.empty() ? SIGTERM : SIGKILL);
    await_end(unwanted.process);
  }
  ::close(unwanted.channel.ours);
  ::close(unwanted.channel.theirs);
  if (problem.empty()) keys_ = fresh;
  return problem;
}

// A process that was told to end: it has two seconds for it. One that waits for a disk does not even end when killed.
void Keeper::await_end(pid_t process) {
  constexpr int most = 100;
  for (int i = 0; ::waitpid(process, nullptr, WNOHANG) == 0 && i < 2 * most; ++i) {
    if (i == most) ::kill(process, SIGKILL);
    ::poll(nullptr, 0, 20);
  }
}

void Keeper::obey(Message asked) {
  std::vector<int> opened;
  std::string problem;
  switch (asked) {
    case Message::started:
      if (!started_) manager_.tell("READY=1");
      started_ = server_.ready = true;
      return;
    case Message::ports:
      if (!stopping_ && options_.ports()) {
        open_ports(&opened);
        problem = renew_keys();
      }
      for (const int fd : opened) send_socket(server_.channel.ours, fd);
      send(server_.channel.ours, Message::last, problem);
      return;
    case Message::taken:
    case Message::not_taken:
      if (!stopping_) close_ports(asked == Message::taken);
      return;
    case Message::alive:
    case Message::reason:
    case Message::socket:
    case Message::last:
      return;
  }
}

// The next message of a process; its violations are told here. False: there is none now.
bool Keeper::receive(Child& child, std::string& message) {
  for (;;) {
    message.resize(longest_text + 1);
    const ssize_t size = ::recv(child.channel.ours, message.data(), message.size(), MSG_DONTWAIT);
    if (size <= 0) return false;
    message.resize(static_cast<std::size_t>(size));
    child.heard = Time::now();
    if (child.role == Role::keys && message.front() == static_cast<char>(Message::started)) child.ready = true;
    const auto violation = read_violation(message);
    if (!violation) return true;
    scope_.event("system_call_refused")
        .level(observe::Level::error)
        .field("role", child.name)
        .field("process", child.process)
        .field("call", violation->call)
        .field("ended", violation->deadly ? "true" : "false");
  }
}

void Keeper::listen_to(Child& child) {
  for (std::string message; receive(child, message);) {
    if (child.role == Role::server) obey(static_cast<Message>(message.front()));
  }
}

void Keeper::watch() {
  manager_.tell_alive();
  if (stopping_) return;
  // Until it has started, a server opens its store: that ends by itself, and killed it would begin anew for ever. Keys
  // only read some files.
  if (server_.ready) watch(server_);
  watch(keys_);
}

void Keeper::watch(Child& child) const {
  if (child.process == 0 || Time::now() - child.heard < options_.longest_silence) return;
  scope_.event("process_silent").level(observe::Level::error).field("role", child.name).field("process", child.process);
  ::kill(child.process, SIGKILL);
  child.heard = Time::now();
}

int Keeper::time_left() const {
  if (stopping_) return -1;
  int out = static_cast<int>(std::min(options_.longest_silence, milliseconds(5000)).count());
  for (const Child* child : {&keys_, &server_}) {
    if (child->process > 0) continue;
    const auto left = std::chrono::ceil<milliseconds>(child->again - Time::now()).count();
    out = std::min(out, static_cast<int>(std::max<long>(0, left)));
  }
  return out;
}

int Keeper::run() {
  if (!prepare()) return failed;
  while (!over_) {
    for (Child* child : {&keys_, &server_}) {
      if (!stopping_ && child->process == 0 && Time::now() >= child->again) start(*child);
    }
    pollfd polled[] = {{signals_, POLLIN, 0}, {server_.channel.ours, POLLIN, 0}, {keys_.channel.ours, POLLIN, 0}};
    ::poll(polled, std::size(polled), time_left());
    listen_to(server_);
    listen_to(keys_);
    take_signals();
    watch();
  }
  if (keys_.process > 0) {
    ::kill(keys_.process, SIGTERM);
    await_end(keys_.process);
  }
  return code_;
}

}  // namespace

int keep(const KeeperOptions& options) { return Keeper(options).run(); }

}  // namespace facteur::roles
