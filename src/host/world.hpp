// The whole real world, made and unmade in the right order.
//
//   auto world = host::World::open({.root = "/var/lib/facteur"});
//   world->shards.post(0, [&] { tasks.start(serve(...)); });
//   world->run();            // Until world->stop(), from a signal or any thread.
//   ... destroy what still waits (TaskGroups, streams), here, on the thread that called run() ...
//   world.reset();
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "host/clock.hpp"
#include "host/disk.hpp"
#include "host/log_sink.hpp"
#include "host/network.hpp"
#include "host/programs.hpp"
#include "host/resolver.hpp"
#include "host/shards.hpp"
#include "host/signals.hpp"

namespace facteur::host {

struct WorldOptions {
  std::string root;           // The data folder. Empty: no disk (commands that only talk).
  unsigned shards = 0;        // 0: one per processor.
  unsigned pool_threads = 4;  // For work that blocks.
  ResolverOptions resolver;
  LogOptions log;
  // Called on shard 0 with SIGTERM, SIGINT, SIGHUP or SIGUSR1. Empty: signals do what they do by default.
  std::function<void(int)> on_signal;
};

class World {
 public:
  static Result<std::unique_ptr<World>> open(WorldOptions options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void run() { shards.run(); }
  void stop() { shards.stop(); }

 private:
  explicit World(const WorldOptions& options);

 public:
  LogSink log;
  Shards shards;
  Clock clock;
  Random random;
  Network network;
  Programs programs;
  std::unique_ptr<Disk> disk;  // Null without a root.
  std::unique_ptr<Resolver> resolver;
  std::unique_ptr<SystemSignals> signals;
};

}  // namespace facteur::host
