// Child processes: the real world::Programs.
#pragma once

#include "world/programs.hpp"

namespace facteur::host {

// A program gets an empty environment but for PATH, a process group of its own, and no descriptor of ours but 0, 1, 2.
// At the deadline, or when the waiting coroutine is destroyed, its whole group is killed.
class Programs final : public world::Programs {
 public:
  Task<Result<world::ProgramResult>> run(std::vector<std::string> argv, Bytes input, Instant deadline) override;
};

}  // namespace facteur::host
