// The driver of POP3: moves octets between a connection and pop3::ServerSession, and answers its questions from the
// mailboxes.
#pragma once

#include <memory>

#include "config/limits.hpp"
#include "directory/authenticator.hpp"
#include "mailbox/mailboxes.hpp"
#include "server/service.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"

namespace facteur::server {

// Which mailboxes a POP3 session has open: one each (RFC 1939 §4). IMAP goes on beside it. One for all shards.
class MaildropLocks;
std::shared_ptr<MaildropLocks> make_maildrop_locks();

// What the service works with; all of it outlives the service.
struct Pop3Doors {
  mailbox::Mailboxes& mailboxes;
  directory::Authenticator& authenticator;
  world::Clock& clock;
  world::Random& random;
};

// One for each shard, or one for all: it keeps nothing between connections but the locks.
std::unique_ptr<Service> make_pop3_service(Pop3Doors doors, const config::Limits& limits,
                                           std::shared_ptr<MaildropLocks> locks);

}  // namespace facteur::server
