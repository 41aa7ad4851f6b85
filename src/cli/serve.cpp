#include "cli/serve.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>

#include "cli/processes.hpp"
#include "cli/restored.hpp"
#include "cli/shelter.hpp"
#include "cli/site.hpp"
#include "config/describe.hpp"
#include "config/load.hpp"
#include "roles/keys.hpp"
#include "roles/messages.hpp"
#include "roles/service_manager.hpp"

namespace facteur::cli {

namespace {

constexpr Duration alive_every = 5s;
constexpr Duration patience = 15s;  // Beyond drain_timeout; everything acknowledged is durable, so a hard end is safe.

// The server of one `facteur serve`, from the first to the last moment.
struct Life {
  const Context& context;
  const roles::Inherited* inherited = nullptr;  // From the keeper; null: there is no other process.
  std::string missing{};                        // Of privileges given up, besides the sandbox.
  std::shared_ptr<const config::Config> config;
  std::unique_ptr<host::World> world;
  std::unique_ptr<store::EmbeddedEngine> engine;
  std::unique_ptr<server::Server> server;
  roles::ServiceManager manager{};
  roles::Sandbox sandbox{};
  Wakeup stop;
  Wakeup gone;
  Wakeup silent{};  // Nothing more to tell the keeper.
  std::optional<TaskGroup> reloads;
  int exit_code = ExitCode::done;

