// What the brakes on guessing know of one source, login or network, as it outlives the process: by the calendar, in
// whole seconds, without anything that follows from a password.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace facteur::directory {

struct Remembered {
  enum class What : char {
    wrong = 'w',         // A source: its last wrong password, and how many there were.
    good = 'g',          // A source that logged in well: the middle of the day when it did last.
    login = 'l',         // A login: when all its guesses will have come back.
    network = 'n',       // A network: the same.
    good_network = 'k',  // A network from which somebody logged in well: as good.
  };
  What what{};
  std::string key;  // As the brakes name it.
  UtcTime at;
  std::uint32_t wrong = 0;
  friend bool operator==(const Remembered&, const Remembered&) = default;
};

// Both clocks at one moment. The calendar may have jumped between two processes.
struct BothClocks {
  Instant now;
  UtcTime utc;

  // To the nearest second: what was recalled is remembered again as the same.
  UtcTime second_of(Instant at) const {
    const UtcTime exact = utc + (at - now);
    return UtcTime{UtcTime{exact.milliseconds + 500}.seconds() * 1000};
  }
  UtcTime noon_of(Instant at) const {
    constexpr std::int64_t day = 86'400'000;
    const std::int64_t milliseconds = (utc + (at - now)).milliseconds;
    return UtcTime{milliseconds - (milliseconds % day + day) % day + day / 2};
  }
  // At most `ahead` from now, and not older than anything is kept.
  Instant instant_of(UtcTime at, Duration ahead) const {
    constexpr std::int64_t oldest = 40LL * 86'400'000;
    const UtcTime near{std::clamp(at.milliseconds, utc.milliseconds - oldest, utc.milliseconds + oldest)};
    return std::min(now + (near - utc), now + ahead);
  }
};

}  // namespace facteur::directory
