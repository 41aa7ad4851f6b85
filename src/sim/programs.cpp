#include "sim/programs.hpp"

#include <algorithm>

namespace facteur::sim {

Task<Result<world::ProgramResult>> Programs::run(std::vector<std::string> argv, Bytes input, Instant deadline) {
  const auto at = argv.empty() ? scripts_.end() : scripts_.find(argv.front());
  if (at == scripts_.end()) {
    co_return failure(Failure::Kind::permanent, "F-1216", "The program cannot be started", "not scripted");
  }
  const Script script = at->second;
  const std::string given(input);
  const Instant ends = clock_.now() + script.takes;
  co_await clock_.sleep_until(std::min(ends, deadline));
  if (ends > deadline) co_return failure(Failure::Kind::timed_out, "F-1217", "The program took too long");
  co_return script.run(argv, given);
}

}  // namespace facteur::sim
