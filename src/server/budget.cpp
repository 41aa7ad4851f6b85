#include "server/budget.hpp"

#include <algorithm>

namespace facteur::server {

namespace {

IpAddress only(IpAddress address, std::ptrdiff_t octets) {
  std::fill(address.octets.begin() + octets, address.octets.end(), std::uint8_t{0});
  return address;
}

// One host usually has a whole /64, one customer a /56.
IpAddress host_of(const IpAddress& address) { return address.v6 ? only(address, 8) : address; }
IpAddress network_of(const IpAddress& address) { return only(address, address.v6 ? 7 : 3); }

bool has(const std::map<IpAddress, std::uint64_t>& counts, const IpAddress& key, std::uint64_t most) {
  const auto found = counts.find(key);
  return found != counts.end() && found->second >= most;
}

void one_less(std::map<IpAddress, std::uint64_t>& counts, const IpAddress& key) {
  const auto found = counts.find(key);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

}  // namespace

void ConnectionBudget::configure(Most most) {
  const std::lock_guard lock(mutex_);
  most_ = most;
}

std::expected<ConnectionBudget::Ticket, ConnectionBudget::Refusal> ConnectionBudget::admit(const IpAddress& from) {
  const std::lock_guard lock(mutex_);
  if (open_ >= most_.connections) return std::unexpected(Refusal::full);
  return take(from);
}

std::expected<ConnectionBudget::Ticket, ConnectionBudget::Refusal> ConnectionBudget::admit_beyond(
    const IpAddress& from) {
  const std::lock_guard lock(mutex_);
  return take(from);
}

std::expected<ConnectionBudget::Ticket, ConnectionBudget::Refusal> ConnectionBudget::take(const IpAddress& from) {
  if (!from.is_loopback() &&
      (has(by_address_, host_of(from), most_.per_address) || has(by_network_, network_of(from), most_.per_network))) {
    return std::unexpected(Refusal::crowded);
  }
  ++open_;
  ++by_address_[host_of(from)];
  ++by_network_[network_of(from)];
  return std::expected<Ticket, Refusal>(std::in_place, *this, from);
}

void ConnectionBudget::give_back(const IpAddress& from) {
  const std::lock_guard lock(mutex_);
  --open_;
  one_less(by_address_, host_of(from));
  one_less(by_network_, network_of(from));
}

std::uint64_t ConnectionBudget::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace facteur::server
