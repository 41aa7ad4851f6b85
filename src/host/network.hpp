// TCP and Unix sockets: the real world::Network.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/loop.hpp"
#include "world/network.hpp"

namespace facteur::host {

// Who is at the other end of a Unix socket, as the kernel says (SO_PEERCRED).
struct PeerCredentials {
  unsigned user = 0, group = 0;
  int process = 0;
};

// Nothing for a stream that is not a Unix socket of this folder.
std::optional<PeerCredentials> peer_credentials(const world::Stream& stream);

// A socket that listens on `endpoint`, not blocking, closed by exec; several of one process may have the same endpoint.
// -1 and errno if that cannot be.
int open_listener(const Endpoint& endpoint);

class Network final : public world::Network {
 public:
  Network();
  ~Network() override;

  // SO_REUSEPORT: each shard has a socket of its own. Where the kernel's spreading is uneven, a connection goes to the
  // listener of the same endpoint whose shard has fewest.
  Result<std::unique_ptr<world::Listener>> listen(const Endpoint& endpoint) override;
  Task<Result<std::unique_ptr<world::Stream>>> connect(const Endpoint& endpoint, Instant deadline,
                                                       const IpAddress* source = nullptr) override;

  // A path has at most 107 octets. A socket that somebody still serves is not replaced (F-1069). The path is removed
  // when the listener goes.
  Result<std::unique_ptr<world::Listener>> listen_local(const std::string& path) override;
  Task<Result<std::unique_ptr<world::Stream>>> connect_local(std::string path, Instant deadline);

  // Takes sockets over that listen already (TCP, made by another process): listen() uses one for its endpoint, and
  // binds itself only where there is none. From any thread.
  void adopt(const std::vector<int>& listening);
  // Closes those that nobody has asked for.
  void close_adopted();

 private:
  friend class SocketListener;
  // Listeners of one endpoint on several shards, and how many streams each of these shards has.
  struct Group;

  int adopted_for(const Endpoint& endpoint);

  std::mutex mutex_;  // Guards groups_ and adopted_; taken when listeners begin and end, not per connection.
  std::vector<std::shared_ptr<Group>> groups_;
  std::vector<std::pair<Endpoint, int>> adopted_;
};

}  // namespace facteur::host
