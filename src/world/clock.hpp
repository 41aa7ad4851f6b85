// The door to time.
#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "base/wait.hpp"

namespace facteur::world {

class Clock {
 public:
  virtual ~Clock() = default;

  virtual Instant now() const = 0;  // Monotonic: for intervals and deadlines.
  virtual UtcTime utc() const = 0;  // Calendar: for headers, logs, certificates. May jump.

  // Returns at `deadline` (false) or, if `wakeup` is given, as soon as it has fired (true). The caller clears it.
  // Resumes on the shard it was called from.
  virtual Task<bool> sleep_until(Instant deadline, Wakeup* wakeup = nullptr) = 0;
};

}  // namespace facteur::world
