// Which system calls a role may use. Everything else ends in the report of violation.hpp, and is not carried out.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "roles/sandbox.hpp"

namespace facteur::roles {

// The program for seccomp(2), for this process (it holds its number); empty on machines whose system call numbers we
// do not know.
std::vector<sock_filter> filter_of(Role role);

// Numbers of the calls that the role may use whatever their arguments: for tests and documentation.
std::vector<int> allowed_calls(Role role);

// Calls that no bug of ours makes: to run a program, to look into another process, to change who we are or the kernel.
// Whoever tries one has taken the process over: it ends.
bool is_deadly(int call);

}  // namespace facteur::roles
