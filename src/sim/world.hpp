// The simulated world from one seed: a timeline, a network, and machines that run production code on it.
//
//   sim::World world(seed);
//   sim::Machine mx(world, {.addresses = {IpAddress::v4(192, 0, 2, 1)}});
//   TaskGroup tasks;
//   mx.shards.run(0, [&] { tasks.start(serve(mx.network, mx.clock)); });
//   world.run_for(10s);
//
// A crash: mx.halt() (drops queued closures, silences the network); destroy the services and their TaskGroups;
// image = mx.disk.crash(); destroy the machine; make the next one from the image.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/injection.hpp"
#include "sim/clock.hpp"
#include "sim/disk.hpp"
#include "sim/events.hpp"
#include "sim/network.hpp"
#include "sim/programs.hpp"
#include "sim/resolver.hpp"

namespace facteur::sim {

class World {
 public:
  static constexpr UtcTime first_day{1'790'000'000'000};  // The calendar at the beginning, in 2026.

  explicit World(std::uint64_t seed);

  Timeline timeline;
  Internet internet;
  Zone zone;
  Events events;

  // Runs until `done` says so (true), or until nothing is planned any more or `limit` of virtual time has passed
  // (then whether it is done now).
  bool run_until(const std::function<bool()>& done, Duration limit = 24h * 365);
  void run_for(Duration time);
  std::uint64_t hash() { return timeline.hash().value(); }  // The same seed gives the same value.

 private:
  Random tls_chance_;
  crypto::Injection openssl_;  // TLS repeats, too. A world is used on the thread that made it.
};

struct MachineParameters {
  std::vector<IpAddress> addresses{IpAddress::loopback()};
  unsigned shards = 2;
  UtcTime utc = World::first_day;  // Its calendar at the beginning of the world.
};

// One life of one machine.
class Machine {
 public:
  Machine(World& world, MachineParameters parameters, Disk::Image image = Disk::Image());

  void halt();  // It has crashed.

  Shards shards;
  Clock clock;
  Random random;
  Network network;
  Disk disk;
  Resolver resolver;
  Programs programs;
};

}  // namespace facteur::sim
