// The signals that people and service managers send to a server.
#pragma once

#include <csignal>
#include <functional>

#include "base/task.hpp"
#include "host/loop.hpp"

namespace facteur::host {

// Takes SIGTERM, SIGINT, SIGHUP and SIGUSR1 of this process; `arrived` is called on the loop's shard with the number.
// Must be made before any other thread starts, which inherits that they are blocked. SIGPIPE is ignored from then on.
class SystemSignals {
 public:
  SystemSignals(Loop& loop, std::function<void(int)> arrived);
  ~SystemSignals();

 private:
  Task<void> listen();

  std::function<void(int)> arrived_;
  sigset_t before_;
  Descriptor descriptor_;
  TaskGroup tasks_;
};

}  // namespace facteur::host
