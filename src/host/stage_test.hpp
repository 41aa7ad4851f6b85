// For the tests of this folder: a world that runs one coroutine to its end.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "host/world.hpp"
#include "rfc_test.hpp"

namespace facteur::host {

// A folder that is removed with its content.
struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "facteur-test-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

class Stage {
 public:
  explicit Stage(unsigned shards = 1, WorldOptions options = {}) {
    options.shards = shards;
    if (options.resolver.zone.empty()) options.resolver.rest = ResolverOptions::Rest::refuse;
    options.log.least = observe::Level::error;
    world = std::move(*World::open(std::move(options)));
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Runs `scenario` on shard 0 until it ends, at most 20 s. What else it started in `tasks` is destroyed with this.
  void run(Task<void> scenario) {
    bool ended = false;
    world->shards.post(0, [this, &ended, scenario = std::move(scenario)]() mutable {
      tasks.start(until_end(std::move(scenario), ended));
      watch.start(time_out());
    });
    world->run();
    CHECK_MESSAGE(ended, "the scenario did not end");
  }
  Instant in(Duration time) const { return world->clock.now() + time; }
  Instant soon() const { return in(10s); }

  std::unique_ptr<World> world;
  TaskGroup tasks;
  TaskGroup watch;

 private:
  Task<void> until_end(Task<void> scenario, bool& ended) {
    co_await std::move(scenario);
    ended = true;
    world->stop();
  }
  Task<void> time_out() {
    co_await world->clock.sleep_until(in(20s));
    world->stop();
  }
};

}  // namespace facteur::host
