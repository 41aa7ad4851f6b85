// What one site holds: all messages of all mailboxes and all that waits in its queue; of a running engine, or of a disk
// as a cut would leave it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/world.hpp"
#include "store/embedded_engine.hpp"

namespace facteur::simulation {

struct Letter {
  std::string folder;
  std::uint32_t uidvalidity = 0;
  std::uint32_t uid = 0;
  std::uint64_t modseq = 0;
  bool flagged = false;
  std::string id;       // X-Letter; of a report: that of the letter it is about.
  bool report = false;  // A report of delivery (RFC 3464).
};

struct Waiting {
  std::string id;
  bool report = false;
  std::string recipient;
};

struct Holdings {
  std::map<std::string, std::vector<Letter>> mailboxes;                 // By address; folders by name, uids ascending.
  std::map<std::string, std::map<std::string, std::uint64_t>> highest;  // Address, folder -> highest modseq.
  std::vector<Waiting> queue;
  std::set<std::string> aliases;
  std::vector<std::string> trouble;  // What could not be read, what is damaged. Empty if nothing is wrong.
};

std::string letter_of(const std::string& text);  // "X-Letter: 17" -> "17".
bool is_report(const std::string& text);

// Reads it all on shard 0 of the machine.
Task<void> read_holdings(sim::Machine& machine, store::Engine& engine, observe::Sink& sink, Holdings& out);

// Starts a store on what a cut has left and reads it, in a world of its own.
Holdings after_cut(sim::Disk::Image image, std::uint64_t seed);

store::EngineSizes small_sizes();

}  // namespace facteur::simulation
