// `facteur trace FILE`: the way of one message, read from its header.
#pragma once

#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

int trace(const Context& context, const std::string& file);  // "-": standard input.

}  // namespace facteur::cli
