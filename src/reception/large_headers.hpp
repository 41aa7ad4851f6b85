// Memory for headers that have not come to their end yet, of all connections together. What each may hold is small;
// beyond that they share one amount, so that thousands of strangers with a megabyte each do not fill the machine
// (RELIABILITY G11). Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace facteur::reception {

class LargeHeaders {
 public:
  static constexpr std::size_t own = 64 * 1024;                       // Of each message, not counted.
  static constexpr std::size_t most = std::size_t{64} * 1024 * 1024;  // Of all others together.

  // What one message holds; gives it back when it goes.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : of_(other.of_), octets_(std::exchange(other.octets_, 0)) {}
    Hold& operator=(Hold&& other) noexcept {
      release();
      of_ = other.of_;
      octets_ = std::exchange(other.octets_, 0);
      return *this;
    }
    ~Hold() { release(); }

    // False: there is no room for so many octets now.
    bool grow(LargeHeaders& of, std::size_t octets) {
      const std::size_t wanted = octets > own ? octets - own : 0;
      if (wanted <= octets_) return true;
      const std::size_t more = wanted - octets_;
      if (of.held_.fetch_add(more) + more > most) {
        of.held_ -= more;
        return false;
      }
      of_ = &of;
      octets_ = wanted;
      return true;
    }
    void release() {
      if (octets_ > 0) of_->held_ -= std::exchange(octets_, 0);
    }

   private:
    LargeHeaders* of_ = nullptr;
    std::size_t octets_ = 0;
  };

  std::size_t held() const { return held_; }

 private:
  std::atomic<std::size_t> held_ = 0;
};

}  // namespace facteur::reception
