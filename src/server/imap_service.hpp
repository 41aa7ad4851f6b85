// The driver of IMAP: moves octets between a connection and imap::ServerSession, and answers its questions from the
// mailboxes.
#pragma once

#include <memory>

#include "config/limits.hpp"
#include "directory/authenticator.hpp"
#include "directory/directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "server/service.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"

namespace facteur::server {

// Which messages are \Recent (RFC 3501 §2.3.2) to which session. The rule: a message is recent to the first session
// that has the mailbox selected read-write, and is told of it, after it came; EXAMINE and STATUS only look. This is
// remembered in memory: what came before the server started is recent to nobody. One for all shards.
class RecentBook;
std::shared_ptr<RecentBook> make_recent_book();

// What the service works with; all of it outlives the service.
struct ImapDoors {
  mailbox::Mailboxes& mailboxes;
  store::Engine& engine;  // For the uploads of APPEND.
  directory::Authenticator& authenticator;
  const directory::Directory& directory;  // For quotas.
  world::Clock& clock;
  world::Random& random;
};

// One for each shard, or one for all: it keeps nothing between connections but the book.
std::unique_ptr<Service> make_imap_service(ImapDoors doors, const config::Limits& limits,
                                           std::shared_ptr<RecentBook> recent);

}  // namespace facteur::server
