// The door to the network: streams and listeners. Names are resolved elsewhere (dns::Resolver).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "base/wait.hpp"

namespace facteur::world {

// One byte stream to a peer. At most one read-side and one write-side operation wait at a time.
// A failed operation leaves the stream useless for that direction; every wait ends by its deadline
// (Failure::Kind::timed_out) or with the connection (closed). All calls come from the shard the stream belongs to.
class Stream {
 public:
  virtual ~Stream() = default;

  // Resumes when read() would not wait: there are bytes, or the peer has ended. It holds no buffer, so an idle session
  // costs none: ask for room only after this. Also resumes when `wakeup` fires: then true, and there may be no bytes.
  virtual Task<Result<bool>> readable(Instant deadline, Wakeup* wakeup = nullptr) = 0;

  // Fills some of `room`; the number of octets, 0 when the peer has ended its side. `room` is valid until it returns.
  virtual Task<Result<std::size_t>> read(Room room, Instant deadline) = 0;

  // Writes all of it, or fails. The bytes are valid until it returns.
  virtual Task<Result<void>> write(Bytes bytes, Instant deadline) = 0;

  // Writes all pieces in order, in as few system calls as possible (mapped message bodies go out unbuffered).
  virtual Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) = 0;

  virtual void end() = 0;    // Ends our side (FIN, close_notify); the peer may still send.
  virtual void close() = 0;  // Ends both; waiting operations fail with closed. Idempotent.

  virtual Endpoint peer() const = 0;
  virtual Endpoint local() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;

  // The next connection. Fails with closed after close(); with temporary when descriptors run out (RELIABILITY R6: the
  // caller sleeps a little and goes on; the implementation never spins).
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual Endpoint local() const = 0;
  virtual void close() = 0;
};

class Network {
 public:
  virtual ~Network() = default;

  // Listens on the calling shard. Several shards may listen on one endpoint: the kernel spreads the connections.
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& endpoint) = 0;

  // Listens on a local (Unix) socket at `path`, mode 0600, on the calling shard; a socket left there by a process that
  // has died is replaced. peer() and local() of its streams are loopback with port 0. Worlds without one refuse.
  virtual Result<std::unique_ptr<Listener>> listen_local(const std::string& path) {
    static_cast<void>(path);
    return failure(Failure::Kind::refused, "F-6050", "There are no local sockets here");
  }

  // Connects from `source` (nullptr: any), the stream belongs to the calling shard.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(const Endpoint& endpoint, Instant deadline,
                                                        const IpAddress* source = nullptr) = 0;
};

}  // namespace facteur::world
