// People who read their mail by IMAP, mark letters, and remember what the server told them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "customers.hpp"

namespace facteur::simulation {

// What one reader has been told about one INBOX, over all sessions.
struct Reading {
  std::string address;
  Endpoint server;
  Trust tls;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> letters;  // (uidvalidity, uid) -> letter id.
  std::set<std::pair<std::uint32_t, std::uint32_t>> flagged;               // STORE was answered with OK.
  std::size_t sessions = 0;                                                // That came to a selected INBOX.
  std::vector<std::string> contradictions;
};

// One session: logs in, selects INBOX, fetches everything, marks some letters \Flagged. Ends early whenever the
// connection does.
Task<void> read_mail(sim::Machine& machine, Reading& reading, sim::Random& chance);

}  // namespace facteur::simulation
