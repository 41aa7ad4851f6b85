// How many wrong passwords are looked at: a number at once, and then one at a time as the hour goes by. Kept for each
// account, and for each network (DEMAND.md row 25, RELIABILITY S14). Bounded, in memory. Pure: the time is an input.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "directory/recent.hpp"

namespace facteur::directory {

class GuessBudget {
 public:
  // Half of `an_hour` at once, the other half spread over the hour, so that no hour sees more than `an_hour`.
  explicit GuessBudget(std::uint64_t an_hour = 100, std::size_t most_keys = 16384) : used_(most_keys) {
    configure(an_hour);
  }
  void configure(std::uint64_t an_hour) {
    at_once_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(an_hour / 2));
    each_ = Duration(1h) / at_once_;
  }

  // Takes one guess: what it costs; nullopt, and nothing taken, when there is none. `times` as many are allowed.
  std::optional<Duration> take(const std::string& key, Instant now, std::int64_t times = 1) {
    const Instant* empty_at = used_.find(key);
    const Instant from = empty_at ? std::max(*empty_at, now) : now;
    if (all_used(from, now, times)) return std::nullopt;
    used_.put(key, from + each(times));
    return each(times);
  }
  // It was no wrong guess after all. `cost`: what take() said, whatever a guess costs now.
  void give_back(const std::string& key, Duration cost) {
    if (Instant* empty_at = used_.find(key)) *empty_at = *empty_at + -cost;
  }

  struct Used {
    std::string key;
    std::int64_t guesses = 0;  // That count at the moment.
    bool all = false;          // None is left.
  };
  // Those of which guesses still count, the most recently used first. times(key): as many are allowed.
  template <class Times>
  std::vector<Used> used(Instant now, Times times) const {
    std::vector<Used> out;
    used_.each([&](const std::string& key, const Instant& empty_at) {
      if (empty_at <= now) return;
      const Duration one = each(times(key));
      out.push_back({key, (empty_at - now + one - Duration(1)) / one, all_used(empty_at, now, times(key))});
    });
    return out;
  }
  std::vector<Used> used(Instant now) const {
    return used(now, [](const std::string&) { return std::int64_t{1}; });
  }
  // visit(key, when all that was taken will have come back).
  template <class Visit>
  void each(Instant now, Visit visit) const {
    used_.each([&](const std::string& key, const Instant& empty_at) {
      if (empty_at > now) visit(key, empty_at);
    });
  }
  void recall(const std::string& key, Instant empty_at) { used_.put(key, empty_at); }
  bool clear(const std::string& key) { return used_.remove(key); }
  void clear() { used_.clear(); }

 private:
  Duration each(std::int64_t times) const { return each_ / times; }
  bool all_used(Instant empty_at, Instant now, std::int64_t times) const {
    return empty_at - now > (at_once_ * times - 1) * each(times);
  }

  std::int64_t at_once_ = 1;
  Duration each_{};
  Recent<Instant> used_;  // When all that was taken will have come back.
};

}  // namespace facteur::directory
