// The control socket: what `facteur account add` and the like say to the running server.
//
// A request is four octets of length (big-endian) and that many of JSON, at most 1 MiB; the reply has the same form.
// One connection may carry several requests, one after the other. Who may open the socket (mode 0600) may do all.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/service.hpp"
#include "world/clock.hpp"

namespace facteur::server {

inline constexpr std::size_t longest_control_request = 1024 * 1024;

struct ControlDoors {
  world::Clock& clock;
  std::function<Task<std::string>(std::string)> answer;  // JSON to JSON.
};

std::unique_ptr<Service> make_control_service(ControlDoors doors);

}  // namespace facteur::server
