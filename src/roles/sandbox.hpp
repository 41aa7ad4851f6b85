// What a process gives up for good: new privileges, capabilities, system calls (seccomp), paths (Landlock).
//
// All of it holds for every thread that starts afterwards: call these on the only thread there is, before the world is
// made. Nothing here fails a start: a kernel without the means is said in the report, and the log tells it.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace facteur::roles {

enum class Role : unsigned char {
  whole,   // One process for all.
  server,  // Protocols and store, without private keys.
  keys,    // Private keys: reads files, signs.
};

struct SandboxOptions {
  Role role = Role::whole;
  std::vector<std::string> readable;  // Files or folders with all below; those that do not exist are left out.
  std::vector<std::string> writable;  // Folders with all below: also readable.
  std::vector<std::string> sockets;   // Folders where local sockets are made and removed; nothing else.
  int report = -1;                    // Where refused system calls are told (violation.hpp),
  bool json = true;                   // or how, when it is standard error.
};

struct Sandbox {
  bool seccomp = false;
  int landlock = 0;     // The version of the kernel's Landlock that is in force; 0: none.
  std::string missing;  // Why something could not be had; empty: all is in force.

  std::string text() const;  // "seccomp, landlock 6", "none".
};

// Enters it: no new privileges, no core file and no look from outside (they would show secrets), then Landlock, then
// seccomp. There is no way back. A build with a sanitizer enters nothing, and says so.
Sandbox enter_sandbox(const SandboxOptions& options);

// The version of Landlock this kernel has; 0: none.
int landlock_version();

}  // namespace facteur::roles
