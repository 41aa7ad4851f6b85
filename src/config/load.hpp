// Reading facteur.toml and conf.d/*.toml: everything that is wrong is said at once, and nothing is half applied.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.hpp"

namespace facteur::config {

struct Source {
  std::string name;  // As it is to be named in messages.
  std::string text;  // TOML 1.0.
};

struct Problem {
  std::string where;  // "facteur.toml:12", or the file alone.
  std::string text;
};

struct Loaded {
  Config config;  // In force only if `problems` is empty.
  std::vector<Problem> problems;
  std::map<std::string, std::string> set_at;  // Option ("limits.recipients", "listener[0].port") -> "file:line".

  bool good() const { return problems.empty(); }
};

// Reads and checks. An option may be set in one of the sources only; repeated tables add up in the order of sources.
Loaded parse(const std::vector<Source>& sources);

// The file, then conf.d/*.toml beside it in the order of their names, as they are now.
struct Files {
  std::vector<Source> sources;
  std::vector<Problem> unreadable;
};
Files read_files(const std::string& path);

// Reads and checks; password files, too.
Loaded load(const Files& files);
inline Loaded load(const std::string& path) { return load(read_files(path)); }

// "file:line: text" lines.
std::string to_string(const std::vector<Problem>& problems);

}  // namespace facteur::config
