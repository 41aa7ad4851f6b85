// The control socket: what `facteur account add` and the like say to the running server.
//
// Requests and replies are messages as control_message.hpp says.
// One connection may carry several requests, one after the other. Who may open the socket (mode 0600) may do all.
#pragma once

#include <functional>
#include <memory>

#include "server/commands.hpp"
#include "server/control_message.hpp"
#include "server/service.hpp"
#include "world/clock.hpp"

namespace facteur::server {

struct ControlDoors {
  world::Clock& clock;
  std::function<Task<ControlMessage>(ControlMessage, Conversation&)> answer;
};

std::unique_ptr<Service> make_control_service(ControlDoors doors);

}  // namespace facteur::server
