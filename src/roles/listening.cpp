#include "roles/listening.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host/network.hpp"

namespace facteur::roles {

bool Listening::open(std::vector<int>* opened) {
  const auto wanted = wanted_();
  if (!wanted) return true;
  bool good = true;
  for (const Port& port : *wanted) {
    auto& sockets = listening_[port.endpoint];
    while (sockets.size() < port.sockets) {
      const int fd = host::open_listener(port.endpoint);
      if (fd < 0) {
        const auto why = failure(Failure::Kind::permanent, "F-6530", "The keeper cannot start",
                                 "cannot listen on " + to_string(port.endpoint) + ": " + std::strerror(errno));
        scope_.event("keeper_failed").failure(why.error()).level(observe::Level::error);
        good = false;
        break;
      }
      if (sockets.empty()) fresh_.insert(port.endpoint);
      sockets.push_back(fd);
      if (opened) opened->push_back(fd);
    }
    if (sockets.empty()) listening_.erase(port.endpoint);
  }
  return good;
}

void Listening::close(bool taken) {
  const auto wanted = wanted_();
  std::erase_if(listening_, [&](const auto& entry) {
    const auto is_it = [&](const Port& port) { return port.endpoint == entry.first; };
    const bool gone = taken ? wanted && std::ranges::none_of(*wanted, is_it) : fresh_.contains(entry.first);
    if (!gone) return false;
    for (const int fd : entry.second) ::close(fd);
    return true;
  });
  fresh_.clear();
}

void Listening::close_all() {
  for (const int fd : sockets()) ::close(fd);
  listening_.clear();
  fresh_.clear();
}

std::vector<int> Listening::sockets() const {
  std::vector<int> out;
  for (const auto& [endpoint, open] : listening_) out.insert(out.end(), open.begin(), open.end());
  return out;
}

}  // namespace facteur::roles
