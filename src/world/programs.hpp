// The door to other programs. There is no shell: arguments are passed as they are.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"

namespace facteur::world {

struct ProgramResult {
  int status = 0;      // Exit status, or 128 + signal.
  std::string output;  // Standard output and error, at most 64 KiB.
};

class Programs {
 public:
  virtual ~Programs() = default;

  // Runs argv[0] (an absolute path) with `input` on its standard input; kills it at the deadline.
  virtual Task<Result<ProgramResult>> run(std::vector<std::string> argv, Bytes input, Instant deadline) = 0;
};

}  // namespace facteur::world