  Task<void> run();
  Task<void> reload();
  Task<void> end_hard();
  Task<void> tell_alive();
  server::Doors doors();
  config::Loaded load_again();
  void signal(int number);
  void tell_sandbox() const;
};

// What protects the rest of the machine from this process, and what does not.
void Life::tell_sandbox() const {
  auto event = observe::Scope(world->log).event("sandbox_entered");
  event.field("in_force", sandbox.text()).field("user", ::geteuid());
  std::string text = sandbox.missing;
  if (!missing.empty()) text += (text.empty() ? "" : "; ") + missing;
  if (!text.empty()) event.level(observe::Level::warning).field("missing", text);
}

// Who watches ends a server that has nothing to say for a minute.
Task<void> Life::tell_alive() {
  do {
    if (inherited) roles::send(inherited->keeper, roles::Message::alive);
    manager.tell_alive();
  } while (!co_await world->clock.sleep_until(world->clock.now() + alive_every, &silent));
}

// On the pool: the keeper may take its time to bind ports and to start the keys anew.
config::Loaded Life::load_again() {
  if (!inherited) return config::load(context.config_path);
  const auto prepared = roles::ask_to_prepare(inherited->keeper);
  world->network.adopt(prepared.sockets);
  auto out = config::load(context.config_path);
  if (out.good() && !prepared.problem.empty()) out.problems.push_back({"tls.certificate", prepared.problem});
  return out;
}

server::Doors Life::doors() {
  auto out = doors_of(*world, *world->disk, *world->resolver);
  host::Metrics& metrics = world->log.metrics();
  out.metrics = [&metrics] { return metrics.exposition(); };
  out.gauge = [&metrics](std::string name, std::string help, std::function<double()> value) {
    metrics.gauge(std::move(name), std::move(help), std::move(value));
  };
  out.sandbox = sandbox.text();
  out.hold_log = [this] { return engine->hold_log(); };
  if (!inherited) return out;
  out.roles = "keeper, server, keys";
  auto keys = std::make_shared<roles::RemoteKeys>(inherited->channels, world->random.number());
  out.keys = {keys, [keys] { return keys->certificates(); }};
  out.reloaded = [this](bool taken) {
    world->network.close_adopted();
    roles::send(inherited->keeper, taken ? roles::Message::taken : roles::Message::not_taken);
  };
  return out;
}

void Life::signal(int number) {
  if (number == SIGHUP) {
    world->log.reopen();
    if (server && reloads) reloads->start(reload());
    return;
  }
  if (number != SIGTERM && number != SIGINT) return;
  if (stop.fired()) std::_Exit(128 + number);  // Asked twice: at once.
  stop.fire();
}

Task<void> Life::reload() { static_cast<void>(co_await server->reload()); }

Task<void> Life::end_hard() {
  const Instant deadline = world->clock.now() + server->config()->limits.drain_timeout + patience;
  if (co_await world->clock.sleep_until(deadline, &gone)) co_return;
  complain("the end takes too long; everything acknowledged is on disk");
  std::_Exit(ExitCode::failed);
}

Task<void> Life::run() {
  tell_sandbox();
  reloads.emplace();
  server = std::make_unique<server::Server>(doors(), world->log, *engine, engine->instance(), config,
                                            [this] { return load_again(); });
  auto started = co_await settle_restored(*world, *world->disk, *engine);
  if (started) started = co_await server->start();
  world->network.close_adopted();
  TaskGroup guard;
  guard.start(tell_alive());
  if (started) {
    if (inherited) roles::send(inherited->keeper, roles::Message::started);
    manager.tell("READY=1");
    co_await world->clock.sleep_until(Instant::never(), &stop);
  } else {
    complain(started.error().text + (started.error().cause.empty() ? "" : ": " + started.error().cause));
    exit_code = ExitCode::failed;
  }
  manager.tell("STOPPING=1");
  guard.start(end_hard());
  co_await reloads->finished();
  co_await server->stop();
  server.reset();
  co_await engine->close();
  gone.fire();
  silent.fire();
  co_await guard.finished();
}

int serve_here(const Context& context, config::Config loaded, const roles::Inherited* inherited, std::string missing) {
  Life life{.context = context,
            .inherited = inherited,
            .missing = std::move(missing),
            .config = std::make_shared<const config::Config>(std::move(loaded)),
            .world = {},
            .engine = {},
            .server = {},
            .manager = {},
            .sandbox = {},
            .stop = {},
            .gone = {},
            .reloads = {}};
  auto shelter =
      inherited ? server_shelter(*life.config, context.config_path) : whole_shelter(*life.config, context.config_path);
  if (inherited) shelter.report = inherited->keeper;
  life.sandbox = enter_shelter(*life.config, std::move(shelter));
  const unsigned shards = inherited ? inherited->shards : static_cast<unsigned>(life.config->server.shards);
  SiteOptions options{log_options(life.config->server), [&life](int number) { life.signal(number); }, shards};
  auto world = open_world(*life.config, std::move(options));
  if (!world) {
    complain(world.error().text + ": " + world.error().cause);
    return world.error().code == folder_is_busy ? ExitCode::busy : ExitCode::failed;
  }
  life.world = std::move(*world);
  if (inherited) life.world->network.adopt(inherited->listening);
  auto engine = open_store(*life.world, *life.world->disk, *life.config, observe::Scope(life.world->log));
  if (!engine) {
    complain(engine.error().text + ": " + engine.error().cause);
    return ExitCode::failed;
  }
  life.engine = std::move(*engine);
  run_to_end(*life.world, life.run());
  life.engine.reset();
  life.world.reset();
  return life.exit_code;
}

}  // namespace

int serve(const Context& context) {
  const auto inherited = roles::inherited();
  if (inherited) {
    roles::end_with_keeper(*inherited);
    ::prctl(PR_SET_NAME, inherited->role == roles::Role::keys ? "facteur-keys" : "facteur-server");
    if (inherited->role == roles::Role::keys) return serve_keys(context, *inherited);
  }
  auto loaded = load_as(context, inherited ? &*inherited : nullptr);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return ExitCode::wrong_configuration;
  }
  if (inherited) {
    if (auto furnished = furnish_data_folder(loaded.config); !furnished) {
      complain(furnished.error().text + ": " + furnished.error().cause);
      return ExitCode::failed;
    }
    return serve_here(context, std::move(loaded.config), &*inherited, {});
  }
  const Plan plan = plan_of(loaded.config);
  if (!plan.impossible.empty()) {
    complain(plan.impossible);
    return ExitCode::failed;
  }
  if (plan.three) return keep_processes(context, loaded.config, plan);
  return serve_here(context, std::move(loaded.config), nullptr, plan.missing);
}

}  // namespace facteur::cli
