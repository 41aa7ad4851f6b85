#include "cli/serve.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>

#include "cli/shelter.hpp"
#include "cli/site.hpp"
#include "config/describe.hpp"
#include "config/load.hpp"
#include "roles/service_manager.hpp"

namespace facteur::cli {

namespace {

constexpr Duration patience = 15s;  // Beyond drain_timeout; everything acknowledged is durable, so a hard end is safe.

host::LogOptions log_options(const config::Server& server) {
  host::LogOptions out;
  out.format = server.log_format == config::Server::LogFormat::json ? host::LogOptions::Format::json
                                                                    : host::LogOptions::Format::text;
  out.least = static_cast<observe::Level>(server.log_level);
  return out;
}

// One `facteur serve`, from the first to the last moment.
struct Life {
  const Context& context;
  std::shared_ptr<const config::Config> config;
  std::unique_ptr<host::World> world;
  std::unique_ptr<store::EmbeddedEngine> engine;
  std::unique_ptr<server::Server> server;
  roles::ServiceManager manager{};
  roles::Sandbox sandbox{};
  Wakeup stop;
  Wakeup gone;
  std::optional<TaskGroup> reloads;
  int exit_code = ExitCode::done;

  Task<void> run();
  Task<void> reload();
  Task<void> end_hard();
  void signal(int number);
  void tell_sandbox() const;
};

// What protects the rest of the machine from this process, and what does not.
void Life::tell_sandbox() const {
  auto event = observe::Scope(world->log).event("sandbox_entered");
  event.field("in_force", sandbox.text());
  if (!sandbox.missing.empty()) event.level(observe::Level::warning).field("missing", sandbox.missing);
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
  const std::string path = context.config_path;
  auto doors = doors_of(*world, *world->disk, *world->resolver);
  host::Metrics& metrics = world->log.metrics();
  doors.metrics = [&metrics] { return metrics.exposition(); };
  doors.gauge = [&metrics](std::string name, std::string help, std::function<double()> value) {
    metrics.gauge(std::move(name), std::move(help), std::move(value));
  };
  doors.sandbox = sandbox.text();
  tell_sandbox();
  doors.hold_log = [this] { return engine->hold_log(); };
  reloads.emplace();
  server = std::make_unique<server::Server>(std::move(doors), world->log, *engine, engine->instance(), config,
                                            [path] { return config::load(path); });
  auto started = co_await server->start();
  if (started) {
    manager.tell("READY=1");
    co_await world->clock.sleep_until(Instant::never(), &stop);
  } else {
    complain(started.error().text + (started.error().cause.empty() ? "" : ": " + started.error().cause));
    exit_code = ExitCode::failed;
  }
  manager.tell("STOPPING=1");
  TaskGroup guard;
  guard.start(end_hard());
  co_await reloads->finished();
  co_await server->stop();
  server.reset();
  co_await engine->close();
  gone.fire();
  co_await guard.finished();
}

}  // namespace

int serve(const Context& context) {
  auto loaded = config::load(context.config_path);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return ExitCode::wrong_configuration;
  }
  Life life{.context = context,
            .config = std::make_shared<const config::Config>(std::move(loaded.config)),
            .world = {},
            .engine = {},
            .server = {},
            .manager = {},
            .sandbox = {},
            .stop = {},
            .gone = {},
            .reloads = {}};
  life.sandbox = enter_shelter(*life.config, whole_shelter(*life.config, context.config_path));
  SiteOptions options{log_options(life.config->server), [&life](int number) { life.signal(number); },
                      static_cast<unsigned>(life.config->server.shards)};
  auto world = open_world(*life.config, std::move(options));
  if (!world) {
    complain(world.error().text + ": " + world.error().cause);
    return world.error().code == folder_is_busy ? ExitCode::busy : ExitCode::failed;
  }
  life.world = std::move(*world);
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

}  // namespace facteur::cli
