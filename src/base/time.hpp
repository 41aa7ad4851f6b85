// Distinct types for time: Instant (monotonic, for deadlines), UtcTime (calendar, for people), Duration.
//
// There is no now() here: the time is an input, from world::Clock.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace facteur {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

// A point on a clock that only goes forward; its origin is unspecified and changes with each start of the machine.
struct Instant {
  std::int64_t nanoseconds = 0;

  static constexpr Instant never() { return Instant{INT64_MAX}; }  // A deadline that does not come.

  friend constexpr auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant at, Duration by) {  // Saturates, so never() + x is never().
    if (by.count() > 0 && at.nanoseconds > INT64_MAX - by.count()) return never();
    return Instant{at.nanoseconds + by.count()};
  }
  friend constexpr Duration operator-(Instant later, Instant earlier) {
    return Duration(later.nanoseconds - earlier.nanoseconds);
  }
};

// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds. May jump. Negative before 1970.
struct UtcTime {
  std::int64_t milliseconds = 0;

  constexpr std::int64_t seconds() const {  // Rounded down.
    return milliseconds >= 0 ? milliseconds / 1000 : -((-milliseconds + 999) / 1000);
  }
  friend constexpr auto operator<=>(UtcTime, UtcTime) = default;
  friend constexpr UtcTime operator+(UtcTime at, Duration by) {
    return UtcTime{at.milliseconds + std::chrono::duration_cast<std::chrono::milliseconds>(by).count()};
  }
  friend constexpr Duration operator-(UtcTime later, UtcTime earlier) {
    return std::chrono::milliseconds(later.milliseconds - earlier.milliseconds);
  }
};

}  // namespace facteur
