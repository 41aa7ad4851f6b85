// The network between simulated machines: streams in memory with every fault a real one may show.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sim/shards.hpp"
#include "world/network.hpp"

namespace facteur::sim {

class Network;

// What may happen to the connections of the world; all drawn from the seed.
struct Weather {
  Duration least_delay = 50us;
  Duration most_delay = 3ms;
  std::size_t most_segment = 1460;        // Octets that arrive together: 1 to this.
  std::size_t most_buffer = 65536;        // Each direction holds 1 KiB to this; then writes wait.
  unsigned refused_per_mille = 0;         // Connects that are refused.
  unsigned reset_per_mille = 0;           // Connections that break after a random number of octets.
  unsigned stalled_per_mille = 0;         // Connections that fall silent after a random number of octets.
  std::size_t most_octets_before = 4000;  // Before the fault.
};

// What one connection is to suffer. Octets are counted over both directions.
struct Fate {
  std::optional<std::uint64_t> reset_after;
  std::optional<std::uint64_t> stalled_after;
};

// All cables: who listens where, who may talk to whom. One for the world.
class Internet {
 public:
  explicit Internet(Timeline& timeline) : timeline_(timeline) {}

  Weather weather;
  // Decides the fate of a connection instead of the weather, if set and it gives one.
  std::function<std::optional<Fate>(const Endpoint& from, const Endpoint& to)> fate;

  // Nothing passes between the two addresses until heal(): connects time out, octets arrive after it.
  void part(const IpAddress& a, const IpAddress& b) { parted_.insert(std::minmax(a, b)); }
  void heal() { parted_.clear(); }
  bool parted(const IpAddress& a, const IpAddress& b) const { return parted_.contains(std::minmax(a, b)); }

  Timeline& timeline() { return timeline_; }

 private:
  friend class Network;
  Timeline& timeline_;
  std::map<IpAddress, Network*> machines_;
  std::set<std::pair<IpAddress, IpAddress>> parted_;
};

// One machine's access to it. Listening on 0.0.0.0 or :: means all addresses of the machine.
class Network : public world::Network {
 public:
  Network(Internet& internet, Shards& shards, std::vector<IpAddress> addresses);
  ~Network() override;

  // The machine has crashed: its peers hear nothing more, or a reset when they write.
  void halt();

  Result<std::unique_ptr<world::Listener>> listen(const Endpoint& endpoint) override;
  Task<Result<std::unique_ptr<world::Stream>>> connect(const Endpoint& endpoint, Instant deadline,
                                                       const IpAddress* source = nullptr) override;

  class Listening;   // An open listener.
  class Connection;  // What the two streams of a connection share.

 private:
  friend class Listening;
  Listening* find(const Endpoint& endpoint);

  Internet& internet_;
  Shards& shards_;
  std::vector<IpAddress> addresses_;
  std::vector<Listening*> listening_;
  std::uint16_t next_port_ = 40000;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace facteur::sim
