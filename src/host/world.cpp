#include "host/world.hpp"

#include <utility>

namespace facteur::host {

World::World(const WorldOptions& options) : log(options.log), shards(options.shards, options.pool_threads) {}

Result<std::unique_ptr<World>> World::open(WorldOptions options) {
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
