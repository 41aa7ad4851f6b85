// The brake on guessing passwords (DEMAND.md row 25): per source and login, and per login over all sources, in memory,
// bounded. Pure: the time is an input. One object per shard; a login belongs to one shard.
//
// A source that logged in well is let through whatever others do; its own wrong tries only make it slower.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "base/wait.hpp"
#include "directory/guess_budget.hpp"
#include "directory/guesses.hpp"
#include "directory/recent.hpp"
#include "directory/remembered.hpp"

namespace facteur::directory {

class Brake {
 public:
  static constexpr Duration first_delay = 500ms;
  static constexpr Duration longest_delay = 60s;
  static constexpr Duration longest_hold = 5s;          // A refusal is not held back longer than this.
  static constexpr Duration forgotten_after = 1h;       // Without another wrong one.
  static constexpr Duration known_good_for = 24h * 30;  // An address that logged in well.

  static constexpr Duration longest_good_hold = 1s;  // Between two tries of a source that is known to be good.

  explicit Brake(std::size_t most_sources = 16384) : sources_(most_sources), good_(most_sources) {}

  void configure(std::uint64_t an_hour) { logins_.configure(an_hour); }  // Wrong passwords for one login.

  // Who tries what: the address (IPv6: its /64, which one host usually has) and the login.
  static std::string source(const IpAddress& from, std::string_view login);

  static std::string_view login_of(std::string_view source);

  // Whether this source may try now. Always true for one that is known to be good.
  bool may_try(const std::string& source, Instant now);
  bool known_good(const std::string& source, Instant now);
  // Of a source that is known to be good: when its next try is looked at.
  Instant next_try(const std::string& source, Instant now);

  // Takes one guess of a login: what it costs; nullopt when others have used them up. Give the cost back unless the
  // password was wrong.
  std::optional<Duration> take(const std::string& login, Instant now) { return logins_.take(login, now); }
  void give_back(const std::string& login, Duration cost) { logins_.give_back(login, cost); }

  struct Wrong {
    Duration hold{};     // How long to hold the refusal back.
    bool again = false;  // The same wrong password as last time: it does not count.
  };
  // A try went wrong. `proof` tells wrong passwords apart: the same one again counts once; empty always counts.
  Wrong went_wrong(const std::string& source, std::string_view proof, Instant now);
  void went_well(const std::string& source, Instant now);

  // What counts at the moment; and the end of that. `name` as in guesses(); empty: all.
  void tell(std::vector<Guesses>& into, Instant now) const;
  std::size_t forget(const std::string& name, Instant now);

  // For the next process. No proofs: the same wrong password counts once more there.
  void remember(std::vector<Remembered>& into, const BothClocks& clocks) const;
  void recall(const Remembered& one, const BothClocks& clocks);

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

  static Duration delay_of(unsigned wrong);

  Recent<State> sources_;
  Recent<Instant> good_;
  GuessBudget logins_;
};

}  // namespace facteur::directory
