// The start: finds the end of the log, opens or rebuilds the index, replays what it misses.
#pragma once

#include "store/core.hpp"

namespace facteur::store {

// Blocks. What it gives is complete but has no work in the background yet.
Result<std::shared_ptr<Core>> start(EngineParameters parameters);

}  // namespace facteur::store
