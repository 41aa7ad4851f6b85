#include "sim/shards.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace facteur::sim {

Shards::Shards(Timeline& timeline, unsigned count)
    : timeline_(timeline), count_(count), owner_(timeline.new_owner()), last_((count + 3) * count) {
  ASSERT(count > 0);
}

Shards::~Shards() { halt(); }

void Shards::halt() {
  halted_ = true;
  timeline_.drop(owner_);
}

void Shards::run(unsigned shard, std::move_only_function<void()> what) {
  struct Restore {
    unsigned& place;
    unsigned before;
    ~Restore() { place = before; }
  } const restore{current_, std::exchange(current_, shard)};
  what();
}

Timeline::Ticket Shards::at(Instant when, unsigned shard, std::move_only_function<void()> what) {
  if (halted_) return {};
  return timeline_.at(when, owner_, [this, shard, what = std::move(what)]() mutable { run(shard, std::move(what)); });
}

unsigned Shards::current() const {
  ASSERT(current_ < count_);  // Offloaded work is on no shard.
  return current_;
}

void Shards::post(unsigned shard, std::move_only_function<void()> work) {
  ASSERT(shard < count_);
  if (halted_) return;
  auto& last = last_[current_ * count_ + shard];
  last = std::max(last, timeline_.soon(0us, 40us));
  at(last, shard, std::move(work));
}

void Shards::offload(Lane lane, std::move_only_function<void()> work) {
  if (halted_) return;
  auto& chance = timeline_.chance();
  // Most of it is quick, some of it meets a slow disk.
  auto when = timeline_.soon(1us, chance.happens(50) ? 80ms : 500us);
  if (lane == Lane::log) when = last_log_ = std::max(last_log_, when);
  at(when, count_ + (lane == Lane::log ? log : pool), std::move(work));
}

bool Wait::await_ready() {
  if (!bell_ || !bell_->fired()) return false;
  outcome_ = Outcome::belled;
  return true;
}

void Wait::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  shard_ = shards_.current();
  if (slot_) {
    ASSERT(!*slot_);  // One waiter at a time for each side.
    *slot_ = this;
  }
  if (bell_) {
    bell_->listen([this] {
      listening_ = false;
      end(Outcome::belled, shards_.timeline().soon(0us, 20us));
    });
    listening_ = true;
  }
  ticket_ = shards_.at(deadline_, shard_, [this] {
    ticket_ = {};
    end(Outcome::expired, shards_.timeline().now());
  });
}

void Wait::end(Outcome outcome, Instant when) {
  if (ended_) return;
  withdraw();
  ended_ = true;
  outcome_ = outcome;
  ticket_ = shards_.at(when, shard_, [this] {
    ticket_ = {};
    waiter_.resume();
  });
}

void Wait::withdraw() {
  if (ticket_) shards_.timeline().cancel(std::exchange(ticket_, {}));
  if (std::exchange(listening_, false)) bell_->ignore();
  if (slot_ && *slot_ == this) *slot_ = nullptr;
}

}  // namespace facteur::sim
