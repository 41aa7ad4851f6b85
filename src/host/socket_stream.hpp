// A connected socket (TCP or Unix) as a world::Stream.
#pragma once

#include <sys/types.h>

#include <atomic>

#include "host/loop.hpp"
#include "world/network.hpp"

namespace facteur::host {

class SocketStream final : public world::Stream {
 public:
  // Takes `fd` (connected, non-blocking). `open`, if given, counts the streams of its shard while they live.
  SocketStream(Loop& loop, int fd, Endpoint peer, std::shared_ptr<std::atomic<int>> open = nullptr);
  ~SocketStream() override;

  Task<Result<bool>> readable(Instant deadline, Wakeup* wakeup = nullptr) override;
  Task<Result<std::size_t>> read(Room room, Instant deadline) override;
  Task<Result<void>> write(Bytes bytes, Instant deadline) override;
  Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) override;
  void end() override;
  void close() override;
  Endpoint peer() const override { return peer_; }
  Endpoint local() const override;

  // After a connect() that was under way: waits until it is through.
  Task<Result<void>> connected(Instant deadline);

  int fd() const { return descriptor_.fd(); }

 private:
  bool has_octets();
  Result<std::size_t> sent(ssize_t size);
  Result<void> wait_result(Wait::Outcome outcome) const;

  Descriptor descriptor_;
  Endpoint peer_;
  std::shared_ptr<std::atomic<int>> open_;
};

}  // namespace facteur::host
