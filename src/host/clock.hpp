// The machine's clocks, and its source of chance.
#pragma once

#include "host/loop.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"

namespace facteur::host {

class Clock final : public world::Clock {
 public:
  Instant now() const override { return Loop::now(); }
  UtcTime utc() const override;
  // Late by at most about a millisecond.
  Task<bool> sleep_until(Instant deadline, Wakeup* wakeup = nullptr) override;
};

// getrandom(2), a few hundred octets at a time.
class Random final : public world::Random {
 public:
  void fill(Room room) override;
};

}  // namespace facteur::host
