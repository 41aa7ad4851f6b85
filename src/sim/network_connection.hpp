// The two directions of a simulated connection. Internal to network.cpp.
#pragma once

#include <memory>
#include <string>

#include "sim/network.hpp"

namespace facteur::sim {

class Network::Connection : public std::enable_shared_from_this<Network::Connection> {
 public:
  Connection(Internet& net, Endpoint from, Endpoint to, Fate fate);

  struct Side {
    Endpoint endpoint;
    std::shared_ptr<bool> alive;  // The machine: false once it has crashed.
    std::string arrived;          // To be read by this side.
    std::size_t read_from = 0;
    std::size_t under_way = 0;   // On the cable towards this side.
    std::size_t buffer = 65536;  // How much may be arrived or under way.
    Instant last_arrival{};
    bool peer_ended = false;  // The FIN of the other side has arrived.
    bool ended = false;       // This side has sent its FIN.
    bool closed = false;      // This side is gone: nobody will read.
    bool broken = false;      // A reset has arrived.
    Wait* reader = nullptr;
    Wait* writer = nullptr;

    std::size_t waiting() const { return arrived.size() - read_from; }
  };
  Side sides[2];  // 0 connected, 1 accepted.

  // Sends some of `bytes` from that side; how many were taken (0: no room now).
  std::size_t send(int from, Bytes bytes);
  std::size_t take(int side, Room room);
  void end(int side);
  void close(int side);

 private:
  Instant arrival(int to);
  void arrive(int to, std::string octets);
  void break_both();

  Internet& net_;
  Fate fate_;
  std::uint64_t octets_ = 0;
};

}  // namespace facteur::sim
