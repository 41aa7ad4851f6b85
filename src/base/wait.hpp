// The small things a coroutine can wait for inside one shard: Completion, Wakeup, Turn.
//
// None of them is thread-safe: all calls on one object come from the shard of its waiter (world::Shards::post to get
// there). All stand being destroyed while somebody waits.
#pragma once

#include <coroutine>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "base/assert.hpp"

namespace facteur {

// One value that comes once: co_await completion gives it. complete() resumes the waiter before it returns.
template <class T>
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  void complete(T value) {
    ASSERT(!value_);
    value_.emplace(std::move(value));
    if (auto waiter = std::exchange(waiter_, nullptr)) waiter.resume();
  }
  bool completed() const { return value_.has_value(); }

  auto operator co_await() noexcept {
    struct Awaiter {
      Completion& owner;
      bool await_ready() const noexcept { return owner.value_.has_value(); }
      void await_suspend(std::coroutine_handle<> waiter) noexcept { owner.waiter_ = waiter; }
      T await_resume() { return std::move(*owner.value_); }
    };
    return Awaiter{*this};
  }

 private:
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
};

// A bell: fire() is remembered until clear(). Doors listen to it beside bytes and deadlines (Stream::readable,
// Clock::sleep_until), so that news of a mailbox or the drain of the server end a wait early.
class Wakeup {
 public:
  Wakeup() = default;
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void fire() {
    fired_ = true;
    if (auto listener = std::exchange(listener_, nullptr)) listener();
  }
  bool fired() const { return fired_; }
  void clear() { fired_ = false; }

  // For doors: called once at the next fire(); one listener at a time.
  void listen(std::function<void()> listener) {
    ASSERT(!listener_);
    listener_ = std::move(listener);
  }
  void ignore() { listener_ = nullptr; }

 private:
  bool fired_ = false;
  std::function<void()> listener_;
};

// Turns taken in order of arrival: auto held = co_await turn.take(); the next one's turn begins when `held` goes.
class Turn {
 public:
  Turn() = default;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  class [[nodiscard]] Held {
   public:
    Held() = default;
    explicit Held(Turn* turn) : turn_(turn) {}
    Held(Held&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
      if (this != &other) {
        release();
        turn_ = std::exchange(other.turn_, nullptr);
      }
      return *this;
    }
    ~Held() { release(); }
    void release() {
      if (auto* turn = std::exchange(turn_, nullptr)) turn->pass();
    }

   private:
    Turn* turn_ = nullptr;
  };

  auto take() { return Awaiter(*this); }
  bool taken() const { return taken_; }

 private:
  struct Awaiter {
    Turn& turn;
    std::coroutine_handle<> waiter;
    explicit Awaiter(Turn& t) : turn(t) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (waiter) std::erase(turn.queue_, this);
    }
    bool await_ready() noexcept {
      if (turn.taken_) return false;
      return turn.taken_ = true;
    }
    void await_suspend(std::coroutine_handle<> handle) {
      waiter = handle;
      turn.queue_.push_back(this);
    }
    Held await_resume() noexcept { return Held(&turn); }
  };

  void pass() {
    if (queue_.empty()) {
      taken_ = false;
      return;
    }
    Awaiter* next = queue_.front();
    queue_.pop_front();
    std::exchange(next->waiter, nullptr).resume();
  }

  bool taken_ = false;
  std::deque<Awaiter*> queue_;
};

}  // namespace facteur
