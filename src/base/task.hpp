// Task<T>: a coroutine that gives one T to the one who awaits it. TaskGroup: the owner of coroutines nobody awaits.
//
// A Task starts when it is awaited, and is destroyed with its owner, finished or not: nothing is ever detached.
// Awaiters must therefore stand being destroyed while they wait (they withdraw what they asked of the world).
// A Task may move between shards (world::Shards); it must be back where it was started when it ends.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "base/assert.hpp"

namespace facteur {

template <class T = void>
class Task;

namespace detail {

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
    auto next = ended.promise().continuation;
    return next ? next : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation;
  std::exception_ptr exception;

  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& v) {
    value.emplace(std::forward<U>(v));
  }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() noexcept {}
  void take() {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;

  Task() = default;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (frame_) frame_.destroy();
      frame_ = std::exchange(other.frame_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  explicit operator bool() const { return static_cast<bool>(frame_); }

  auto operator co_await() && noexcept {
    struct Awaiter {
      std::coroutine_handle<promise_type> frame;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
        frame.promise().continuation = waiter;
        return frame;
      }
      T await_resume() { return frame.promise().take(); }
    };
    return Awaiter{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}
}  // namespace detail

// Owns tasks that run side by side on one shard. Destroying the group destroys what has not ended.
class TaskGroup {
 public:
  // `on_bug` receives what a task threw (a Bug, bad_alloc); without it such an exception ends the process.
  explicit TaskGroup(std::function<void(std::exception_ptr)> on_bug = {}) : on_bug_(std::move(on_bug)) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // Runs the task now, up to its first wait; owns it from here on.
  void start(Task<void> task);

  std::size_t size() const { return size_; }  // Tasks that have not ended.
  bool empty() const { return size_ == 0; }

  // Resumes when the last task has ended (at once if there is none). One waiter at a time.
  auto finished() {
    struct Awaiter {
      TaskGroup& group;
      bool await_ready() const noexcept { return group.empty(); }
      void await_suspend(std::coroutine_handle<> waiter) noexcept { group.waiter_ = waiter; }
      void await_resume() const noexcept {}
      ~Awaiter() { group.waiter_ = nullptr; }
    };
    return Awaiter{*this};
  }

 private:
  struct Root;
  static Root run(TaskGroup& group, Task<void> task);
  struct Link {
    Link* before = nullptr;
    Link* after = nullptr;
    std::coroutine_handle<> frame;
  };

  std::function<void(std::exception_ptr)> on_bug_;
  Link* first_ = nullptr;
  std::size_t size_ = 0;
  std::coroutine_handle<> waiter_;
};

}  // namespace facteur
