// All shards, the pool and the log lane of one simulated machine, on one thread, in an order drawn from the seed.
#pragma once

#include <coroutine>
#include <vector>

#include "base/time.hpp"
#include "base/wait.hpp"
#include "sim/timeline.hpp"
#include "world/shards.hpp"

namespace facteur::sim {

class Shards : public world::Shards {
 public:
  Shards(Timeline& timeline, unsigned count);
  ~Shards() override;

  // The machine has crashed: closures not yet run are dropped and none runs any more.
  void halt();
  bool halted() const { return halted_; }

  // Runs `what` as code of that shard, now (for tests and for the start of services).
  void run(unsigned shard, std::move_only_function<void()> what);
  // Plans it.
  Timeline::Ticket at(Instant when, unsigned shard, std::move_only_function<void()> what);

  Timeline& timeline() { return timeline_; }

  // ---- world::Shards. Code outside of any event counts as shard 0.
  unsigned count() const override { return count_; }
  unsigned current() const override;
  void post(unsigned shard, std::move_only_function<void()> work) override;
  void offload(Lane lane, std::move_only_function<void()> work) override;

 private:
  enum Where : unsigned { pool = 1, log = 2 };  // Senders that are no shards: count_ + these.

  Timeline& timeline_;
  unsigned count_;
  std::uint64_t owner_;
  unsigned current_ = 0;  // A shard, or count_ + Where.
  bool halted_ = false;
  std::vector<Instant> last_;  // Of each (sender, receiver): keeps the order of posting.
  Instant last_log_{};
};

// One wait of one coroutine inside the simulator: for signal(), a deadline, a bell, whichever is first.
//   Wait wait(shards, deadline, bell, &slot);  const auto how = co_await wait;
// While it waits, *slot points to it, so that others can signal(). Stands being destroyed while it waits.
class Wait {
 public:
  enum class Outcome : std::uint8_t { signalled, expired, belled };

  Wait(Shards& shards, Instant deadline, Wakeup* bell = nullptr, Wait** slot = nullptr)
      : shards_(shards), deadline_(deadline), bell_(bell), slot_(slot) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  ~Wait() { withdraw(); }

  void signal() { end(Outcome::signalled, shards_.timeline().soon(0us, 20us)); }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);
  Outcome await_resume() const { return outcome_; }

 private:
  void end(Outcome outcome, Instant when);
  void withdraw();

  Shards& shards_;
  Instant deadline_;
  Wakeup* bell_;
  Wait** slot_;
  Outcome outcome_ = Outcome::signalled;
  std::coroutine_handle<> waiter_;
  unsigned shard_ = 0;
  bool listening_ = false;
  bool ended_ = false;
  Timeline::Ticket ticket_;
};

}  // namespace facteur::sim
