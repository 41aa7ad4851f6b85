// Taking mail in: answers the questions of an SMTP or LMTP session, from the first octet of a client to the commit that
// makes us responsible (DESIGN.md section 8).
//
// One Reception per server, usable from any shard; one Arrival per connection, on the shard of that connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/ip_address.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "directory/directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "observe/event.hpp"
#include "queue/queue.hpp"
#include "routing/routing.hpp"
#include "smtp/server_session.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"

namespace facteur::reception {

// What the listener is for.
enum class Role : std::uint8_t {
  exchanger,   // Anybody, for our domains and relay domains.
  submission,  // Our users, to anywhere (RFC 6409).
  lmtp,        // Programs of this machine, for our accounts (RFC 2033).
};

struct Parameters {
  std::string hostname;
  routing::Parameters routing;
  std::size_t received_fields = 100;  // More are a loop: RFC 5321 §6.3.
  Duration queue_expiry = 120h;
  bool require_fqdn = false;    // Exchanger: EHLO names need a dot or must be literals.
  bool add_received_ip = true;  // Submission: the client's address in Received (off: privacy of users).
};

// What it works with; all outlive it.
struct Surroundings {
  store::Engine& engine;
  mailbox::Mailboxes& mailboxes;
  const directory::Directory& directory;
  queue::Queue& queue;
  world::Clock& clock;
};

// Who is there, as far as known when the connection comes.
struct Client {
  Role role = Role::exchanger;
  IpAddress address;
};

// One connection and the message that comes over it. Every on() answers one question; only one runs at a time.
class Arrival {
 public:
  virtual ~Arrival() = default;

  virtual Task<smtp::Reply> on(const smtp::AcceptClient&) = 0;
  virtual Task<smtp::Reply> on(const smtp::Greeted& greeted) = 0;
  virtual Task<smtp::Reply> on(const smtp::AcceptSender& sender) = 0;
  virtual Task<smtp::Reply> on(const smtp::AcceptRecipient& recipient) = 0;
  virtual Task<smtp::Reply> on(const smtp::AppendContent& content) = 0;

  // 250 only after the commit: copies in mailboxes, queue records, all or nothing.
  virtual Task<smtp::Reply> on(const smtp::AcceptContent&) = 0;

  virtual Task<smtp::Reply> on(const smtp::Verify& name) = 0;
  // Only for domains we relay for (RELIABILITY S86).
  virtual Task<smtp::Reply> on(const smtp::StartQueue& queue) = 0;

  virtual void forget_mail() = 0;
  virtual void secured(std::string protocol, std::string cipher) = 0;  // TLS is up.
  virtual void logged_in(directory::AccountId account, std::string login) = 0;
  virtual void logged_out() = 0;  // STARTTLS forgets logins.

  virtual std::uint64_t messages() const = 0;  // Accepted so far.
};

class Reception {
 public:
  virtual ~Reception() = default;

  // `scope` is that of the connection; events of this arrival carry its fields.
  virtual std::unique_ptr<Arrival> arrive(const Client& client, observe::Scope scope) = 0;

  virtual void reload(Parameters parameters) = 0;  // For arrivals from now on. From any shard.
};

std::unique_ptr<Reception> make_reception(Surroundings surroundings, Parameters parameters);

}  // namespace facteur::reception
