// `facteur serve`: the server until SIGTERM or SIGINT; SIGHUP reloads.
#pragma once

#include "cli/context.hpp"

namespace facteur::cli {

int serve(const Context& context);

}  // namespace facteur::cli
