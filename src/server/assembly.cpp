#include "server/assembly.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "config/published.hpp"
#include "delivery/delivery.hpp"
#include "directory/guess_keeper.hpp"
#include "directory/store_authenticator.hpp"
#include "directory/store_directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "message/structure.hpp"
#include "queue/queue.hpp"
#include "reception/reception.hpp"
#include "server/budget.hpp"
#include "server/commands.hpp"
#include "server/control.hpp"
#include "server/housekeeping.hpp"
#include "server/imap_service.hpp"
#include "server/listener.hpp"
#include "server/metrics_service.hpp"
#include "server/pop3_service.hpp"
#include "server/smtp_service.hpp"

namespace facteur::server {

namespace {

constexpr Duration certificates_looked_at_every = 30s;

reception::Parameters reception_parameters(const config::Config& c) {
  reception::Parameters out;
  out.hostname = c.hostname;
  out.routing = delivery::routing_from(c);
  out.received_fields = c.limits.received_fields;
  out.queue_expiry = c.queue.expiry;
  out.require_fqdn = c.smtp.require_fqdn;
  out.add_received_ip = c.smtp.add_received_ip;
  return out;
}

ListenerParameters::Protocol protocol_of(config::Listener::Protocol protocol) {
  using From = config::Listener::Protocol;
  using To = ListenerParameters::Protocol;
  switch (protocol) {
    case From::exchanger:
      return To::exchanger;
    case From::submission:
      return To::submission;
    case From::lmtp:
      return To::lmtp;
    case From::imap:
      return To::imap;
    case From::pop3:
      return To::pop3;
  }
  return To::exchanger;
}

directory::AuthenticatorSettings authenticator_settings(const config::Config& c) {
  return {c.directory.login_cache, c.limits.guesses_per_login, c.limits.guesses_per_network};
}

ConnectionBudget::Most most_of(const config::Limits& limits) {
  return {limits.connections, limits.connections_per_address, limits.connections_per_network};
}

}  // namespace

directory::Settings directory_settings(const config::Config& c) {
  directory::Settings out;
  out.domains.insert(c.domains.begin(), c.domains.end());
  out.postmaster = c.postmaster;
  for (const auto& entry : c.directory.catch_all) out.catch_all[entry.domain] = entry.address;
  out.separator.reset();
  if (!c.directory.subaddress_separator.empty()) out.separator = c.directory.subaddress_separator.front();
  out.quota_bytes = c.directory.quota;
  out.cost.memory_kib = static_cast<std::uint32_t>(c.directory.argon2_memory / 1024);
  out.cost.passes = static_cast<std::uint32_t>(c.directory.argon2_passes);
  return out;
}

struct Server::Parts {
  Parts(Doors d, observe::Sink& sink, store::Engine& e, std::string id, std::shared_ptr<const config::Config> c,
        std::function<config::Loaded()> again)
      : doors(std::move(d)),
        scope(sink),
        published(std::move(c)),
        load_again(std::move(again)),
        engine(e),
        instance(std::move(id)),
        certificates(doors.disk, doors.clock, doors.read_file, scope, doors.keys),
        budget(most_of(published.get()->limits)),
        directory(engine, doors.shards, doors.random, directory_settings(*published.get())),
        authenticator(directory, doors.shards, doors.clock, doors.random, scope,
                      authenticator_settings(*published.get())),
        guess_keeper(authenticator, engine, doors.shards, doors.clock, scope),
        mailboxes(mailbox::make_mailboxes(
            engine, doors.shards, doors.clock, doors.random, scope,
            [](Bytes prefix, Bytes content) { return message::make_structure(prefix, content); }, doors.bulk)),
        queue(queue::make_queue(engine, doors.shards, doors.clock, doors.random, scope)),
        reception(reception::make_reception({engine, *mailboxes, directory, *queue, doors.clock},
                                            reception_parameters(*published.get()))),
        background(
            [this](const std::exception_ptr&) { scope.event("background_bug_caught").level(observe::Level::error); }) {}

