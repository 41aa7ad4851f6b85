// The operating system's errors as text, for Failure::cause.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace facteur::host {

// "accept4: Too many open files (24)".
std::string system_error(std::string_view call, int error);

// closed for a peer that went away, timed_out for the network's own time-out, temporary for all else.
Failure::Kind kind_of_network_error(int error);

}  // namespace facteur::host
