#include "base/wait.hpp"

#include <doctest/doctest.h>

#include <string>

#include "base/task.hpp"

using namespace facteur;

namespace {

Task<void> note(Completion<std::string>& completion, std::string& log) { log += co_await completion; }

Task<void> in_turn(Turn& turn, Completion<int>& gate, std::string& log, char name) {
  auto held = co_await turn.take();
  log += name;
  co_await gate;
  log += static_cast<char>(name + 32);
}

Task<void> quick_turns(Turn& turn, int times, long& count) {
  for (int i = 0; i < times; ++i) {
    auto held = co_await turn.take();
    ++count;
  }
}

}  // namespace

TEST_CASE("completion: the value may come before or after the waiter") {
  TaskGroup group;
  std::string log;
  Completion<std::string> late, early;
  group.start(note(late, log));
  CHECK(log.empty());
  late.complete("late ");
  CHECK(log == "late ");
  early.complete("early");
  CHECK(early.completed());
  group.start(note(early, log));
  CHECK(log == "late early");
}

TEST_CASE("completion: the completion may outlive no waiter, the waiter's frame may go first") {
  Completion<std::string> completion;
  std::string log;
  {
    Completion<std::string> dies_first;
    TaskGroup group;
    group.start(note(dies_first, log));
  }
  {
    TaskGroup group;
    group.start(note(completion, log));
    CHECK(group.size() == 1);
  }
  CHECK(log.empty());
}

TEST_CASE("wakeup: fire is remembered until clear, a listener hears one fire") {
  Wakeup bell;
  int heard = 0;
  bell.listen([&heard] { ++heard; });
  bell.fire();
  bell.fire();
  CHECK(heard == 1);
  CHECK(bell.fired());
  bell.clear();
  CHECK_FALSE(bell.fired());
  bell.listen([&heard] { ++heard; });
  bell.ignore();
  bell.fire();
  CHECK(heard == 1);
  bell.clear();
  // A listener may listen again while it hears.
  bell.listen([&] {
    ++heard;
    bell.listen([&heard] { ++heard; });
  });
  bell.fire();
  bell.fire();
  CHECK(heard == 3);
}

TEST_CASE("turn: in order of arrival, one at a time") {
  Turn turn;
  TaskGroup group;
  Completion<int> gate[3];
  std::string log;
  for (int i = 0; i < 3; ++i) group.start(in_turn(turn, gate[i], log, static_cast<char>('A' + i)));
  CHECK(log == "A");
  gate[1].complete(0);  // B's gate is open before its turn comes.
  CHECK(log == "A");
  gate[0].complete(0);
  CHECK(log == "AaBbC");
  gate[2].complete(0);
  CHECK(log == "AaBbCc");
  CHECK_FALSE(turn.taken());
}

TEST_CASE("turn: a waiter that is destroyed gives up its place; a holder that is destroyed passes on") {
  Turn turn;
  Completion<int> gate[3];
  std::string log;
  TaskGroup last;
  {
    TaskGroup holder;
    holder.start(in_turn(turn, gate[0], log, 'A'));
    {
      TaskGroup waiter;
      waiter.start(in_turn(turn, gate[1], log, 'B'));
    }
    last.start(in_turn(turn, gate[2], log, 'C'));
    CHECK(log == "A");
  }
  CHECK(log == "AC");
  gate[2].complete(0);
  CHECK(log == "ACc");
  CHECK_FALSE(turn.taken());
}

TEST_CASE("turn: a million turns without growth of the stack") {
  Turn turn;
  TaskGroup group;
  long count = 0;
  group.start(quick_turns(turn, 1'000'000, count));
  CHECK(count == 1'000'000);
}
