// What the families of commands share; one commands_*.cpp a family.
#pragma once

#include <boost/json.hpp>
#include <map>
#include <string_view>

#include "server/asked.hpp"
#include "server/commands.hpp"

namespace facteur::server {

using Answer = Result<boost::json::value>;

// One command: what it is asked, and its result.
using Command = Task<Answer> (*)(const CommandDoors&, const Asked&);
using CommandTable = std::map<std::string_view, Command>;

inline Answer done(const Result<void>& result) {
  if (!result) return std::unexpected(result.error());
  return boost::json::object{};
}

// A removed account comes back: in the directory, and its mailboxes open again.
Task<Result<directory::Account>> bring_back(const CommandDoors& doors, mailbox::AccountId account);
// The newest removed account that had this address.
Result<std::optional<directory::RemovedAccount>> find_removed(const CommandDoors& doors, std::string_view address);

// The families.
void add_directory_commands(CommandTable& table);  // domain, account, alias
void add_queue_commands(CommandTable& table);
void add_undelete_commands(CommandTable& table);
void add_guesses_commands(CommandTable& table);
void add_server_commands(CommandTable& table);  // status, reload

}  // namespace facteur::server
