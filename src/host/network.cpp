#include "host/network.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <system_error>

#include "host/address.hpp"
#include "host/errors.hpp"
#include "host/socket_stream.hpp"

namespace facteur::host {

namespace {

constexpr int backlog = 4096;  // The kernel cuts it to net.core.somaxconn.

void set_option(int fd, int level, int option, int value = 1) {
  static_cast<void>(setsockopt(fd, level, option, &value, sizeof value));
}

// A file descriptor that nobody has taken over yet.
class Owned {
 public:
  explicit Owned(int fd) : fd_(fd) {}
  Owned(Owned&& other) noexcept : fd_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Owned() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Owned new_socket(int family) { return Owned(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

int open_reserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

Result<sockaddr_un> local_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return failure(Failure::Kind::permanent, "F-1064", "The path of a socket must have 1 to 107 octets");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Whether somebody answers at this Unix socket.
bool served(const sockaddr_un& address) {
  const Owned probe = new_socket(AF_UNIX);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
}

}  // namespace

// Members come and go on their shards; the lists are short and change rarely, so one lock per handed-over connection
// costs nothing that matters.
struct Network::Group {
  struct Member {
    Loop* loop;
    class SocketListener* listener;  // Null when it has gone.
    std::atomic<int> open{0};
    std::deque<std::pair<Owned, Endpoint>> given;  // Connections from other shards; touched on its shard only.
  };
  Endpoint endpoint;
  std::mutex mutex;
  std::vector<std::shared_ptr<Member>> members;

  // The member with clearly fewer streams than `self`, if there is one.
  std::shared_ptr<Member> less_busy_than(const std::shared_ptr<Member>& self) {
    const std::lock_guard lock(mutex);
    std::shared_ptr<Member> best;
    int fewest = self->open.load(std::memory_order_relaxed) - 1;
    for (const auto& member : members) {
      const int open = member->open.load(std::memory_order_relaxed);
      if (member == self || open >= fewest) continue;
      fewest = open;
      best = member;
    }
    return best;
  }
};

class SocketListener final : public world::Listener {
 public:
  SocketListener(Loop& loop, Owned socket, Endpoint local, std::string path, std::shared_ptr<Network::Group> group)
      : descriptor_(loop, socket.release()), local_(local), path_(std::move(path)), group_(std::move(group)) {
    descriptor_.can_read = true;
    reserve_ = open_reserve();
    self_ = std::make_shared<Network::Group::Member>();
    self_->loop = &loop;
    self_->listener = this;
    if (!group_) return;
    const std::lock_guard lock(group_->mutex);
    group_->members.push_back(self_);
  }
  ~SocketListener() override {
    close();
    if (reserve_ >= 0) ::close(reserve_);
  }

  Task<Result<std::unique_ptr<world::Stream>>> accept() override;
  Endpoint local() const override { return local_; }
  void close() override;

 private:
  Result<std::unique_ptr<world::Stream>> take(Owned socket, const Endpoint& peer);
  bool hand_over(Owned& socket, const Endpoint& peer);
  std::unexpected<Failure> no_descriptor(int error);

  Descriptor descriptor_;
  Endpoint local_;
  std::string path_;  // Of a Unix socket; empty otherwise.
  std::shared_ptr<Network::Group> group_;
  std::shared_ptr<Network::Group::Member> self_;
  int reserve_ = -1;  // Given up for a moment when descriptors run out.
};

void SocketListener::close() {
  if (descriptor_.closed()) return;
  self_->listener = nullptr;
  self_->given.clear();
  if (group_) {
    const std::lock_guard lock(group_->mutex);
    std::erase(group_->members, self_);
  }
  if (!path_.empty()) ::unlink(path_.c_str());
  descriptor_.close();
}

Result<std::unique_ptr<world::Stream>> SocketListener::take(Owned socket, const Endpoint& peer) {
  return std::make_unique<SocketStream>(descriptor_.loop(), socket.release(), peer,
                                        std::shared_ptr<std::atomic<int>>(self_, &self_->open));
}

// Gives a connection to a shard that has fewer, if there is one.
bool SocketListener::hand_over(Owned& socket, const Endpoint& peer) {
  if (!group_) return false;
  auto other = group_->less_busy_than(self_);
  if (!other) return false;
  other->open.fetch_add(1, std::memory_order_relaxed);  // Counts at once, so that a burst is spread.
  Loop* const loop = other->loop;
  loop->post([other = std::move(other), fd = Owned(socket.release()), peer]() mutable {
    other->open.fetch_sub(1, std::memory_order_relaxed);  // Its stream will count itself.
    if (!other->listener) return;                         // It stopped meanwhile: the connection is closed.
    other->given.emplace_back(std::move(fd), peer);
    if (Wait* waiting = other->listener->descriptor_.reader) waiting->finish(Wait::Outcome::ready);
  });
  return true;
}

// RELIABILITY R6: a connection that cannot be served would wake this listener for ever. The reserve takes it for as
// long as closing it needs.
std::unexpected<Failure> SocketListener::no_descriptor(int error) {
  if (reserve_ >= 0) ::close(std::exchange(reserve_, -1));
  const int shed = ::accept4(descriptor_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
  if (shed >= 0) ::close(shed);
  reserve_ = open_reserve();
  return failure(Failure::Kind::temporary, "F-1065", "No connection can be taken now",
                 system_error("accept4", error) + (shed >= 0 ? "; one connection was closed unserved" : ""));
}

Task<Result<std::unique_ptr<world::Stream>>> SocketListener::accept() {
  for (;;) {
    if (descriptor_.closed()) co_return failure(Failure::Kind::closed, "F-1066", "The listener is closed");
    if (!self_->given.empty()) {
      auto [socket, from] = std::move(self_->given.front());
      self_->given.pop_front();
      co_return take(std::move(socket), from);
    }
    if (!descriptor_.can_read) {
      Wait wait(descriptor_.loop(), Instant::never(), nullptr, &descriptor_.reader);
      co_await wait;
      continue;
    }
    SocketAddress from;
    from.length = sizeof from.storage;
    Owned socket(::accept4(descriptor_.fd(), from.get(), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int error = errno;
    if (socket.get() >= 0) {
      const Endpoint peer = path_.empty() ? to_endpoint(from.get()) : local_;
      if (hand_over(socket, peer)) continue;
      if (descriptor_.loop().spend()) co_await Yield(descriptor_.loop());
      co_return take(std::move(socket), peer);
    }
    if (error == EAGAIN) descriptor_.can_read = false;
    if (out_of_resources(error)) co_return no_descriptor(error);
    // Anything else concerns the one connection only (accept(2): ECONNABORTED and errors of the network).
  }
}

Network::Network() = default;
Network::~Network() { close_adopted(); }

int open_listener(const Endpoint& endpoint) {
  Owned socket = new_socket(endpoint.address.v6 ? AF_INET6 : AF_INET);
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT);
  if (endpoint.address.v6) set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY);  // Accepted sockets inherit it.
  SocketAddress address = to_socket_address(endpoint);
  if (socket.get() >= 0 && ::bind(socket.get(), address.get(), address.length) == 0 &&
      ::listen(socket.get(), backlog) == 0) {
    return socket.release();
  }
  const int error = errno;
  socket = Owned(-1);
  errno = error;
  return -1;
}

void Network::adopt(const std::vector<int>& listening) {
  const std::lock_guard lock(mutex_);
  for (const int fd : listening) {
    SocketAddress address;
    address.length = sizeof address.storage;
    if (getsockname(fd, address.get(), &address.length) == 0) adopted_.emplace_back(to_endpoint(address.get()), fd);
  }
}

void Network::close_adopted() {
  const std::lock_guard lock(mutex_);
  for (const auto& [endpoint, fd] : adopted_) ::close(fd);
  adopted_.clear();
}

int Network::adopted_for(const Endpoint& endpoint) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(adopted_, endpoint, &std::pair<Endpoint, int>::first);
  if (found == adopted_.end()) return -1;
  const int fd = found->second;
  adopted_.erase(found);
  return fd;
}

namespace {

// What an operator does about a port that cannot be had.
std::string why_not(int error) {
  switch (error) {
    case EADDRINUSE:
      return ": another program is using it";
    case EACCES:
      return ": ports below 1024 need root or CAP_NET_BIND_SERVICE (setcap, or AmbientCapabilities of systemd)";
    case EADDRNOTAVAIL:
      return ": this machine does not have the address";
    default:
      return ": " + std::system_category().message(error);
  }
}

}  // namespace

Result<std::unique_ptr<world::Listener>> Network::listen(const Endpoint& endpoint) {
  Owned socket(adopted_for(endpoint));
  if (socket.get() < 0) socket = Owned(open_listener(endpoint));
  if (socket.get() < 0) {
    return failure(Failure::Kind::permanent, "F-1067", "Cannot listen on " + to_string(endpoint) + why_not(errno),
                   system_error("listen", errno));
  }
  SocketAddress address;
  address.length = sizeof address.storage;
  getsockname(socket.get(), address.get(), &address.length);
  const Endpoint local = to_endpoint(address.get());
  std::shared_ptr<Group> group;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(groups_, [](const auto& one) { return one.use_count() == 1; });
    const auto known = std::ranges::find(groups_, local, [](const auto& one) { return one->endpoint; });
    group = known != groups_.end() ? *known : groups_.emplace_back(std::make_shared<Group>());
    group->endpoint = local;
  }
  return std::make_unique<SocketListener>(Loop::here(), std::move(socket), local, std::string(), std::move(group));
}

Result<std::unique_ptr<world::Listener>> Network::listen_local(const std::string& path) {
  constexpr mode_t mode = 0600;
  const auto address = local_address(path);
  if (!address) return std::unexpected(address.error());
  if (served(*address)) {
    return failure(Failure::Kind::permanent, "F-1069", "Another server listens at " + path);
  }
  struct stat found{};
  if (::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
  Owned socket = new_socket(AF_UNIX);
  // fchmod before bind: the permissions hold from the first moment the path exists.
  if (socket.get() < 0 || ::fchmod(socket.get(), mode) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), backlog) != 0) {
    return failure(Failure::Kind::permanent, "F-1070", "Cannot listen at " + path, system_error("listen", errno));
  }
  const Endpoint local{IpAddress::loopback(), 0};
  return std::make_unique<SocketListener>(Loop::here(), std::move(socket), local, path, nullptr);
}

namespace {

Task<Result<std::unique_ptr<world::Stream>>> connect_socket(Owned socket, SocketAddress to, Endpoint peer,
                                                            Instant deadline) {
  const int started = ::connect(socket.get(), to.get(), to.length) == 0 ? 0 : errno;
  if (started != 0 && started != EINPROGRESS) {
    co_return failure(kind_of_network_error(started), "F-1071", "No connection", system_error("connect", started));
  }
  auto stream = std::make_unique<SocketStream>(Loop::here(), socket.release(), peer);
  if (started == 0) co_return stream;
  auto connected = co_await stream->connected(deadline);
  if (!connected) co_return failed(connected);
  co_return stream;
}

}  // namespace

Task<Result<std::unique_ptr<world::Stream>>> Network::connect(const Endpoint& endpoint, Instant deadline,
                                                              const IpAddress* source) {
  Owned socket = new_socket(endpoint.address.v6 ? AF_INET6 : AF_INET);
  if (socket.get() < 0) {
    co_return failure(Failure::Kind::temporary, "F-1072", "No connection now", system_error("socket", errno));
  }
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY);
  if (source) {
    set_option(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    const SocketAddress from = to_socket_address({*source, 0});
    if (::bind(socket.get(), from.get(), from.length) != 0) {
      co_return failure(Failure::Kind::temporary, "F-1073", "The source address cannot be used",
                        system_error("bind", errno));
    }
  }
  const SocketAddress to = to_socket_address(endpoint);
  co_return co_await connect_socket(std::move(socket), to, endpoint, deadline);
}

Task<Result<std::unique_ptr<world::Stream>>> Network::connect_local(std::string path, Instant deadline) {
  const auto address = local_address(path);
  if (!address) co_return std::unexpected(address.error());
  SocketAddress to;
  std::memcpy(&to.storage, &*address, sizeof *address);
  to.length = sizeof *address;
  Owned socket = new_socket(AF_UNIX);
  const Endpoint peer{IpAddress::loopback(), 0};
  co_return co_await connect_socket(std::move(socket), to, peer, deadline);
}

std::optional<PeerCredentials> peer_credentials(const world::Stream& stream) {
  const auto* socket = dynamic_cast<const SocketStream*>(&stream);
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (!socket || getsockopt(socket->fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0 ||
      credentials.pid == 0) {
    return std::nullopt;
  }
  return PeerCredentials{credentials.uid, credentials.gid, credentials.pid};
}

}  // namespace facteur::host
