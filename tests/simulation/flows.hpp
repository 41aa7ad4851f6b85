// Each flow of the server with each fault at each of its disk operations (RELIABILITY.md G2): first once without a
// fault to count them, then once for every (operation, fault), comparing what was answered with what is there: at once,
// after the next start, and when all is settled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace facteur::simulation {

struct FlowResult {
  std::string name;
  std::uint64_t operations = 0;                // Disk operations of the flow, each of them a point for each fault.
  std::uint64_t runs = 0;                      // Points tried.
  std::uint64_t yes = 0, no = 0, unknown = 0;  // What the client was told.
  std::vector<std::string> violations;
};

std::vector<std::string> flow_names();
FlowResult run_flow(const std::string& name);  // One of flow_names().

}  // namespace facteur::simulation
