// Memory for headers that have not come to their end yet, of all connections of one role together. What each may hold
// is small; beyond that they share one amount, of which one network has a quarter at most, so that thousands of
// strangers with a megabyte each neither fill the machine (RELIABILITY G11) nor each other's way. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace facteur::reception {

class LargeHeaders {
 public:
  static constexpr std::size_t own = 64 * 1024;                       // Of each message, not counted.
  static constexpr std::size_t most = std::size_t{64} * 1024 * 1024;  // Of all others together.
  static constexpr std::size_t most_of_network = most / 4;

  // What one message holds; gives it back when it goes.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), network_(std::move(other.network_)), octets_(other.octets_) {}
    Hold& operator=(Hold&& other) noexcept {
      release();
      of_ = std::exchange(other.of_, nullptr);
      network_ = std::move(other.network_);
      octets_ = other.octets_;
      return *this;
    }
    ~Hold() { release(); }

    // False: there is no room for so many octets in all now. `network`: the same at each call; empty for one that is
    // not counted by itself.
    bool grow(LargeHeaders& of, const std::string& network, std::size_t octets) {
      const std::size_t wanted = octets > own ? octets - own : 0;
      const std::size_t now = of_ ? octets_ : 0;
      if (wanted <= now) return true;
      if (!of.take(network, wanted - now)) return false;
      of_ = &of;
      network_ = network;
      octets_ = wanted;
      return true;
    }
    void release() {
      if (auto* of = std::exchange(of_, nullptr)) of->give_back(network_, octets_);
    }

   private:
    LargeHeaders* of_ = nullptr;  // Null: it holds nothing.
    std::string network_;
    std::size_t octets_ = 0;
  };

  std::size_t held() const {
    const std::lock_guard guard(mutex_);
    return held_;
  }

 private:
  bool take(const std::string& network, std::size_t octets) {
    const std::lock_guard guard(mutex_);
    if (octets > most - held_) return false;
    if (!network.empty()) {
      const auto found = networks_.find(network);
      if (octets > most_of_network - (found == networks_.end() ? 0 : found->second)) return false;
      networks_[network] += octets;
    }
    held_ += octets;
    return true;
  }
  void give_back(const std::string& network, std::size_t octets) {
    const std::lock_guard guard(mutex_);
    held_ -= octets;
    const auto found = networks_.find(network);
    if (found != networks_.end() && (found->second -= octets) == 0) networks_.erase(found);
  }

  mutable std::mutex mutex_;
  std::size_t held_ = 0;
  std::map<std::string, std::size_t> networks_;  // Of those that hold something.
};

// One for each Role: what strangers send takes nothing from our users and from LMTP.
using LargeHeadersByRole = std::array<LargeHeaders, 3>;

}  // namespace facteur::reception
