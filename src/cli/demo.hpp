// `facteur demo`: two mail domains on this machine, and one message all the way, explained line by line.
#pragma once

#include <cstdint>
#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

struct DemoOptions {
  bool once = false;                // End after the round.
  std::string keep;                 // Keep everything in this folder; empty: a temporary one that goes.
  std::uint16_t base_port = 10000;  // Ports are the usual ones plus this: 10025, 10587, 10110, 10143...
};

int demo(const Context& context, const DemoOptions& options);

}  // namespace facteur::cli
