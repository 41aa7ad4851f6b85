// `facteur trace FILE`: the way of one message, read from its header.
#pragma once

#include <optional>
#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

// A whole file, or standard input for "-"; complains if it cannot be read.
std::optional<std::string> read_message(const Context& context, const std::string& file);

int trace(const Context& context, const std::string& file);  // "-": standard input.

}  // namespace facteur::cli
