// Programs that are functions: what a real machine would start as a child process.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/clock.hpp"
#include "world/programs.hpp"

namespace facteur::sim {

class Programs : public world::Programs {
 public:
  explicit Programs(Clock& clock) : clock_(clock) {}

  struct Script {
    std::function<world::ProgramResult(const std::vector<std::string>& argv, Bytes input)> run;
    Duration takes = 1ms;
  };
  void add(std::string path, Script script) { scripts_[std::move(path)] = std::move(script); }

  // Paths that were not added fail with permanent, as a missing file does; what takes longer than its deadline fails
  // with timed_out.
  Task<Result<world::ProgramResult>> run(std::vector<std::string> argv, Bytes input, Instant deadline) override;

 private:
  Clock& clock_;
  std::map<std::string, Script> scripts_;
};

}  // namespace facteur::sim
