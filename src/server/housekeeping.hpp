// What time ends: expunged mail, tombstones, and removed accounts, each after the time the configuration gives them.
//
// One account after the other, spread over a round (a day), so that the store is never busy with it. How far the round
// has come is durable: a restart goes on there. Time is counted on the monotonic clock from the calendar time at the
// start, so a calendar that jumps ahead ends nothing early.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/task.hpp"
#include "base/wait.hpp"
#include "config/schema.hpp"
#include "directory/admin.hpp"
#include "directory/directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "observe/event.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"

namespace facteur::server {

class Housekeeping {
 public:
  struct Doors {
    store::Engine& engine;
    const directory::Directory& directory;
    directory::Admin& admin;
    mailbox::Mailboxes& mailboxes;
    world::Clock& clock;
    observe::Scope scope;
  };
  Housekeeping(Doors doors, const config::Keeping& settings);

  Task<void> run(Wakeup& drain);  // Until `drain` fires. On the shard that calls it, like all below.
  void configure(const config::Keeping& settings) { settings_ = settings; }

  // For metrics; any thread.
  std::uint64_t rounds() const { return rounds_.load(); }      // Finished since the start.
  std::uint64_t accounts() const { return accounts_.load(); }  // Looked after since the start.
  std::uint64_t failures() const { return failures_.load(); }

 private:
  struct Round {
    UtcTime began;
    std::uint32_t last = 0;  // The account that was looked after last; 0: none yet.
  };
  struct Next {
    mailbox::AccountId account;
    std::optional<UtcTime> removed;  // When, if it was.
    std::size_t left = 0;            // With this one.
  };

  UtcTime now() const;
  Round stored_round();
  Task<void> store(Round round);
  Result<std::optional<Next>> next(std::uint32_t behind) const;
  Task<void> look_after(Next next);
  Task<Result<void>> end_account(mailbox::AccountId account);
  Task<void> finish(Round& round);
  Duration pause(const Round& round, std::size_t left) const;

  Doors doors_;
  config::Keeping settings_;
  Instant started_;
  UtcTime started_utc_;
  std::atomic<std::uint64_t> rounds_{0}, accounts_{0}, failures_{0};
};

}  // namespace facteur::server
