#include "host/errors.hpp"

#include <cerrno>
#include <cstring>

namespace facteur::host {

std::string system_error(std::string_view call, int error) {
  const char* name = strerrordesc_np(error);
  return std::string(call) + ": " + (name ? name : "unknown error") + " (" + std::to_string(error) + ")";
}

Failure::Kind kind_of_network_error(int error) {
  switch (error) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EBADF:
      return Failure::Kind::closed;
    case ETIMEDOUT:
      return Failure::Kind::timed_out;
    default:
      return Failure::Kind::temporary;
  }
}

}  // namespace facteur::host
