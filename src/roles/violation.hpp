// What happens when a process tries a system call its filter does not know (SIGSYS).
#pragma once

#include <optional>
#include <string_view>

namespace facteur::roles {

// What is sent to the keeper, one message a try.
struct Violation {
  int call = 0;
  bool deadly = false;  // The process has ended itself.
};

// From now on, each refused call is reported: to the keeper over `channel` if it is not -1, else as a line on standard
// error. The call fails with EPERM and the process goes on; a deadly one (system_calls.hpp) ends it. After 50 of them
// nothing more is said, so that nobody can fill the log.
void report_violations(int channel, bool json);

// Nothing if it is no such message.
std::optional<Violation> read_violation(std::string_view message);

}  // namespace facteur::roles
