// How many connections may be open at once: all together, from one address, and from one network.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <map>
#include <mutex>
#include <utility>

#include "base/ip_address.hpp"

namespace facteur::server {

// Thread-safe: one for all shards.
class ConnectionBudget {
 public:
  struct Most {
    std::uint64_t connections = 0;
    std::uint64_t per_address = 0;           // IPv6: per /64. Loopback is not counted.
    std::uint64_t per_network = UINT64_MAX;  // IPv4: per /24, IPv6: per /56 (RELIABILITY R7). Loopback is not counted.
  };
  explicit ConnectionBudget(Most most) : most_(most) {}
  void configure(Most most);  // Open connections stay.

  // One place in the budget, given back when it goes.
  class Ticket {
   public:
    Ticket(ConnectionBudget& budget, IpAddress from) : budget_(&budget), from_(from) {}
    Ticket(Ticket&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), from_(other.from_) {}
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket() {
      if (budget_) budget_->give_back(from_);
    }

   private:
    ConnectionBudget* budget_;
    IpAddress from_;
  };
  enum class Refusal : std::uint8_t {
    full,     // All places are taken: somebody else may give up one.
    crowded,  // Too many from where this one comes from.
  };
  std::expected<Ticket, Refusal> admit(const IpAddress& from);
  // A place beyond the limit of all together: somebody is just leaving, or it is the operator.
  std::expected<Ticket, Refusal> admit_beyond(const IpAddress& from);

  std::uint64_t open() const;

 private:
  std::expected<Ticket, Refusal> take(const IpAddress& from);  // The mutex is held.
  void give_back(const IpAddress& from);

  mutable std::mutex mutex_;
  Most most_;
  std::uint64_t open_ = 0;
  // Only of those who are connected now, so bounded by open_.
  std::map<IpAddress, std::uint64_t> by_address_;
  std::map<IpAddress, std::uint64_t> by_network_;
};

}  // namespace facteur::server
