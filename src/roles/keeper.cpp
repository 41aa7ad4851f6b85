#include "roles/keeper.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/mman.h>
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
#include <cstring>
#include <utility>

#include "roles/child.hpp"
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

class Keeper {
 public:
  explicit Keeper(const KeeperOptions& options)
      : options_(options), scope_(options.sink), listening_(options.ports, scope_) {}
  int run();

 private:
  bool prepare();
  Result<void> give_up_privileges();
  void start(Child& child);
  Start start_of(const Child& child, int kept) const;
  int kept_configuration(const Child& child);
  void take_signals();
  void collect();
  void ended(Child& child, int status);
  void listen_to(Child& child);
  void obey(Message asked);
  bool receive(Child& child, std::string& message);
  std::string renew_keys();
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
  Listening listening_;
  std::vector<Pair> channels_;  // ours: the server's ends.
  Child keys_{"keys", Role::keys}, server_{"server", Role::server};
  sigset_t before_{};
  const pid_t own_ = ::getpid();
  std::string good_;  // The last configuration that was.
  int signals_ = -1, program_ = -1;
  bool started_ = false, stopping_ = false, over_ = false;
  int code_ = 0;
};

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
  if (!listening_.open()) return false;
  listening_.close(true);  // All of it is in force.
  program_ = ::open("/proc/self/exe", O_PATH | O_CLOEXEC);
  keys_.channel = Pair::make();
  server_.channel = Pair::make();
  for (unsigned i = 0; i < options_.key_channels; ++i) channels_.push_back(Pair::make());
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
      .field("ports", listening_.ports());
  return true;
}

// Nothing may start with a configuration that is wrong now, and was right when it was read: a file with that one.
int Keeper::kept_configuration(const Child& child) {
  if (!options_.configuration) return -1;
  auto now = options_.configuration();
  if (now) good_ = std::move(*now);
  if (now || good_.empty()) return -1;
  scope_.event("configuration_kept")
      .level(observe::Level::error)
      .field("role", child.name)
      .field("problems", now.error().cause);
  const int fd = ::memfd_create("configuration", MFD_CLOEXEC);
  std::size_t written = 0;
  for (ssize_t size; written < good_.size(); written += static_cast<std::size_t>(size)) {
    size = ::write(fd, good_.data() + written, good_.size() - written);
    if (size <= 0) break;
  }
  if (written == good_.size()) return fd;
  ::close(fd);
  return -1;
}

Start Keeper::start_of(const Child& child, int kept) const {
  Start out{.program = program_,
            .signals = before_,
            .arguments = options_.arguments,
            .user = options_.user,
            .descriptors = {child.channel.theirs},
            .role = {}};
  for (const Pair& pair : channels_) out.descriptors.push_back(child.role == Role::keys ? pair.theirs : pair.ours);
  std::vector<int> sockets;
  if (child.role == Role::server) sockets = listening_.sockets();
  out.descriptors.insert(out.descriptors.end(), sockets.begin(), sockets.end());
  if (kept >= 0) out.descriptors.push_back(kept);
  for (const auto& one : {std::string(child.name), std::to_string(channels_.size()), std::to_string(sockets.size()),
                          std::to_string(options_.shards), std::to_string(own_), std::to_string(kept >= 0 ? 1 : 0)}) {
    out.role += one + " ";
  }
  return out;
}

void Keeper::start(Child& child) {
  if (child.role == Role::server && started_) {  // It reads the configuration as it is now.
    listening_.open();
    listening_.close(true);
  }
  const int kept = kept_configuration(child);
  child.renew_channel();
  child.begun = child.heard = Time::now();
  child.ready = false;
  const pid_t process = ::fork();
  if (process == 0) become(child.role, start_of(child, kept), scope_);
  if (kept >= 0) ::close(kept);
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
  listening_.close_all();
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
  fresh.channel = Pair::make();
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
    unwanted.await_end();
  }
  unwanted.channel.close();
  if (problem.empty()) keys_ = fresh;
  return problem;
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
      if (!stopping_ && listening_.readable()) {
        listening_.open(&opened);
        problem = renew_keys();
      }
      for (const int fd : opened) send_socket(server_.channel.ours, fd);
      send(server_.channel.ours, Message::last, problem);
      return;
    case Message::taken:
    case Message::not_taken:
      if (!stopping_) listening_.close(asked == Message::taken);
      if (asked == Message::taken && options_.configuration) good_ = options_.configuration().value_or(good_);
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
    keys_.await_end();
  }
  return code_;
}

}  // namespace

int keep(const KeeperOptions& options) { return Keeper(options).run(); }

}  // namespace facteur::roles
