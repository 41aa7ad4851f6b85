#include "sim/world.hpp"

namespace facteur::sim {

World::World(std::uint64_t seed)
    : timeline(seed),
      internet(timeline),
      events(timeline),
      tls_chance_(seed ^ 0x7155eed),
      openssl_([this](Room room) { tls_chance_.fill(room); },
               [this] { return first_day + (timeline.now() - Instant{}); }) {}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const Instant end = timeline.now() + limit;
  while (!done()) {
    if (timeline.next() > end || !timeline.step()) return done();
  }
  return true;
}

void World::run_for(Duration time) {
  const Instant end = timeline.now() + time;
  timeline.at(end, 0, [] {});  // Time passes, even if nothing happens.
  while (timeline.next() <= end && timeline.step()) {
  }
}

Machine::Machine(World& world, MachineParameters parameters, Disk::Image image)
    : shards(world.timeline, parameters.shards),
      clock(shards, parameters.utc),
      random(world.timeline.chance().branch()),
      network(world.internet, shards, std::move(parameters.addresses)),
      disk(std::move(image), world.timeline.chance().branch()),
      resolver(world.zone, clock, world.timeline.chance().branch()),
      programs(clock) {}

void Machine::halt() {
  network.halt();
  shards.halt();
}

}  // namespace facteur::sim
