// Coroutines that wait for the log: each is resumed on the shard it came from, with one post a shard and group.
#pragma once

#include <coroutine>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "world/shards.hpp"

namespace facteur::store {

// What waits. Shared by the coroutine and the log; `waiter` is touched on the shard `home` only.
struct Waiting {
  unsigned home = 0;
  std::coroutine_handle<> waiter;
  Result<void> outcome;  // Written by the log before the waiter is resumed.
};

// co_await Arrival(shards, waiting, enter): calls enter() after the waiter is known, so that whoever completes it finds
// it. The coroutine may be destroyed while it waits; the work goes on without it.
template <class Enter>
class Arrival {
 public:
  Arrival(world::Shards& shards, std::shared_ptr<Waiting> waiting, Enter enter)
      : shards_(shards), waiting_(std::move(waiting)), enter_(std::move(enter)) {}
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;
  ~Arrival() { waiting_->waiter = nullptr; }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) {
    waiting_->home = shards_.current();
    waiting_->waiter = self;
    enter_();
  }
  void await_resume() const noexcept {}

 private:
  world::Shards& shards_;
  std::shared_ptr<Waiting> waiting_;
  Enter enter_;
};

// Resumes all of them on their shards, in order. From any thread.
template <class W>
void resume_all(world::Shards& shards, std::vector<std::shared_ptr<W>> done) {
  std::map<unsigned, std::vector<std::shared_ptr<W>>> by_shard;
  for (auto& waiting : done) by_shard[waiting->home].push_back(std::move(waiting));
  for (auto& [shard, waiting_there] : by_shard) {
    shards.post(shard, [group = std::move(waiting_there)] {
      for (const auto& waiting : group) {
        if (auto waiter = std::exchange(waiting->waiter, nullptr)) waiter.resume();
      }
    });
  }
}

}  // namespace facteur::store
