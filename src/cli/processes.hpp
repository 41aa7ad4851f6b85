// Which processes `facteur serve` is, and what two of the three do; the third, the server, is serve.cpp.
#pragma once

#include <string>

#include "cli/context.hpp"
#include "config/load.hpp"
#include "host/log_sink.hpp"
#include "roles/identity.hpp"
#include "roles/messages.hpp"

namespace facteur::cli {

// What server.processes comes to on this machine, for whom starts it.
struct Plan {
  bool three = false;
  std::optional<roles::User> user;  // Whom the server becomes; nothing: it stays who it is.
  std::string missing;              // Why something is less safe than it could be; empty: it is not.
  std::string impossible;           // Why it cannot be started so at all.
};
Plan plan_of(const config::Config& config);

host::LogOptions log_options(const config::Server& server);

// The keeper, until the end of all; its exit code.
int keep_processes(const Context& context, const config::Config& config, const Plan& plan);

// What a role starts with: the configuration on the disk, or the one that the keeper has kept since that was good.
config::Loaded load_as(const Context& context, const roles::Inherited* inherited);

// The keys, until the keeper says so; its exit code.
int serve_keys(const Context& context, const roles::Inherited& inherited);

}  // namespace facteur::cli
