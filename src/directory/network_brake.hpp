// Wrong passwords by the network they come from, whatever the login: against one password tried on many accounts
// (DEMAND.md row 25, RELIABILITY S14). One object for all shards; any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "directory/guess_budget.hpp"
#include "directory/remembered.hpp"

namespace facteur::directory {

class NetworkBrake {
 public:
  static constexpr std::int64_t good_times = 10;        // So many times more for networks people have logged in from.
  static constexpr Duration known_good_for = 24h * 30;  // After a login that went well.

  explicit NetworkBrake(std::uint64_t an_hour) : guesses_(an_hour) {}
  void configure(std::uint64_t an_hour);

  // IPv4: the /24. IPv6: the /64. Loopback has none: who comes from there is a proxy or webmail of many people.
  static std::string network(const IpAddress& from);

  // Takes one guess for a login from there: what it costs (nothing, where guesses are not counted); nullopt when the
  // network has used up its own. Give the cost back unless the password was wrong.
  std::optional<Duration> take(const IpAddress& from, Instant now);
  void give_back(const IpAddress& from, Duration cost);
  void went_well(const IpAddress& from, Instant now);

  void remember(std::vector<Remembered>& into, const BothClocks& clocks) const;
  void recall(const Remembered& one, const BothClocks& clocks);

  std::vector<GuessBudget::Used> used(Instant now) const;
  bool clear(const std::string& network);
  void clear();

 private:
  std::int64_t times(const std::string& network, Instant now) const;  // The mutex is held.

  mutable std::mutex mutex_;
  GuessBudget guesses_;
  Recent<Instant> good_{16384};
};

}  // namespace facteur::directory
