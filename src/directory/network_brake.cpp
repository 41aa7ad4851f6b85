#include "directory/network_brake.hpp"

#include <algorithm>

namespace facteur::directory {

void NetworkBrake::configure(std::uint64_t an_hour) {
  const std::lock_guard lock(mutex_);
  guesses_.configure(an_hour);
}

std::string NetworkBrake::network(const IpAddress& from) {
  if (from.is_loopback()) return {};
  IpAddress network = from;
  std::fill(network.octets.begin() + (from.v6 ? 8 : 3), network.octets.end(), std::uint8_t{0});
  return to_string(network) + (from.v6 ? "/64" : "/24");
}

std::int64_t NetworkBrake::times(const std::string& network, Instant now) const {
  const Instant* last = good_.peek(network);
  return last && now - *last < known_good_for ? good_times : 1;
}

std::optional<Duration> NetworkBrake::take(const IpAddress& from, Instant now) {
  const std::string key = network(from);
  if (key.empty()) return Duration::zero();
  const std::lock_guard lock(mutex_);
  return guesses_.take(key, now, times(key, now));
}

void NetworkBrake::give_back(const IpAddress& from, Duration cost) {
  const std::lock_guard lock(mutex_);
  guesses_.give_back(network(from), cost);
}

void NetworkBrake::went_well(const IpAddress& from, Instant now) {
  const std::string key = network(from);
  if (key.empty()) return;
  const std::lock_guard lock(mutex_);
  good_.put(key, now);
}

void NetworkBrake::remember(std::vector<Remembered>& into, const BothClocks& clocks) const {
  const std::lock_guard lock(mutex_);
  guesses_.each(clocks.now, [&](const std::string& network, Instant empty_at) {
    into.push_back({Remembered::What::network, network, clocks.second_of(empty_at)});
  });
  good_.each([&](const std::string& network, const Instant& last) {
    if (clocks.now - last >= known_good_for) return;
    into.push_back({Remembered::What::good_network, network, clocks.noon_of(last)});
  });
}

void NetworkBrake::recall(const Remembered& one, const BothClocks& clocks) {
  const std::lock_guard lock(mutex_);
  if (one.what == Remembered::What::network) guesses_.recall(one.key, clocks.instant_of(one.at, 1h));
  if (one.what == Remembered::What::good_network) good_.put(one.key, clocks.instant_of(one.at, 12h));
}

std::vector<GuessBudget::Used> NetworkBrake::used(Instant now) const {
  const std::lock_guard lock(mutex_);
  return guesses_.used(now, [&](const std::string& key) { return times(key, now); });
}

bool NetworkBrake::clear(const std::string& network) {
  const std::lock_guard lock(mutex_);
  return guesses_.clear(network);
}

void NetworkBrake::clear() {
  const std::lock_guard lock(mutex_);
  guesses_.clear();
}

}  // namespace facteur::directory
