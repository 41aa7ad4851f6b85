#include "cli/processes.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "cli/shelter.hpp"
#include "cli/site.hpp"
#include "config/load.hpp"
#include "host/clock.hpp"
#include "host/disk.hpp"
#include "roles/keeper.hpp"
#include "roles/keys.hpp"
#include "server/certificates.hpp"
#include "store/key.hpp"

namespace facteur::cli {

namespace {

unsigned shards_of(const config::Config& config) {
  if (config.server.shards > 0) return static_cast<unsigned>(config.server.shards);
  return std::max(1U, std::thread::hardware_concurrency());
}

std::vector<roles::Port> ports_of(const config::Config& config, unsigned shards) {
  std::vector<roles::Port> out;
  for (const auto& listener : config.listeners) out.push_back({{listener.address, listener.port}, shards});
  if (config.server.metrics) out.push_back({*config.server.metrics, 1});
  return out;
}

// Names and texts, one behind the other.
std::string packed(const config::Files& files) {
  store::Key out;
  for (const auto& source : files.sources) out.string(source.name).string(source.text);
  return out.take();
}

config::Files unpacked(Bytes text) {
  config::Files out;
  for (store::Parser in(text); in.ok() && !in.done();) {
    std::string name(in.string());
    out.sources.push_back({std::move(name), std::string(in.string())});
  }
  return out;
}

}  // namespace

config::Loaded load_as(const Context& context, const roles::Inherited* inherited) {
  if (inherited && inherited->configuration) return config::load(unpacked(*inherited->configuration));
  return config::load(context.config_path);
}

host::LogOptions log_options(const config::Server& server) {
  host::LogOptions out;
  out.format = server.log_format == config::Server::LogFormat::json ? host::LogOptions::Format::json
                                                                    : host::LogOptions::Format::text;
  out.least = static_cast<observe::Level>(server.log_level);
  return out;
}

Plan plan_of(const config::Config& config) {
  using Processes = config::Server::Processes;
  const Processes wanted = config.server.processes;
  const bool root = ::geteuid() == 0;
  Plan out;
  if (root) {
    out.user = roles::find_user(config.server.user);
    const std::string no_user = "there is no user " + config.server.user + " (server.user)";
    if (out.user && out.user->user == 0) out.impossible = "server.user must not be root";
    if (!out.user && wanted == Processes::three) out.impossible = no_user;
    out.three = wanted != Processes::one && out.user;
    if (!out.three) out.missing = "the server runs as root: " + (out.user ? "server.processes is \"one\"" : no_user);
    return out;
  }
  const bool kept_apart = roles::landlock_version() > 0 && config.server.sandbox;
  const bool managed = std::getenv("NOTIFY_SOCKET") != nullptr;
  out.three = wanted == Processes::three || (wanted == Processes::automatic && managed && kept_apart);
  if (out.three && !kept_apart) out.missing = "without Landlock the server may read the files of the keys";
  return out;
}

int keep_processes(const Context& context, const config::Config& config, const Plan& plan) {
  host::PlainSink sink(log_options(config.server));
  const unsigned shards = shards_of(config);
  roles::KeeperOptions options{.sink = sink,
                               .arguments = {"facteur", "serve", "-c", context.config_path},
                               .ports = {},
                               .shards = shards,
                               .key_channels = shards + 1,  // One more for the certificates.
                               .user = plan.user,
                               .data = config.server.data};
  options.ports = [path = context.config_path, shards]() -> std::optional<std::vector<roles::Port>> {
    const auto loaded = config::load(path);
    if (!loaded.good()) return std::nullopt;
    return ports_of(loaded.config, shards);
  };
  options.configuration = [path = context.config_path]() -> Result<std::string> {
    const auto files = config::read_files(path);
    const auto loaded = config::load(files);
    if (loaded.good()) return packed(files);
    return failure(Failure::Kind::permanent, "F-6268", "The configuration is wrong",
                   config::to_string(loaded.problems));
  };
  return roles::keep(options);
}

int serve_keys(const Context& context, const roles::Inherited& inherited) {
  const auto loaded = load_as(context, &inherited);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return ExitCode::wrong_configuration;
  }
  const config::Config& config = loaded.config;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  const int stop = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  host::PlainSink sink(log_options(config.server));
  const observe::Scope scope(sink);
  auto disk = host::Disk::open_root(config.server.data);
  if (!disk) {
    complain(disk.error().text + ": " + disk.error().cause);
    return ExitCode::failed;
  }
  host::Clock clock;
  server::Certificates certificates(**disk, clock, read_file, scope);
  // Now, while it may still write: without any certificate one is made.
  roles::KeyService service([&] { return certificates.read_all(config); });
  if (auto ready = service.prepare(); !ready) {
    scope.event("keys_not_ready").failure(ready.error()).level(observe::Level::error);
    roles::send(inherited.keeper, roles::Message::reason, ready.error().cause);
    return ExitCode::failed;
  }
  roles::SandboxOptions shelter = keys_shelter(config);
  shelter.report = inherited.keeper;
  if (config.server.sandbox) {
    const auto sandbox = roles::enter_sandbox(shelter);
    if (!sandbox.missing.empty()) {
      scope.event("sandbox_entered")
          .level(observe::Level::warning)
          .field("role", "keys")
          .field("in_force", sandbox.text())
          .field("missing", sandbox.missing);
    }
  }
  roles::send(inherited.keeper, roles::Message::started);
  roles::serve_keys(service, inherited.channels, stop, {[&] { roles::send(inherited.keeper, roles::Message::alive); }});
  return ExitCode::done;
}

}  // namespace facteur::cli
