#include "host/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <pthread.h>

namespace facteur::host {

namespace {

sigset_t ours() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, number);
  return set;
}

int open_signals(sigset_t& before) {
  const sigset_t set = ours();
  pthread_sigmask(SIG_BLOCK, &set, &before);
  std::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

}  // namespace

SystemSignals::SystemSignals(Loop& loop, std::function<void(int)> arrived)
    : arrived_(std::move(arrived)), descriptor_(loop, open_signals(before_)) {
  tasks_.start(listen());
}

SystemSignals::~SystemSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Task<void> SystemSignals::listen() {
  for (;;) {
    signalfd_siginfo signal{};
    while (::read(descriptor_.fd(), &signal, sizeof signal) == sizeof signal) {
      arrived_(static_cast<int>(signal.ssi_signo));
    }
    Wait wait(descriptor_.loop(), Instant::never(), nullptr, &descriptor_.reader);
    const auto outcome = co_await wait;
    if (outcome == Wait::Outcome::closed) co_return;
  }
}

}  // namespace facteur::host
