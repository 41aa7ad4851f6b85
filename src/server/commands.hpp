// What operators ask: JSON requests from the control socket, or straight from `facteur` when no server runs.
//
//   {"command": "account.add", "address": "anne@example.org", "password": "..."}
//   {"ok": true, "result": {...}}    {"ok": false, "code": "F-6021", "error": "There is no account ..."}
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "base/task.hpp"
#include "base/wait.hpp"
#include "directory/admin.hpp"
#include "directory/directory.hpp"
#include "directory/guesses.hpp"
#include "mailbox/mailboxes.hpp"
#include "observe/event.hpp"
#include "queue/queue.hpp"
#include "server/control_message.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"

namespace facteur::store {
class HeldLog;
}

namespace facteur::server {

struct CommandDoors {
  directory::Directory& directory;
  directory::Admin& admin;
  mailbox::Mailboxes& mailboxes;
  queue::Queue& queue;
  store::Engine& engine;
  world::Clock& clock;
  observe::Scope scope;
  // What only a running server can say and do; empty without one.
  std::function<std::string()> status;        // Members of a JSON object, without braces; may be empty.
  std::function<Task<std::string>()> reload;  // Problems, one a line; empty: the new configuration is in force.
  directory::GuessBook* guesses = nullptr;
  std::function<std::shared_ptr<const store::HeldLog>()> hold_log{};  // Empty: this store cannot.
};

// A batch of an import that is being filed while the next one is read.
struct Filing {
  std::int64_t imported = 0;
  std::int64_t known = 0;
  std::uint64_t bytes = 0;
  Result<void> done;
  std::exception_ptr bug;
  Completion<bool> ended;
};

// What one connection has begun: an import goes through many requests (transfers.hpp).
struct Conversation {
  mailbox::AccountId account;
  mailbox::MailboxId mailbox;
  std::unique_ptr<store::Upload> upload;       // A message that comes in pieces.
  std::string head;                            // Its first octets.
  bool quota = false;                          // That of the account imported into holds.
  std::deque<std::shared_ptr<Filing>> filing;  // In their order.
  TaskGroup tasks;                             // Who file them: to be waited for before this goes.
  std::unique_ptr<store::Check> check;         // fsck.hpp
  std::shared_ptr<const store::HeldLog> held;  // For a backup: until this connection ends (backups.hpp).
};

class Commands {
 public:
  explicit Commands(CommandDoors doors) : doors_(std::move(doors)) {}

  // Never fails: what is wrong is said in the reply. On any shard.
  Task<ControlMessage> answer(ControlMessage request, Conversation& conversation);
  Task<std::string> answer(std::string request);  // One without octets.

 private:
  CommandDoors doors_;
};

}  // namespace facteur::server
