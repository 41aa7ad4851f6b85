// The listeners of one shard: they accept, turn away what is too much, shake hands for implicit TLS, give each
// connection to its service, and end all of them when the server drains. All calls on the shard.
#pragma once

#include <cstdint>
#include <exception>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "server/budget.hpp"
#include "server/service.hpp"
#include "world/clock.hpp"
#include "world/network.hpp"
#include "world/random.hpp"

namespace facteur::server {

// One [[listener]] of the configuration, and who serves it. Immutable; connections keep theirs.
struct ListenerPlan {
  std::string name;
  Endpoint endpoint;
  ListenerParameters parameters;
  bool offer_tls = false;            // STARTTLS.
  std::shared_ptr<Service> service;  // Lives as long as a connection it serves.
  Duration handshake_timeout = 30s;
};

class ShardListeners {
 public:
  struct Doors {
    world::Clock& clock;
    world::Network& network;
    world::Random& random;
    ConnectionBudget& budget;
    std::function<std::shared_ptr<const crypto::TlsServerContext>()> tls;  // The one in force.
  };
  ShardListeners(Doors doors, observe::Scope scope);
  ~ShardListeners();

  // Failures name the listener and what to do about it.
  Result<void> listen(std::shared_ptr<const ListenerPlan> plan);
  Result<void> serve_on(std::unique_ptr<world::Listener> listener, std::shared_ptr<const ListenerPlan> plan);
  // Like listen(), but a listener that is open on that endpoint already just takes the new plan for new connections.
  Result<void> take(std::shared_ptr<const ListenerPlan> plan);
  // Closes listeners of mail protocols that are not among these; their connections go on.
  void keep_only(const std::vector<std::shared_ptr<const ListenerPlan>>& plans);

  // Closes the listeners, rings all connections, waits for them until the deadline, then closes what is left.
  Task<void> drain(Instant deadline);

  std::size_t connections() const { return open_.size(); }

 private:
  class TrackedStream;
  struct Open;  // One connection.
  struct Socket {
    std::unique_ptr<world::Listener> listener;
    std::shared_ptr<const ListenerPlan> plan;
    bool closed = false;
  };

  Task<void> accept_all(Socket& socket);
  Task<void> serve(std::shared_ptr<const ListenerPlan> plan, std::unique_ptr<world::Stream> stream);
  // Neither inline, like turn_away(): what they need must go when they end, not be a part of the frame that stays.
  [[gnu::noinline]] static Task<void> begin(Service& service, std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_of(const ListenerPlan& plan, Open& open,
                                            std::unique_ptr<world::Stream> stream);
  [[gnu::noinline]] Task<bool> shake_hands(const ListenerPlan& plan, Connection& connection);  // False: it is over.
  void report_refused(const ListenerPlan& plan, const Endpoint& peer) const;
  observe::Scope scope_of(const ListenerPlan& plan, const Open& open) const;
  void report_finished(const ListenerPlan& plan, const Open& open, const std::exception_ptr& bug) const;
  std::expected<ConnectionBudget::Ticket, ConnectionBudget::Refusal> place_for(const ListenerPlan& plan,
                                                                               const IpAddress& from);
  bool end_oldest_unproven();
  Task<void> close_later(std::uint64_t number);
  [[gnu::noinline]] Task<void> turn_away(const ListenerPlan& plan, std::unique_ptr<world::Stream> stream);
  std::string new_trace();

  Doors doors_;
  observe::Scope scope_;
  bool draining_ = false;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::uint64_t numbered_ = 0;
  std::set<Open*> open_;
  std::list<Open*> unproven_;  // Those that have neither logged in nor handed a message over, the oldest first.
  TaskGroup tasks_;            // Last: its tasks use everything above.
};

}  // namespace facteur::server
