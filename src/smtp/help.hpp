// What HELP says of each command (RFC 5321 §4.1.1.8).
#pragma once

#include <string_view>

namespace facteur::smtp {

// "" for a command that does not exist; the list of commands for an empty name. Lines are separated by "\n".
std::string_view help(std::string_view command);

}  // namespace facteur::smtp
