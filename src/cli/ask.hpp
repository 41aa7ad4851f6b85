// Asking the server: over its control socket while it runs, else straight at the store, under the same lock.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/task.hpp"
#include "cli/context.hpp"
#include "config/schema.hpp"
#include "host/world.hpp"
#include "server/control_message.hpp"
#include "store/embedded_engine.hpp"

namespace facteur::cli {

// One request to the control socket at `path`; nullopt: nobody listens there.
std::optional<Result<std::string>> ask_socket(const std::string& path, const std::string& request);

// The same request at the store itself. Fails with folder_is_busy (site.hpp) when another process has it.
Result<std::string> ask_store(const config::Config& config, const std::string& request);

// A conversation of many requests: replies come in the order of the requests, and several may be on their way.
class Line {
 public:
  virtual ~Line() = default;
  virtual Result<void> send(server::ControlMessage message) = 0;
  virtual Task<Result<server::ControlMessage>> receive() = 0;
};
using Talk = std::function<Task<void>(Line& line)>;

// A line to the server that listens at `path`; nullopt: none does. It blocks, so its tasks end without waiting.
std::optional<Result<std::unique_ptr<Line>>> open_line(const std::string& path);

// A line to a store that is open in `world`, on shard 0. Closes the store.
Task<void> talk_with(host::World& world, store::EmbeddedEngine& engine, const config::Config& config, const Talk& talk);

// Loads the configuration, and runs `work` with a line to the running server, or else to the store. What went wrong
// before `work` began is complained of; 0 if it ran.
int talk(const Context& context, const Talk& work);

// The member "result" of a reply that is good; else what the server said as a Failure.
Result<server::ControlMessage> checked(Result<server::ControlMessage> reply, boost::json::value& result);

struct Reply {
  int exit_code = ExitCode::done;
  boost::json::value result;  // When exit_code is done.
};

// Loads the configuration and asks; complains about what went wrong. `needs_server`: not without a running one.
Reply ask(const Context& context, const boost::json::object& request, bool needs_server = false);

}  // namespace facteur::cli
