// What `facteur backup` asks for: that the files of the log stay as they are while they are copied.
//
//   backup.begin   which octets of which segments; they are held until this connection ends
//   backup.still   whether they are: an error if not. Also keeps the connection open, which waits 60 s for a request
//   backup.end     they may go
#pragma once

#include <string_view>

#include "server/asked.hpp"
#include "server/commands.hpp"

namespace facteur::server {

bool is_backup(std::string_view command);
Result<json::value> back_up(const CommandDoors& doors, Conversation& conversation, std::string_view command);

}  // namespace facteur::server
