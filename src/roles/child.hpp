// One of the two processes that a keeper starts: its channel, its life, and how a new process becomes it.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "observe/event.hpp"
#include "roles/identity.hpp"
#include "roles/messages.hpp"

namespace facteur::roles {

// Both ends of a socket that keeps messages apart; -1 if there is none.
struct Pair {
  int ours = -1, theirs = -1;
  static Pair make();
  void close() const;
};

struct Child {
  using Time = std::chrono::steady_clock;

  const char* name;
  Role role;
  Pair channel{};     // theirs: its end.
  pid_t process = 0;  // 0: it does not run.
  Time::time_point begun{}, again{}, heard{};
  std::chrono::milliseconds wait{0};
  bool ready = false;  // It has started, and says that it is alive.

  // What was said to the one before is not for the next one.
  void renew_channel();
  // Told to end, it has two seconds for it, and is killed then. One that waits for a disk does not even end when
  // killed: it is waited for no longer than four.
  void await_end() const;
};

// What a role is started with.
struct Start {
  int program;                                // The program to execute.
  const sigset_t& signals;                    // Blocked signals, as they were before.
  const std::vector<std::string>& arguments;  // The program's name first.
  const std::optional<User>& user;            // Whom the server becomes.
  std::vector<int> descriptors;               // From 3 on, in the order that inherited() expects, and no others.
  std::string role{};                         // role_variable
};

// In the new process: becomes the role; does not return.
[[noreturn]] void become(Role role, Start start, const observe::Scope& scope);

}  // namespace facteur::roles
