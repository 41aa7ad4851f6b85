#include "base/task.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "base/wait.hpp"

using namespace facteur;

namespace {

Task<int> give(int value) { co_return value; }

Task<void> add_many(int times, long& sum) {
  for (int i = 0; i < times; ++i) sum += co_await give(1);
}

Task<long> chain(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await chain(depth - 1);
}

Task<int> fail() {
  throw std::runtime_error("no");
  co_return 0;
}

Task<std::unique_ptr<std::string>> give_movable() { co_return std::make_unique<std::string>("text"); }

// Counts its own life: shows that frames are destroyed once.
struct Life {
  explicit Life(int& count) : living(&count) { ++count; }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;
  ~Life() { --*living; }
  int* living;
};

Task<int> wait_for(Completion<int>& completion, int& living) {
  Life life(living);
  co_return co_await completion;
}

Task<void> outer(Completion<int>& completion, int& living, int& result) {
  Life life(living);
  result = co_await wait_for(completion, living);
}

Task<void> wait_all(TaskGroup& group, bool& done) {
  co_await group.finished();
  done = true;
}

Task<void> set_after(Completion<int>& completion, bool& flag) {
  co_await completion;
  flag = true;
}

Task<void> throw_after(Completion<int>& completion) {
  co_await completion;
  throw std::runtime_error("late");
}

}  // namespace

TEST_CASE("task: gives its value, runs only when awaited") {
  TaskGroup group;
  long sum = 0;
  auto task = add_many(3, sum);
  CHECK(sum == 0);
  group.start(std::move(task));
  CHECK(sum == 3);
  CHECK(group.empty());
}

TEST_CASE("task: a million awaits in a loop do not grow the stack") {
  TaskGroup group;
  long sum = 0;
  group.start(add_many(1'000'000, sum));
  CHECK(sum == 1'000'000);
}

TEST_CASE("task: deep chains and values that only move") {
  struct Local {
    static Task<void> run(long& depth, std::string& text) {
      depth = co_await chain(1000);
      const auto moved = co_await give_movable();
      text = *moved;
    }
  };
  TaskGroup group;
  long depth = 0;
  std::string text;
  group.start(Local::run(depth, text));
  CHECK(depth == 1000);
  CHECK(text == "text");
}

TEST_CASE("task: an exception comes out where it is awaited") {
  struct Local {
    static Task<void> run(bool& caught) {
      try {
        co_await fail();
      } catch (const std::runtime_error&) {
        caught = true;
      }
    }
  };
  TaskGroup group;
  bool caught = false;
  group.start(Local::run(caught));
  CHECK(caught);
}

TEST_CASE("task: never started, moved from, assigned: each frame goes once") {
  Completion<int> completion;
  int living = 0;
  {
    auto never_started = wait_for(completion, living);
    auto moved = std::move(never_started);
    CHECK_FALSE(never_started);
    CHECK(moved);
    moved = wait_for(completion, living);
  }
  CHECK(living == 0);
}

TEST_CASE("task group: destroying it destroys what waits, nested frames included") {
  Completion<int> completion;
  int living = 0;
  int result = 0;
  {
    TaskGroup group;
    group.start(outer(completion, living, result));
    group.start(outer(completion, living, result));
    CHECK(group.size() == 2);
    CHECK(living == 4);
  }
  CHECK(living == 0);
  CHECK(result == 0);
}

TEST_CASE("task group: tasks end in any order, finished() resumes after the last") {
  TaskGroup group;
  TaskGroup watcher;
  Completion<int> one, two, three;
  bool flags[3] = {};
  bool done = false;
  group.start(set_after(one, flags[0]));
  group.start(set_after(two, flags[1]));
  group.start(set_after(three, flags[2]));
  watcher.start(wait_all(group, done));
  two.complete(2);
  CHECK(flags[1]);
  CHECK(group.size() == 2);
  one.complete(1);
  CHECK_FALSE(done);
  three.complete(3);
  CHECK(done);
  CHECK(group.empty());
  CHECK(watcher.empty());
}

TEST_CASE("task group: finished() of an empty group does not wait; a watcher may go first") {
  TaskGroup group;
  bool done = false;
  {
    TaskGroup watcher;
    watcher.start(wait_all(group, done));
    CHECK(done);
  }
  Completion<int> completion;
  bool flag = false;
  bool second = false;
  group.start(set_after(completion, flag));
  {
    TaskGroup watcher;
    watcher.start(wait_all(group, second));
  }
  completion.complete(1);
  CHECK(flag);
  CHECK_FALSE(second);
}

TEST_CASE("task group: what a task throws goes to on_bug, the others go on") {
  int bugs = 0;
  TaskGroup group([&bugs](std::exception_ptr bug) {
    CHECK_THROWS_AS(std::rethrow_exception(bug), std::runtime_error);
    ++bugs;
  });
  Completion<int> bad, good;
  bool flag = false;
  group.start(throw_after(bad));
  group.start(set_after(good, flag));
  bad.complete(0);
  CHECK(bugs == 1);
  CHECK(group.size() == 1);
  good.complete(0);
  CHECK(flag);
  CHECK(group.empty());
}

TEST_CASE("task group: a million tasks one after the other, and ten thousand at once") {
  TaskGroup group;
  long sum = 0;
  for (int i = 0; i < 1'000'000; ++i) group.start(add_many(1, sum));
  CHECK(sum == 1'000'000);
  int living = 0;
  int result = 0;
  {
    std::deque<Completion<int>> completions;
    TaskGroup many;
    for (int i = 0; i < 10'000; ++i) many.start(outer(completions.emplace_back(), living, result));
    for (int i = 0; i < 10'000; i += 2) completions[static_cast<std::size_t>(i)].complete(i);
    CHECK(many.size() == 5000);
  }
  CHECK(living == 0);
}
