#include "roles/violation.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "roles/system_calls.hpp"

namespace facteur::roles {

namespace {

constexpr char violation_message = 'V';
constexpr int most_reports = 50;

struct Report {
  char kind = violation_message;
  char deadly = 0;
  char unused[2]{};
  int call = 0;
};

// For the signal handler: set once, before the filter.
int to_keeper = -1;
bool as_json = true;
std::atomic<int> reports{0};

// Text made without memory of its own: this runs inside of a signal.
class Line {
 public:
  void add(std::string_view text) {
    for (const char c : text) {
      if (used_ < sizeof text_) text_[used_++] = c;
    }
  }
  void add(int number) {
    char digits[12];
    int used = 0;
    do {
      digits[used++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    while (used > 0) add(std::string_view(&digits[--used], 1));
  }
  void write() const { static_cast<void>(!::write(STDERR_FILENO, text_, used_)); }

 private:
  char text_[160];
  std::size_t used_ = 0;
};

void say(int call, bool deadly) {
  Line line;
  line.add(as_json ? R"({"level":"error","event":"system_call_refused","call":)" : "error system_call_refused call=");
  line.add(call);
  line.add(as_json ? R"(,"ended":)" : " ended=");
  line.add(deadly ? "true" : "false");
  line.add(as_json ? "}\n" : "\n");
  line.write();
}

void refused(int, siginfo_t* about, void* context) {
  const int error_before = errno;
  const int call = about->si_syscall;
  const bool deadly = is_deadly(call);
  if (deadly || reports.fetch_add(1) < most_reports) {
    const Report report{.deadly = static_cast<char>(deadly), .call = call};
    const bool told = to_keeper >= 0 && ::send(to_keeper, &report, sizeof report, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
    if (!told) say(call, deadly);
  }
  if (deadly) {
    ::syscall(SYS_tgkill, ::getpid(), static_cast<pid_t>(::syscall(SYS_gettid)), SIGKILL);
    ::_exit(128 + SIGSYS);
  }
#if defined(__x86_64__)
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
#else
  static_cast<void>(context);
#endif
  errno = error_before;
}

}  // namespace

void report_violations(int channel, bool json) {
  to_keeper = channel;
  as_json = json;
  struct sigaction action{};
  action.sa_sigaction = &refused;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGSYS, &action, nullptr);
}

std::optional<Violation> read_violation(std::string_view message) {
  Report report;
  if (message.size() != sizeof report || message.front() != violation_message) return std::nullopt;
  std::memcpy(&report, message.data(), sizeof report);
  return Violation{report.call, report.deadly != 0};
}

}  // namespace facteur::roles
