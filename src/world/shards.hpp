// The sixth seam: where code runs. Production has one thread per shard and a small pool for blocking work; the
// simulator runs all of it on one thread in an order drawn from the seed.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "base/task.hpp"

namespace facteur::world {

class Shards {
 public:
  virtual ~Shards() = default;

  virtual unsigned count() const = 0;
  virtual unsigned current() const = 0;  // The shard this code runs on. Not callable from offloaded work.

  // Runs `work` on that shard, later, in order of posting per (sender, receiver). From any thread.
  virtual void post(unsigned shard, std::move_only_function<void()> work) = 0;

  // Which kind of blocking work: the log has a lane (thread) of its own, so that nothing delays a sync.
  enum class Lane : unsigned char { pool, log };

  // Runs `work` off the shards; it may block. Work of Lane::log runs one at a time, in order.
  virtual void offload(Lane lane, std::move_only_function<void()> work) = 0;
};

// co_await hop(shards, home): this coroutine goes on running on that shard. It must be back before it ends, and must
// not touch what belongs to the shard it left (its streams) until then.
inline auto hop(Shards& shards, unsigned shard) {
  struct Awaiter {
    Shards& owner;
    unsigned to;
    bool await_ready() const noexcept { return owner.current() == to; }
    void await_suspend(std::coroutine_handle<> self) {
      owner.post(to, [self] { self.resume(); });
    }
    void await_resume() const noexcept {}
  };
  return Awaiter{shards, shard};
}

// T value = co_await blocking(shards, lane, work): runs `work` (a callable giving T) on the lane, comes back to this
// shard; what the work throws is thrown here. The awaiting coroutine must not be destroyed meanwhile: services wait for
// their tasks before they go (TaskGroup::finished).
template <class Work>
auto blocking(Shards& shards, Shards::Lane lane, Work work) {
  using T = std::invoke_result_t<Work&>;
  struct Awaiter {
    Shards& owner;
    Shards::Lane lane;
    Work work;
    std::optional<T> value{};
    std::exception_ptr thrown{};
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self) {
      const unsigned home = owner.current();
      owner.offload(lane, [this, self, home] {
        try {
          value.emplace(work());
        } catch (...) {
          thrown = std::current_exception();
        }
        owner.post(home, [self] { self.resume(); });
      });
    }
    T await_resume() {
      if (thrown) std::rethrow_exception(thrown);
      return std::move(*value);
    }
  };
  return Awaiter{shards, lane, std::move(work)};
}

}  // namespace facteur::world
