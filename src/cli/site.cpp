#include "cli/site.hpp"

#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

#include "cli/context.hpp"

namespace facteur::cli {

namespace {

constexpr std::size_t largest_file = 1024 * 1024;
constexpr const char* authorities = "/etc/ssl/certs/ca-certificates.crt";

Task<void> live(host::World& world, Task<void> life) {
  co_await std::move(life);
  world.stop();
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure(Failure::Kind::permanent, "F-6201", "A file cannot be read", path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.size() > largest_file) return failure(Failure::Kind::permanent, "F-6202", "A file is too large", path);
  return text;
}

Result<host::ResolverOptions> resolver_options(const config::Dns& dns) {
  host::ResolverOptions out;
  using Rest = host::ResolverOptions::Rest;
  switch (dns.mode) {
    case config::Dns::Mode::system:
      out.rest = Rest::system;
      break;
    case config::Dns::Mode::forward:
      out.rest = Rest::forward;
      break;
    case config::Dns::Mode::recurse:
      out.rest = Rest::recurse;
      break;
    case config::Dns::Mode::zone:
      out.rest = Rest::refuse;
      break;
  }
  out.forwarders = dns.forwarders;
  for (const auto& stub : dns.stubs) out.stubs.push_back({stub.zone, stub.servers});
  out.trust_anchor_file = dns.trust_anchor_file;
  if (!dns.zone_file.empty()) {
    auto zone = read_file(dns.zone_file);
    if (!zone) return failed(zone);
    out.zone = std::move(*zone);
  }
  return out;
}

Result<std::unique_ptr<host::World>> open_world(const config::Config& config, SiteOptions options) {
  auto resolver = resolver_options(config.dns);
  if (!resolver) return failed(resolver);
  host::WorldOptions world_options;
  world_options.root = config.server.data;
  world_options.shards = options.shards;
  world_options.resolver = std::move(*resolver);
  world_options.log = std::move(options.log);
  world_options.on_signal = std::move(options.on_signal);
  auto world = host::World::open(std::move(world_options));
  if (!world) return failed(world);
  auto locked = (*world)->disk->lock();
  if (!locked) return failed(locked);
  if (!*locked)
    return failure(Failure::Kind::refused, folder_is_busy, "Another process has this data folder", config.server.data);
  return world;
}

Result<std::unique_ptr<store::EmbeddedEngine>> open_store(host::World& world, world::Disk& disk,
                                                          const config::Config& config, observe::Scope scope) {
  store::EngineParameters parameters{
      .disk = disk, .shards = world.shards, .clock = world.clock, .random = world.random, .scope = std::move(scope)};
  parameters.expected_instance = config.server.instance;
  return store::open(std::move(parameters));
}

server::Doors doors_of(host::World& world, world::Disk& disk, dns::Resolver& resolver) {
  std::ifstream file(authorities, std::ios::binary);
  return {.clock = world.clock,
          .network = world.network,
          .disk = disk,
          .random = world.random,
          .shards = world.shards,
          .resolver = resolver,
          .read_file = read_file,
          .ca_pem = std::string{std::istreambuf_iterator<char>(file), {}}};
}

void run_to_end(host::World& world, Task<void> life) {
  TaskGroup tasks([](const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& bug) {
      complain(bug.what());
    }
    std::terminate();
  });
  auto start = [&] { tasks.start(live(world, std::move(life))); };
  world.shards.post(0, std::move(start));
  world.run();
}

}  // namespace facteur::cli
