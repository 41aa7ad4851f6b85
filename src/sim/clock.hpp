// The clock of one simulated machine: monotonic time is the timeline's, the calendar may be set at will.
#pragma once

#include "sim/shards.hpp"
#include "world/clock.hpp"

namespace facteur::sim {

class Clock : public world::Clock {
 public:
  explicit Clock(Shards& shards, UtcTime start = UtcTime{1'790'000'000'000}) : shards_(shards), origin_(start) {}

  void step_wall(Duration by) { origin_ = origin_ + by; }  // Somebody sets the calendar.
  void set_wall(UtcTime to) { origin_ = to + (Instant{} - now()); }

  Instant now() const override { return shards_.timeline().now(); }
  UtcTime utc() const override { return origin_ + (now() - Instant{}); }
  Task<bool> sleep_until(Instant deadline, Wakeup* wakeup = nullptr) override;

 private:
  Shards& shards_;
  UtcTime origin_;  // The calendar at Instant 0.
};

}  // namespace facteur::sim
