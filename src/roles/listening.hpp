// The listening sockets of a keeper: open for as long as it lives, whatever becomes of the server.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/ip_address.hpp"
#include "observe/event.hpp"

namespace facteur::roles {

struct Port {
  Endpoint endpoint;
  unsigned sockets = 1;  // That listen on it (SO_REUSEPORT).
};

class Listening {
 public:
  // What to listen on, as the configuration says now; nothing if it cannot be read: all stays as it is.
  using Wanted = std::function<std::optional<std::vector<Port>>()>;

  Listening(Wanted wanted, observe::Scope scope) : wanted_(std::move(wanted)), scope_(std::move(scope)) {}

  // Whether the configuration can be read now.
  bool readable() const { return wanted_().has_value(); }
  // Binds what is new, and gives it in `opened` too. False if something cannot be bound; that is told.
  bool open(std::vector<int>* opened = nullptr);
  // The server has taken the new configuration: closes what is not in it any more. Or not: closes what was new in it.
  // A socket that nobody serves would let connections wait for ever.
  void close(bool taken);
  void close_all();
  // All sockets, in the same order each time.
  std::vector<int> sockets() const;
  std::size_t ports() const { return listening_.size(); }

 private:
  const Wanted wanted_;
  const observe::Scope scope_;
  std::map<Endpoint, std::vector<int>> listening_;
  std::set<Endpoint> fresh_;  // Opened for a configuration that the server has not taken yet.
};

}  // namespace facteur::roles