  Doors doors;
  observe::Scope scope;
  config::Published published;
  std::function<config::Loaded()> load_again;
  store::Engine& engine;
  std::string instance;
  Certificates certificates;
  ConnectionBudget budget;
  directory::StoreDirectory directory;
  directory::StoreAuthenticator authenticator;
  directory::GuessKeeper guess_keeper;
  std::unique_ptr<mailbox::Mailboxes> mailboxes;
  std::unique_ptr<queue::Queue> queue;
  std::unique_ptr<reception::Reception> reception;
  std::unique_ptr<delivery::Delivery> delivery;
  std::unique_ptr<Commands> commands;
  std::unique_ptr<Housekeeping> housekeeping;
  const std::shared_ptr<RecentBook> recent = make_recent_book();
  const std::shared_ptr<MaildropLocks> locks = make_maildrop_locks();
  std::shared_ptr<Service> smtp, imap, pop3, monitoring, control;
  std::vector<std::unique_ptr<ShardListeners>> listeners;  // One per shard, made and used there.
  Instant started{};
  Wakeup delivery_drain, watch_drain, housekeeping_drain, guesses_drain;
  Turn reloading;        // Certificates and configuration are read by one at a time.
  TaskGroup background;  // Of shard 0. Last: its tasks use everything above.

