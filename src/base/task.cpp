#include "base/task.hpp"

namespace facteur {

struct TaskGroup::Root {
  struct promise_type : Link {
    TaskGroup& group;

    promise_type(TaskGroup& owner, Task<void>&) : group(owner) {
      frame = std::coroutine_handle<promise_type>::from_promise(*this);
      after = group.first_;
      if (after) after->before = this;
      group.first_ = this;
      ++group.size_;
    }
    ~promise_type() {
      if (before)
        before->after = after;
      else
        group.first_ = after;
      if (after) after->before = before;
      --group.size_;
    }
    Root get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      // The frame destroys itself here, then whoever waits for the whole group goes on.
      struct Last {
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> ended) const noexcept {
          TaskGroup& owner = ended.promise().group;
          ended.destroy();
          if (owner.empty() && owner.waiter_) return std::exchange(owner.waiter_, nullptr);
          return std::noop_coroutine();
        }
        void await_resume() const noexcept {}
      };
      return Last{};
    }
    void return_void() noexcept {}
    void unhandled_exception() {
      if (!group.on_bug_) std::terminate();
      group.on_bug_(std::current_exception());
    }
  };
};

TaskGroup::Root TaskGroup::run(TaskGroup&, Task<void> task) { co_await std::move(task); }

void TaskGroup::start(Task<void> task) { run(*this, std::move(task)); }

TaskGroup::~TaskGroup() {
  waiter_ = nullptr;
  while (first_) first_->frame.destroy();
}

}  // namespace facteur
