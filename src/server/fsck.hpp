// What `facteur fsck` asks for, piece by piece so that it can show how far it is. The server goes on meanwhile.
//
//   fsck.begin     repair                 begins; the checks of this connection belong to it
//   fsck.store                            some of the log, the blobs and the index; to be repeated until "done"
//   fsck.accounts                         all that have records, with their addresses
//   fsck.account   id, repair             whether its records agree
//   fsck.lost      repair                 messages that are in no mailbox; with repair they are filed in lost+found
#pragma once

#include <string_view>

#include "server/asked.hpp"
#include "server/commands.hpp"

namespace facteur::server {

bool is_fsck(std::string_view command);
Task<Result<json::value>> fsck(const CommandDoors& doors, Conversation& conversation, const Asked& asked);

}  // namespace facteur::server
