// The data folder of one server, opened by this process: lock, disk, store, and the real world around them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "config/schema.hpp"
#include "host/world.hpp"
#include "server/assembly.hpp"
#include "store/embedded_engine.hpp"

namespace facteur::cli {

// What the configuration says about name servers. Fails when the zone file cannot be read.
Result<host::ResolverOptions> resolver_options(const config::Dns& dns);

// A file anywhere, at most 1 MiB.
Result<std::string> read_file(const std::string& path);

struct SiteOptions {
  host::LogOptions log;
  std::function<void(int)> on_signal;
  unsigned shards = 0;
};

// Opens world and lock. Fails with folder_is_busy when another process has the folder.
inline constexpr std::string_view folder_is_busy = "F-6200";
Result<std::unique_ptr<host::World>> open_world(const config::Config& config, SiteOptions options);

// Opens the store of that folder. `scope` for its events.
Result<std::unique_ptr<store::EmbeddedEngine>> open_store(host::World& world, world::Disk& disk,
                                                          const config::Config& config, observe::Scope scope);

// The doors of a server in this world.
server::Doors doors_of(host::World& world, world::Disk& disk, dns::Resolver& resolver);

// Runs `life` on shard 0 until it ends, and all shards with it.
void run_to_end(host::World& world, Task<void> life);

}  // namespace facteur::cli
