#include "host/world.hpp"

#include <sys/resource.h>

#include <utility>

namespace facteur::host {

namespace {

// As many descriptors as the administrator allows: the soft limit is for programs that use select().
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace

World::World(const WorldOptions& options) : log(options.log), shards(options.shards, options.pool_threads) {}

Result<std::unique_ptr<World>> World::open(WorldOptions options) {
  raise_descriptor_limit();
  std::unique_ptr<World> world(new World(options));
  if (!options.root.empty()) {
    auto disk = Disk::open_root(options.root);
    if (!disk) return failed(disk);
    world->disk = std::move(*disk);
  }
  auto resolver = Resolver::open(world->shards.loop(0), options.resolver);
  if (!resolver) return failed(resolver);
  world->resolver = std::move(*resolver);
  if (options.on_signal) {
    world->signals = std::make_unique<SystemSignals>(world->shards.loop(0), std::move(options.on_signal));
  }
  return world;
}

}  // namespace facteur::host
