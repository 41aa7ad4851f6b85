// What every subcommand has: where the configuration is, the language, whether a program or a person reads.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "observe/catalogue.hpp"

namespace facteur::cli {

// What `facteur` ends with; documented in docs/commands.md.
struct ExitCode {
  enum : int {
    done = 0,
    failed = 1,               // Understood, but it could not be done: the reason is on standard error.
    wrong_usage = 2,          // The arguments make no sense.
    wrong_configuration = 3,  // The configuration has problems: all are said.
    not_running = 4,          // The command needs a running server, and there is none.
    busy = 5,                 // Another process has the data folder, and does not answer.
    repaired = 6,             // fsck: there were problems, and all are repaired.
    problems = 7,             // fsck: there are problems.
  };
};

struct Context {
  std::string config_path;
  bool json = false;
  observe::Language language = observe::Language::en;

  std::string say(std::string_view key, std::initializer_list<std::string_view> values = {}) const {
    return observe::say(language, key, values);
  }
};

void print(std::string_view text);     // Standard output.
void complain(std::string_view text);  // Standard error, "facteur: " in front and a line end behind.

}  // namespace facteur::cli
