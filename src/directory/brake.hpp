// The brake on guessing passwords (DEMAND.md row 25): per source and login, in memory, bounded. Pure: the time is an
// input. One object per shard; a login belongs to one shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/wait.hpp"
#include "directory/recent.hpp"

namespace facteur::directory {

class Brake {
 public:
  static constexpr Duration first_delay = 500ms;
  static constexpr Duration longest_delay = 60s;
  static constexpr Duration longest_hold = 5s;          // A refusal is not held back longer than this.
  static constexpr Duration forgotten_after = 1h;       // Without another wrong one.
  static constexpr Duration known_good_for = 24h * 30;  // An address that logged in well.

  explicit Brake(std::size_t most_sources = 16384) : sources_(most_sources), good_(most_sources) {}

  // Who tries what: the address (IPv6: its /64, which one host usually has) and the login.
  static std::string source(const IpAddress& from, std::string_view login);

  // Whether this source may try now. Always true for one that is known to be good.
  bool may_try(const std::string& source, Instant now);

  // A try went wrong. `proof` tells wrong passwords apart: the same one again counts once; empty always counts.
  // Returns how long to hold the refusal back.
  Duration went_wrong(const std::string& source, std::string_view proof, Instant now);
  void went_well(const std::string& source, Instant now);

  // Tries of one source are looked at one after the other, so that many at once gain nothing. Keep the pointer while
  // waiting and while holding.
  std::shared_ptr<Turn> turn(const std::string& source);

 private:
  struct State {
    unsigned wrong = 0;
    Instant last{};
    Instant not_before{};
    std::string last_proof;
    std::weak_ptr<Turn> turn;
  };
  bool known_good(const std::string& source, Instant now);

  Recent<State> sources_;
  Recent<Instant> good_;
};

}  // namespace facteur::directory
