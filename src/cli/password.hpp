// Passwords from the terminal without echo, or from the first line of standard input; never from arguments, which
// every user of the machine can read.
#pragma once

#include <optional>
#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

// Asks twice on a terminal. nullopt: empty, or the two differ (already said).
std::optional<std::string> read_password(const Context& context, const std::string& whose);

}  // namespace facteur::cli
