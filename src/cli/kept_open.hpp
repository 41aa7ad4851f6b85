// Keeps a line to the server open while the work is elsewhere.
#pragma once

#include <chrono>
#include <functional>

#include "cli/ask.hpp"

namespace facteur::cli {

class KeptOpen {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `line` may be null: then there is nothing to keep. `now` is for tests.
  explicit KeptOpen(Line* line, std::function<Time()> now = std::chrono::steady_clock::now);
  // To be called more often than the server's patience (a minute without a request): asks it for nothing every ten
  // seconds. Fails when the line is broken.
  Task<Result<void>> still();

 private:
  Line* line_;
  std::function<Time()> now_;
  Time said_;
};

}  // namespace facteur::cli
