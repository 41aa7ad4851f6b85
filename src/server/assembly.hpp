// One whole mail server, wired: the only place that knows every part. The world comes in as doors, so that the program
// assembles it over host/ and the simulator over sim/, two of them side by side if need be.
//
//   Server server(doors, sink, engine, config, load_again);
//   co_await server.start();   ... co_await server.stop();     // both on shard 0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/task.hpp"
#include "config/load.hpp"
#include "config/schema.hpp"
#include "directory/store_directory.hpp"
#include "dns/resolver.hpp"
#include "mailbox/mailboxes.hpp"
#include "observe/event.hpp"
#include "server/certificates.hpp"
#include "server/control_message.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/disk.hpp"
#include "world/network.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::store {
class HeldLog;
}

namespace facteur::server {

// All outlive the server.
struct Doors {
  world::Clock& clock;
  world::Network& network;
  world::Disk& disk;  // Rooted at the data folder; the engine has the same.
  world::Random& random;
  world::Shards& shards;
  dns::Resolver& resolver;
  ReadFile read_file;    // Files outside the data folder (certificates). May block.
  std::string ca_pem{};  // Trust anchors for servers we must verify; may be empty.
  KeysElsewhere keys{};  // Empty: this process reads certificates and keys itself.
  // Called on shard 0 after each reload(): whether the configuration that was read is in force now.
  std::function<void(bool)> reloaded{};
  std::string roles = "one process", sandbox = "none";  // For `facteur status`; no quotes.
  // What the monitoring port shows, and how a value is added to it; empty: nothing is shown.
  std::function<std::string()> metrics{};
  std::function<void(std::string name, std::string help, std::function<double()> value)> gauge{};
  // Holds the files of the log while they are backed up; empty: this store has none.
  std::function<std::shared_ptr<const store::HeldLog>()> hold_log{};
  mailbox::BulkSizes bulk{};  // Small in the simulator, so that runs are made there, too.
};

// What the directory takes from the configuration.
directory::Settings directory_settings(const config::Config& config);

struct Conversation;  // commands.hpp

class Server {
 public:
  // `load_again` reads the configuration from where it came (for reload; may block); null: it never changes.
  // The engine is open; it is closed by whoever opened it, after stop().
  Server(Doors doors, observe::Sink& sink, store::Engine& engine, std::string instance,
         std::shared_ptr<const config::Config> config, std::function<config::Loaded()> load_again = {});
  ~Server();

  // On shard 0. When it fails nothing listens; then call stop() all the same.
  Task<Result<void>> start();

  // On shard 0. No new connections; sessions get 421 or BYE and until limits.drain_timeout; then everything is closed,
  // and the object may be destroyed.
  Task<void> stop();

  // On shard 0. Reads the configuration again. The problems, one a line; empty: the new one is in force.
  Task<std::string> reload();

  // On shard 0: a request as the control socket takes it (server/commands.hpp).
  Task<std::string> command(std::string request);
  Task<ControlMessage> command(ControlMessage request, Conversation& conversation);

  std::shared_ptr<const config::Config> config() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace facteur::server
