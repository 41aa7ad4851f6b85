// The event loop of one shard: descriptors (epoll, edge-triggered), deadlines, posted work, and the coroutines that
// wait for any of them.
//
// What makes it cheap: a descriptor is registered once; a deadline is an entry of a list, not a timer; a waiting
// coroutine is an object in its own frame, so that waiting allocates nothing and a destroyed frame just leaves its
// lists. No code of a coroutine runs while events are taken, so nothing can vanish under them.
#pragma once

#include <array>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "base/wait.hpp"

namespace facteur::host {

class Loop;

// A place in at most one list.
struct Link {
  Link* before = this;
  Link* after = this;

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { leave(); }

  bool alone() const { return after == this; }
  void leave() {
    before->after = after;
    after->before = before;
    before = after = this;
  }
  void append(Link& link) {  // *this is the list.
    link.before = before;
    link.after = this;
    before->after = &link;
    before = &link;
  }
};

// One suspended coroutine. Lives in its frame: Wait wait(loop, deadline); const auto outcome = co_await wait;
class Wait : private Link {
 public:
  enum class Outcome : std::uint8_t { ready, timed_out, woken, closed };
  // coarse: noticed up to 100 ms late, and almost free; exact: up to 1 ms.
  enum class Precision : std::uint8_t { coarse, exact };

  // `place` (a descriptor's reader or writer) points to this while it waits; it says who will call finish(). All of
  // them may be null or never.
  Wait(Loop& loop, Instant deadline, Wakeup* wakeup = nullptr, Wait** place = nullptr,
       Precision precision = Precision::coarse)
      : loop_(loop), deadline_(deadline), wakeup_(wakeup), place_(place), precision_(precision) {}
  ~Wait();

  bool await_ready() const { return wakeup_ && wakeup_->fired(); }
  void await_suspend(std::coroutine_handle<> frame);
  Outcome await_resume() const { return outcome_; }

  // Ends the wait: the coroutine goes on at the loop's next turn, never inside this call. Only the first one counts.
  void finish(Outcome outcome);

 private:
  friend class Loop;
  void forget();

  Loop& loop_;
  Instant deadline_;
  Wakeup* wakeup_;
  Wait** place_;
  std::coroutine_handle<> frame_;
  Precision precision_;
  Outcome outcome_ = Outcome::woken;
  bool waiting_ = false;
};

// A file descriptor of a loop. Closes it. Its owner reads and writes at once, and waits only after EAGAIN.
class Descriptor {
 public:
  // Takes `fd` (non-blocking). A loop that cannot watch it leaves both directions ready for ever, so that errors show.
  Descriptor(Loop& loop, int fd);
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void close();  // Waits end with closed.
  bool closed() const { return fd_ < 0; }
  int fd() const { return fd_; }
  Loop& loop() const { return loop_; }

  // Whether an attempt may succeed. Cleared by the owner: after EAGAIN, or after fewer octets than asked for (then the
  // next ones raise a new event; not so once the peer has ended, hence `hung_up`).
  bool can_read = false, can_write = true;
  bool hung_up = false;
  Wait* reader = nullptr;
  Wait* writer = nullptr;

 private:
  friend class Loop;
  Loop& loop_;
  int fd_;
};

class Loop {
 public:
  explicit Loop(unsigned shard);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  unsigned shard() const { return shard_; }
  static Loop& here();    // The loop of this thread; a bug if there is none.
  static Loop* if_any();  // Null: this thread runs none.
  static Instant now();   // CLOCK_MONOTONIC.

  void run();   // On the thread of this shard, until stop().
  void stop();  // From any thread. Returns at once.

  // From any thread: runs `work` in a later turn of this loop, in order.
  void post(std::move_only_function<void()> work);

  // Counts operations that succeeded without waiting. True now and then: yield(), so that one busy connection does not
  // keep all others waiting.
  bool spend() { return ++spent_ >= most_in_one_turn; }

 private:
  friend class Wait;
  friend class Descriptor;
  static constexpr unsigned most_in_one_turn = 64;
  static constexpr std::size_t slot_count = 512;
  static constexpr std::int64_t slot_ns = 100'000'000;

  void watch(Descriptor& descriptor);
  void schedule(Wait& wait);
  void run_posted();
  void run_ready();
  void take_events(int count);
  void pass_deadlines();
  int milliseconds_to_sleep(Instant now) const;
  bool about_to_sleep();

  unsigned shard_;
  int epoll_ = -1, event_ = -1;
  bool stopping_ = false;  // Set by posted work only.
  unsigned spent_ = 0;
  Link ready_;
  // Coarse deadlines: each in the slot where it passes, modulo the wheel's 51 s; visited once a round.
  std::array<Link, slot_count> wheel_;
  std::array<std::uint64_t, slot_count / 64> used_{};  // Slots that may hold something.
  std::int64_t tick_ = 0;                              // The slot visited last, counted from the clock's origin.
  std::set<std::pair<Instant, Wait*>> exact_;

  std::mutex posting_;
  std::vector<std::move_only_function<void()>> posted_;  // Guarded by posting_.
  bool asleep_ = false;                                  // Guarded by posting_: whoever posts must ring.
  std::vector<std::move_only_function<void()>> taken_;
};

// co_await yield(loop): lets the others of this shard go first.
struct Yield : Wait {
  explicit Yield(Loop& loop) : Wait(loop, Instant::never()) {}
  void await_suspend(std::coroutine_handle<> frame) {
    Wait::await_suspend(frame);
    finish(Outcome::ready);
  }
};

}  // namespace facteur::host
