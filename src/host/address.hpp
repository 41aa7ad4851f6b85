// Between Endpoint and the operating system's socket addresses.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/ip_address.hpp"

namespace facteur::host {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint);

// 0.0.0.0:0 for what is not IP. An IPv4 address mapped into IPv6 becomes IPv4 again.
Endpoint to_endpoint(const sockaddr* address);

}  // namespace facteur::host