  Result<void> make_clients();
  void make_mail_services(const config::Config& config);
  void make_services(Server& server);
  std::vector<std::shared_ptr<const ListenerPlan>> plans(const config::Config& config);
  Task<std::vector<std::string>> listen(const config::Config& config);
  Task<Result<void>> open_own_doors(const config::Config& config);
  Task<void> watch_certificates();
  Task<void> drain_shard(unsigned shard, Instant deadline, unsigned& left);
  std::string status() const;
  std::string trouble() const;
};

// What delivery needs to speak TLS to others.
Result<void> Server::Parts::make_clients() {
  auto taking_any = crypto::TlsClientContext::make({.ca_pem = {}, .verify = false});
  if (!taking_any) return failed(taking_any);
  auto verifying = crypto::TlsClientContext::make({.ca_pem = doors.ca_pem, .verify = true});
  if (!verifying) return failed(verifying);
  const auto config = published.get();
  delivery = delivery::make_delivery({doors.network, doors.shards, doors.clock, doors.random, doors.resolver, engine,
                                      *mailboxes, directory, *queue, *taking_any, *verifying, scope},
                                     delivery::parameters_from(*config), delivery::routing_from(*config));
  return {};
}

// The services of mail, with the limits of this configuration. Connections that are open keep the ones they have.
void Server::Parts::make_mail_services(const config::Config& config) {
  smtp = make_smtp_service({*reception, authenticator, doors.clock, doors.random}, config.limits, config.smtp);
  imap = make_imap_service({*mailboxes, engine, authenticator, directory, doors.clock, doors.random}, config.limits,
                           recent);
  pop3 = make_pop3_service({*mailboxes, authenticator, doors.clock, doors.random}, config.limits, locks);
}

void Server::Parts::make_services(Server& server) {
  make_mail_services(*published.get());
  monitoring = make_metrics_service({doors.clock, doors.metrics, [this] { return trouble(); }});
  commands = std::make_unique<Commands>(
      CommandDoors{directory, directory, *mailboxes, *queue, engine, doors.clock, scope, [this] { return status(); },
                   [&server] { return server.reload(); }, &authenticator, doors.hold_log});
  housekeeping = std::make_unique<Housekeeping>(
      Housekeeping::Doors{engine, directory, directory, *mailboxes, doors.clock, scope}, published.get()->keeping);
  control = make_control_service({doors.clock, [&server](ControlMessage request, Conversation& conversation) {
                                    return server.command(std::move(request), conversation);
                                  }});
  if (!doors.gauge) return;
  doors.gauge("connections_open", "Connections open now", [this] { return static_cast<double>(budget.open()); });
  doors.gauge("housekeeping_rounds", "Rounds of housekeeping finished since the start",
              [this] { return static_cast<double>(housekeeping->rounds()); });
  doors.gauge("housekeeping_accounts", "Accounts looked after since the start",
              [this] { return static_cast<double>(housekeeping->accounts()); });
  doors.gauge("housekeeping_failures", "Accounts that could not be looked after since the start",
              [this] { return static_cast<double>(housekeeping->failures()); });
  doors.gauge("store_healthy", "1 while the store takes new mail",
              [this] { return engine.health() == store::Engine::Health::good ? 1.0 : 0.0; });
}

std::string Server::Parts::trouble() const {
  if (engine.health() == store::Engine::Health::read_only) return "the store is read-only after a failed sync";
  if (engine.health() == store::Engine::Health::low_space) return "the disk is nearly full";
  if (engine.health() == store::Engine::Health::index_behind) return "the index cannot be written";
  return {};
}

std::string Server::Parts::status() const {
  const auto config = published.get();
  const auto at_work = delivery->status();
  return fmt::format(
      R"("hostname":"{}","instance":"{}","uptime_s":{},"shards":{},"connections":{},"delivered":{},"deferred":{},)"
      R"("failed":{},"delivering":{},"roles":"{}","sandbox":"{}")",
      config->hostname, instance, (doors.clock.now() - started) / 1s, doors.shards.count(), budget.open(),
      at_work.delivered, at_work.deferred, at_work.failed, at_work.active, doors.roles, doors.sandbox);
}

std::vector<std::shared_ptr<const ListenerPlan>> Server::Parts::plans(const config::Config& config) {
  std::vector<std::shared_ptr<const ListenerPlan>> out;
  for (const auto& listener : config.listeners) {
    ListenerPlan plan;
    plan.name = listener.name;
    plan.endpoint = {listener.address, listener.port};
    plan.parameters.protocol = protocol_of(listener.protocol);
    plan.parameters.implicit_tls = listener.tls == config::Listener::Tls::implicit;
    plan.parameters.plaintext_login = listener.plaintext_login;
    plan.parameters.hostname = config.hostname;
    plan.offer_tls = listener.tls == config::Listener::Tls::starttls;
    plan.handshake_timeout = config.limits.tls_handshake_timeout;
    plan.service = listener.protocol == config::Listener::Protocol::imap   ? imap
                   : listener.protocol == config::Listener::Protocol::pop3 ? pop3
                                                                           : smtp;
    out.push_back(std::make_shared<const ListenerPlan>(std::move(plan)));
  }
  return out;
}

// Opens what is new and closes what is gone, on every shard. What could not be opened.
Task<std::vector<std::string>> Server::Parts::listen(const config::Config& config) {
  const auto wanted = plans(config);
  std::vector<std::string> problems;
  for (unsigned shard = 0; shard < doors.shards.count(); ++shard) {
    co_await world::hop(doors.shards, shard);
    ShardListeners& own = *listeners[shard];
    for (const auto& plan : wanted) {
      auto opened = own.take(plan);
      if (!opened && shard == 0) {
        problems.push_back(fmt::format("{}: {}", plan->name, opened.error().text));
      }
    }
    own.keep_only(wanted);
  }
  co_await world::hop(doors.shards, 0);
  co_return problems;
}

// The monitoring port and the control socket, on shard 0.
Task<Result<void>> Server::Parts::open_own_doors(const config::Config& config) {
  if (config.server.metrics && doors.metrics) {
    ListenerPlan plan;
    plan.name = "metrics";
    plan.endpoint = *config.server.metrics;
    plan.parameters.protocol = ListenerParameters::Protocol::metrics;
    plan.service = monitoring;
    auto opened = listeners[0]->listen(std::make_shared<const ListenerPlan>(std::move(plan)));
    if (!opened) co_return failed(opened);
  }
  auto local = doors.network.listen_local(config.control_socket());
  if (!local && local.error().kind == Failure::Kind::refused) co_return Result<void>();  // A world without one.
  if (!local) co_return failed(local);
  ListenerPlan plan;
  plan.name = "control";
  plan.endpoint = {IpAddress::loopback(), 0};
  plan.parameters.protocol = ListenerParameters::Protocol::control;
  plan.service = control;
  co_return listeners[0]->serve_on(std::move(*local), std::make_shared<const ListenerPlan>(std::move(plan)));
}

Task<void> Server::Parts::watch_certificates() {
  std::string told;
  while (!co_await doors.clock.sleep_until(doors.clock.now() + certificates_looked_at_every, &watch_drain)) {
    auto held = co_await reloading.take();
    const auto config = published.get();
    auto load = [this, config] { return certificates.load(*config); };
    auto work = world::blocking(doors.shards, world::Shards::Lane::pool, std::move(load));
    auto loaded = co_await work;
    const std::string problem = loaded ? std::string() : loaded.error().text + loaded.error().cause;
    if (!loaded && problem != told) scope.event("certificates_not_reloaded").failure(loaded.error());
    told = problem;
  }
}

Task<void> Server::Parts::drain_shard(unsigned shard, Instant deadline, unsigned& left) {
  co_await world::hop(doors.shards, shard);
  co_await listeners[shard]->drain(deadline);
  listeners[shard].reset();
  co_await world::hop(doors.shards, 0);
  --left;
}

Server::Server(Doors doors, observe::Sink& sink, store::Engine& engine, std::string instance,
               std::shared_ptr<const config::Config> config, std::function<config::Loaded()> load_again)
    : parts_(std::make_unique<Parts>(std::move(doors), sink, engine, std::move(instance), std::move(config),
                                     std::move(load_again))) {}

Server::~Server() = default;

Task<Result<void>> Server::start() {
  Parts& p = *parts_;
  const auto config = p.published.get();
  p.started = p.doors.clock.now();
  for (unsigned shard = 0; shard < p.doors.shards.count(); ++shard) {
    p.listeners.push_back(
        std::make_unique<ShardListeners>(ShardListeners::Doors{p.doors.clock, p.doors.network, p.doors.random, p.budget,
                                                               [&p] { return p.certificates.now(); }},
                                         p.scope));
  }
  if (auto loaded = p.certificates.load(*config); !loaded) co_return failed(loaded);
  if (auto made = p.make_clients(); !made) co_return failed(made);
  p.make_services(*this);

  if (auto recalled = co_await p.guess_keeper.recall(); !recalled) co_return failed(recalled);

  const auto problems = co_await p.listen(*config);
  if (!problems.empty()) {
    std::string text = "Cannot listen on:";
    for (const auto& problem : problems) text += "\n  " + problem;
    co_return failure(Failure::Kind::permanent, "F-6071", text);
  }
  if (auto opened = co_await p.open_own_doors(*config); !opened) co_return failed(opened);
  p.background.start(p.delivery->run(p.delivery_drain));
  p.background.start(p.watch_certificates());
  p.background.start(p.housekeeping->run(p.housekeeping_drain));
  p.background.start(p.guess_keeper.run(p.guesses_drain));
  p.scope.event("server_started")
      .field("hostname", config->hostname)
      .field("instance", p.instance)
      .field("listeners", config->listeners.size())
      .field("shards", p.doors.shards.count());
  co_return Result<void>();
}

Task<void> Server::stop() {
  Parts& p = *parts_;
  const auto config = p.published.get();
  p.scope.event("server_stopping").field("connections", p.budget.open());
  const Instant deadline = p.doors.clock.now() + config->limits.drain_timeout;
  p.delivery_drain.fire();
  p.watch_drain.fire();
  p.housekeeping_drain.fire();
  auto left = static_cast<unsigned>(p.listeners.size());
  {
    TaskGroup draining;
    for (unsigned shard = 0; shard < p.listeners.size(); ++shard) draining.start(p.drain_shard(shard, deadline, left));
    co_await draining.finished();
  }
  p.guesses_drain.fire();  // Behind the last login.
  co_await p.background.finished();
  // Whoever resumed us may still be inside a task of a part: let it end, since the caller may destroy us now.
  co_await p.doors.clock.sleep_until(p.doors.clock.now() + 1ms);
  p.scope.event("server_stopped");
}

Task<std::string> Server::reload() {
  Parts& p = *parts_;
  if (!p.load_again) co_return std::string("This server's configuration does not come from a file\n");
  auto held = co_await p.reloading.take();
  auto load = [&p] { return p.load_again(); };
  auto work = world::blocking(p.doors.shards, world::Shards::Lane::pool, std::move(load));
  config::Loaded loaded = co_await work;
  std::string problems = config::to_string(loaded.problems);
  const auto before = p.published.get();
  if (problems.empty() && loaded.config.server.data != before->server.data) {
    problems = "server.data cannot change while the server runs\n";
  }
  const auto next = std::make_shared<const config::Config>(std::move(loaded.config));
  if (problems.empty()) {
    auto read = [&p, next] { return p.certificates.load(*next); };
    auto reading = world::blocking(p.doors.shards, world::Shards::Lane::pool, std::move(read));
    auto certificates = co_await reading;
    if (!certificates) problems = certificates.error().text + ": " + certificates.error().cause + "\n";
  }
  if (!problems.empty()) {
    p.scope.event("configuration_not_reloaded").level(observe::Level::error).field("problems", problems);
    if (p.doors.reloaded) p.doors.reloaded(false);
    co_return problems;
  }
  p.published.set(next);
  p.budget.configure(most_of(next->limits));
  p.directory.configure(directory_settings(*next));
  p.authenticator.configure(authenticator_settings(*next));
  p.housekeeping->configure(next->keeping);
  p.reception->reload(reception_parameters(*next));
  p.delivery->reload(delivery::parameters_from(*next), delivery::routing_from(*next));
  p.make_mail_services(*next);
  for (const auto& problem : co_await p.listen(*next)) problems += problem + "\n";
  if (p.doors.reloaded) p.doors.reloaded(true);
  p.scope.event("configuration_reloaded").field("result", problems.empty() ? "done" : "listeners_missing");
  co_return problems;
}

Task<std::string> Server::command(std::string request) { return parts_->commands->answer(std::move(request)); }

Task<ControlMessage> Server::command(ControlMessage request, Conversation& conversation) {
  return parts_->commands->answer(std::move(request), conversation);
}

std::shared_ptr<const config::Config> Server::config() const { return parts_->published.get(); }

}  // namespace facteur::server
