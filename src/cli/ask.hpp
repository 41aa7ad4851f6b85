// Asking the server: over its control socket while it runs, else straight at the store, under the same lock.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "cli/context.hpp"
#include "config/schema.hpp"

namespace facteur::cli {

// One request to the control socket at `path`; nullopt: nobody listens there.
std::optional<Result<std::string>> ask_socket(const std::string& path, const std::string& request);

// The same request at the store itself. Fails with folder_is_busy (site.hpp) when another process has it.
Result<std::string> ask_store(const config::Config& config, const std::string& request);

struct Reply {
  int exit_code = ExitCode::done;
  boost::json::value result;  // When exit_code is done.
};

// Loads the configuration and asks; complains about what went wrong. `needs_server`: not without a running one.
Reply ask(const Context& context, const boost::json::object& request, bool needs_server = false);

}  // namespace facteur::cli
