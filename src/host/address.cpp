#include "host/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace facteur::host {

SocketAddress to_socket_address(const Endpoint& endpoint) {
  SocketAddress made;
  if (endpoint.address.v6) {
    auto* to = reinterpret_cast<sockaddr_in6*>(&made.storage);
    to->sin6_family = AF_INET6;
    to->sin6_port = htons(endpoint.port);
    std::memcpy(&to->sin6_addr, endpoint.address.octets.data(), 16);
    made.length = sizeof *to;
  } else {
    auto* to = reinterpret_cast<sockaddr_in*>(&made.storage);
    to->sin_family = AF_INET;
    to->sin_port = htons(endpoint.port);
    std::memcpy(&to->sin_addr, endpoint.address.octets.data(), 4);
    made.length = sizeof *to;
  }
  return made;
}

Endpoint to_endpoint(const sockaddr* address) {
  Endpoint endpoint;
  if (address->sa_family == AF_INET) {
    const auto* from = reinterpret_cast<const sockaddr_in*>(address);
    std::memcpy(endpoint.address.octets.data(), &from->sin_addr, 4);
    endpoint.port = ntohs(from->sin_port);
  } else if (address->sa_family == AF_INET6) {
    const auto* from = reinterpret_cast<const sockaddr_in6*>(address);
    endpoint.port = ntohs(from->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&from->sin6_addr)) {
      std::memcpy(endpoint.address.octets.data(), from->sin6_addr.s6_addr + 12, 4);
    } else {
      endpoint.address.v6 = true;
      std::memcpy(endpoint.address.octets.data(), &from->sin6_addr, 16);
    }
  }
  return endpoint;
}

}  // namespace facteur::host
