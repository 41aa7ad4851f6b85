// The keeper: binds ports, starts "keys" and "server", starts them again when they die, passes signals on. It reads the
// administrator's configuration and messages of one octet, nothing from outside. As root it is the only process that
// could become somebody else.
//
// It holds the listening sockets for as long as it lives: while the server starts anew, connections wait in their
// backlog and none is refused.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "observe/event.hpp"
#include "roles/identity.hpp"
#include "roles/listening.hpp"

namespace facteur::roles {

struct KeeperOptions {
  observe::Sink& sink;
  std::vector<std::string> arguments;  // Of both roles, the program's name first.
  Listening::Wanted ports;
  // The configuration as it is now, in any form; a failure whose cause says what is wrong with it. A role that must
  // start anew while it is wrong gets the last one that was good (Inherited::configuration).
  std::function<Result<std::string>()> configuration{};
  unsigned shards = 1;        // Of the server, however often it starts.
  unsigned key_channels = 1;  // Questions that the server can ask the keys at once.
  std::optional<User> user;   // Whom the server becomes; nothing: all run as the user that started the keeper.
  std::string data;           // The data folder, for the user; made if it is not there. keys/ in it is root's.
  // Server and keys say every few seconds that they are alive: who says nothing for so long is ended and started anew.
  // A server may take its time to start: its store may be large.
  std::chrono::milliseconds longest_silence{60'000};
};

// Runs until SIGTERM or SIGINT, or until the server cannot even start; the exit code of the program.
int keep(const KeeperOptions& options);

}  // namespace facteur::roles
