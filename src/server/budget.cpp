#include "server/budget.hpp"

#include <algorithm>

namespace facteur::server {

namespace {

IpAddress counted_as(IpAddress address) {
  if (address.v6) std::fill(address.octets.begin() + 8, address.octets.end(), std::uint8_t{0});
  return address;
}

}  // namespace

void ConnectionBudget::configure(Most most) {
  const std::lock_guard lock(mutex_);
  most_ = most;
}

std::optional<ConnectionBudget::Ticket> ConnectionBudget::admit(const IpAddress& from) {
  const IpAddress key = counted_as(from);
  const std::lock_guard lock(mutex_);
  if (open_ >= most_.connections) return std::nullopt;
  const auto found = by_address_.find(key);
  if (found != by_address_.end() && found->second >= most_.per_address && !from.is_loopback()) return std::nullopt;
  ++open_;
  ++by_address_[key];
  return std::optional<Ticket>(std::in_place, *this, key);
}

void ConnectionBudget::give_back(const IpAddress& key) {
  const std::lock_guard lock(mutex_);
  --open_;
  const auto found = by_address_.find(key);
  if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
}

std::uint64_t ConnectionBudget::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace facteur::server
