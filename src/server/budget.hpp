// How many connections may be open at once: all together, and from one address.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/ip_address.hpp"

namespace facteur::server {

// Thread-safe: one for all shards.
class ConnectionBudget {
 public:
  struct Most {
    std::uint64_t connections = 0;
    std::uint64_t per_address = 0;  // IPv6: per /64. Loopback is not counted.
  };
  explicit ConnectionBudget(Most most) : most_(most) {}
  void configure(Most most);  // Open connections stay.

  // One place in the budget, given back when it goes.
  class Ticket {
   public:
    Ticket(ConnectionBudget& budget, IpAddress key) : budget_(&budget), key_(key) {}
    Ticket(Ticket&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), key_(other.key_) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (budget_) budget_->give_back(key_);
    }

   private:
    ConnectionBudget* budget_;
    IpAddress key_;
  };
  std::optional<Ticket> admit(const IpAddress& from);  // nullopt: turn it away.

  std::uint64_t open() const;

 private:
  void give_back(const IpAddress& key);

  mutable std::mutex mutex_;
  Most most_;
  std::uint64_t open_ = 0;
  std::map<IpAddress, std::uint64_t> by_address_;  // Only of those who are connected now, so bounded by open_.
};

}  // namespace facteur::server
