// People who read their mail by IMAP and POP3, mark, file, move and remove letters, and remember what the server told
// them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "customers.hpp"

namespace facteur::simulation {

using Place = std::pair<std::uint32_t, std::uint32_t>;  // (uidvalidity, uid) in INBOX.

// What a reader has asked to leave INBOX. `sure`: it was answered with OK; before that it may be so or not.
struct Leaving {
  bool moved = false;  // To Archive; else expunged.
  bool sure = false;
};

// What one reader has been told about one account, over all sessions.
struct Reading {
  std::string address;
  Endpoint server;
  Trust tls;
  std::map<Place, std::string> letters;  // Seen in INBOX -> letter id.
  std::set<Place> flagged;               // STORE was answered with OK.
  std::map<Place, Leaving> leaving;
  std::map<std::string, bool> filed;  // Ids of own letters, by APPEND to INBOX -> whether that was answered with OK.
  std::uint64_t highest_modseq = 0;   // RFC 7162 §3.1.2.1: never falls.
  std::map<std::uint64_t, std::pair<Place, bool>> modseqs;  // What each meant: whose, and whether \Flagged then.
  std::size_t sessions = 0;                                 // That came to a selected INBOX.
  std::vector<std::string> contradictions;
};

// One session: logs in, selects INBOX, fetches everything; marks, appends, moves and expunges some. Ends early whenever
// the connection does.
Task<void> read_mail(sim::Machine& machine, Reading& reading, sim::Random& chance);

// What one POP3 reader has been told.
struct Collecting {
  std::string address;
  Endpoint server;
  Trust tls;
  std::map<std::string, std::string> letters;  // UIDL -> letter id.
  std::map<std::string, bool> removed;         // UIDL -> whether QUIT was answered with +OK.
  std::size_t sessions = 0;
  std::vector<std::string> contradictions;
};

Task<void> collect_mail(sim::Machine& machine, Collecting& collecting, sim::Random& chance);

}  // namespace facteur::simulation
