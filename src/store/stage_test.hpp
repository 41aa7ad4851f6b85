// The stage for tests of engines: shards, clock and coroutines on one thread, in an order drawn from a seed.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/task.hpp"
#include "sim/random.hpp"
#include "world/clock.hpp"
#include "world/shards.hpp"

namespace facteur::store::stage {

// Several queues (one a shard, the log's lane, the pool); run() takes from a random one. Posting order per queue holds.
class Shards final : public world::Shards {
 public:
  explicit Shards(std::uint64_t seed, unsigned count = 3) : chance_(seed), queues_(count + 2) {}

  unsigned count() const override { return static_cast<unsigned>(queues_.size() - 2); }
  unsigned current() const override { return current_; }
  void post(unsigned shard, std::move_only_function<void()> work) override {
    queues_.at(shard).push_back(std::move(work));
  }
  void offload(Lane lane, std::move_only_function<void()> work) override {
    queues_[queues_.size() - (lane == Lane::log ? 1 : 2)].push_back(std::move(work));
  }

  // One piece of work; false if there is none.
  bool step() {
    std::vector<std::size_t> waiting;
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      if (!queues_[i].empty()) waiting.push_back(i);
    }
    if (waiting.empty()) return false;
    const std::size_t chosen = waiting[chance_.next() % waiting.size()];
    auto work = std::move(queues_[chosen].front());
    queues_[chosen].pop_front();
    current_ = chosen < count() ? static_cast<unsigned>(chosen) : 0;
    work();
    current_ = 0;
    return true;
  }
  void run() {
    while (step()) continue;
  }
  // Runs `work` as code of that shard, now.
  void on(unsigned shard, const std::function<void()>& work) {
    const unsigned before = std::exchange(current_, shard);
    work();
    current_ = before;
  }
  void drop_all() {
    for (auto& queue : queues_) queue.clear();
  }

 private:
  sim::Random chance_;
  std::vector<std::deque<std::move_only_function<void()>>> queues_;
  unsigned current_ = 0;
};

// Stands still until a test moves it. Sleepers are resumed by advance(), on the stage's shard 0 only.
class Clock final : public world::Clock {
 public:
  explicit Clock(Shards& shards) : shards_(shards) {}

  Instant now() const override { return Instant{ms_ * 1'000'000}; }
  UtcTime utc() const override { return UtcTime{1'700'000'000'000 + ms_}; }
  Task<bool> sleep_until(Instant deadline, Wakeup* wakeup) override {
    if (wakeup && wakeup->fired()) co_return true;
    Sleeper sleeper(*this, deadline, wakeup);
    co_await sleeper;
    co_return wakeup && wakeup->fired();
  }
  void advance(std::int64_t ms) {
    ms_ += ms;
    wake();
  }

 private:
  struct Sleeper {
    Clock& clock;
    Instant deadline;
    Wakeup* wakeup;
    unsigned home = 0;
    std::coroutine_handle<> waiter;
    Sleeper(Clock& c, Instant d, Wakeup* w) : clock(c), deadline(d), wakeup(w) {}
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    ~Sleeper() {
      if (wakeup) wakeup->ignore();
      std::erase(clock.sleepers_, this);
    }
    bool await_ready() const { return clock.now() >= deadline; }
    void await_suspend(std::coroutine_handle<> self) {
      waiter = self;
      home = clock.shards_.current();
      clock.sleepers_.push_back(this);
      if (wakeup) wakeup->listen([this] { wake(); });
    }
    void await_resume() const {}
    void wake() {
      std::erase(clock.sleepers_, this);
      std::exchange(waiter, nullptr).resume();
    }
  };
  void wake() {
    for (const Sleeper* next = due(); next; next = due()) {
      auto* sleeper = const_cast<Sleeper*>(next);
      shards_.on(sleeper->home, [sleeper] { sleeper->wake(); });
    }
  }
  const Sleeper* due() const {
    for (const Sleeper* sleeper : sleepers_) {
      if (sleeper->deadline <= now()) return sleeper;
    }
    return nullptr;
  }

  Shards& shards_;
  std::int64_t ms_ = 0;
  std::vector<Sleeper*> sleepers_;
};

// Runs a task of a shard to its end with the stage; its value, or nullopt if it waits for something that never comes.
template <class T>
std::optional<T> finish(Shards& shards, Task<T> task, unsigned shard = 0) {
  struct Run {
    static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
  };
  std::optional<T> out;
  TaskGroup group;
  shards.on(shard, [&] { group.start(Run::to(std::move(task), out)); });
  while (!out && shards.step()) continue;
  return out;
}
inline bool finish(Shards& shards, Task<void> task, unsigned shard = 0) {
  TaskGroup group;
  shards.on(shard, [&] { group.start(std::move(task)); });
  while (!group.empty() && shards.step()) continue;
  return group.empty();
}

}  // namespace facteur::store::stage
