// The postman's rounds: takes what is due out of the queue, delivers it here or to other servers, and returns what
// cannot be delivered. One per server; it lives on the shard it was started on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "base/wait.hpp"
#include "config/schema.hpp"
#include "crypto/tls.hpp"
#include "directory/directory.hpp"
#include "dns/resolver.hpp"
#include "mailbox/mailboxes.hpp"
#include "observe/event.hpp"
#include "queue/queue.hpp"
#include "routing/routing.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/network.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::delivery {

struct Parameters {
  std::string hostname;
  std::string postmaster;                // Gets the reports that no sender may get; empty: nobody does.
  std::size_t postmaster_reports = 20;   // An hour; beyond that only the log tells.
  std::vector<std::string> our_names;    // Other names MX records may call us by; hostname is always one.
  std::vector<IpAddress> our_addresses;  // Never delivered to by SMTP, unless allow_loopback.
  std::uint16_t port = 25;
  std::optional<IpAddress> source;

  std::size_t concurrency = 100;
  std::size_t concurrency_per_destination = 5;
  std::size_t messages_per_connection = 100;
  std::size_t active_messages = 2000;  // In memory at once; the rest waits in the store.
  Duration keep_connection = 1s;       // For the next message, if there was more than one.
  Duration connect_timeout = 30s;
  Duration dns_timeout = 10s;
  Duration drain_timeout = 10s;  // For what is being sent when the server stops.

  bool tls = true;
  bool allow_loopback = false;
  bool smarthost_implicit_tls = false;
  bool smarthost_tls_required = true;
  std::string smarthost_login, smarthost_password;

  std::vector<Duration> retry{5min, 10min, 15min, 30min, 1h, 2h, 4h};  // The last one repeats; each +- 20 %.
  Duration expiry = 120h;                                              // For entries that bring none of their own.
  Duration bounce_expiry = 48h;                                        // Of the reports we send.
  Duration delay_notice = 4h;                                          // 0: none.
};

// From the configuration.
Parameters parameters_from(const config::Config& config);
routing::Parameters routing_from(const config::Config& config);

// What it works with; all outlive it.
struct Surroundings {
  world::Network& network;
  world::Shards& shards;
  world::Clock& clock;
  world::Random& random;
  dns::Resolver& resolver;
  store::Engine& engine;
  mailbox::Mailboxes& mailboxes;
  const directory::Directory& directory;
  queue::Queue& queue;
  std::shared_ptr<const crypto::TlsClientContext> tls;            // Not verifying (opportunistic); null: no TLS.
  std::shared_ptr<const crypto::TlsClientContext> verifying_tls;  // For a smarthost with required TLS; may be null.
  observe::Scope scope;
};

class Delivery {
 public:
  virtual ~Delivery() = default;

  // Loads the queue and works until `drain` fires; then no attempt begins, running ones get drain_timeout, and it ends.
  // Runs once. Throws nothing but Bug and bad_alloc.
  virtual Task<void> run(Wakeup& drain) = 0;

  // From now on; running attempts keep what they began with.
  virtual void reload(Parameters parameters, routing::Parameters routing) = 0;

  struct Status {
    std::size_t waiting = 0;  // Messages whose time has not come.
    std::size_t active = 0;
    std::size_t connections = 0;
    std::uint64_t delivered = 0, deferred = 0, failed = 0;  // Recipients since the start.
  };
  virtual Status status() const = 0;
};

std::unique_ptr<Delivery> make_delivery(Surroundings surroundings, Parameters parameters, routing::Parameters routing);

}  // namespace facteur::delivery
