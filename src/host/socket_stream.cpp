#include "host/socket_stream.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "host/address.hpp"
#include "host/errors.hpp"

namespace facteur::host {

namespace {

std::unexpected<Failure> closed_here() { return failure(Failure::Kind::closed, "F-1060", "The connection is closed"); }

// The pieces that are left to send; at most `most` in one system call.
class Pieces {
 public:
  static constexpr std::size_t most = 64;
  explicit Pieces(std::span<const Bytes> pieces) : pieces_(pieces) { skip_empty(); }

  bool done() const { return at_ == pieces_.size(); }
  ssize_t send(int fd) const {
    std::array<iovec, most> vectors;
    std::size_t n = 0;
    for (std::size_t i = at_; i < pieces_.size() && n < most; ++i) {
      const Bytes piece = i == at_ ? pieces_[i].substr(offset_) : pieces_[i];
      if (!piece.empty()) vectors[n++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = n;
    return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  void advance(std::size_t sent) {
    while (sent > 0) {
      const std::size_t left = pieces_[at_].size() - offset_;
      if (sent < left) {
        offset_ += sent;
        return;
      }
      sent -= left;
      ++at_;
      offset_ = 0;
    }
    skip_empty();
  }

 private:
  void skip_empty() {
    while (at_ < pieces_.size() && pieces_[at_].size() == offset_) {
      ++at_;
      offset_ = 0;
    }
  }
  std::span<const Bytes> pieces_;
  std::size_t at_ = 0, offset_ = 0;
};

}  // namespace

SocketStream::SocketStream(Loop& loop, int fd, Endpoint peer, std::shared_ptr<std::atomic<int>> open)
    : descriptor_(loop, fd), peer_(peer), open_(std::move(open)) {
  if (open_) open_->fetch_add(1, std::memory_order_relaxed);
}

SocketStream::~SocketStream() {
  close();
  if (open_) open_->fetch_sub(1, std::memory_order_relaxed);
}

Result<void> SocketStream::wait_result(Wait::Outcome outcome) const {
  if (outcome == Wait::Outcome::timed_out) {
    return failure(Failure::Kind::timed_out, "F-1061", "The peer took too long");
  }
  if (descriptor_.closed()) return closed_here();
  return {};
}

// Whether a read would not wait; only asked when it might not.
bool SocketStream::has_octets() {
  if (descriptor_.hung_up) return true;
  char octet;
  const auto size = ::recv(descriptor_.fd(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) descriptor_.can_read = false;
  return descriptor_.can_read;
}

Task<Result<bool>> SocketStream::readable(Instant deadline, Wakeup* wakeup) {
  if (descriptor_.closed()) co_return closed_here();
  if (wakeup && wakeup->fired()) co_return true;
  if (descriptor_.can_read && has_octets()) co_return false;
  Wait wait(descriptor_.loop(), deadline, wakeup, &descriptor_.reader);
  const auto outcome = co_await wait;
  if (outcome == Wait::Outcome::woken) co_return true;
  if (auto over = wait_result(outcome); !over) co_return failed(over);
  co_return false;
}

Task<Result<std::size_t>> SocketStream::read(Room room, Instant deadline) {
  for (;;) {
    if (descriptor_.closed()) co_return closed_here();
    if (!descriptor_.can_read) {
      Wait wait(descriptor_.loop(), deadline, nullptr, &descriptor_.reader);
      const auto outcome = co_await wait;
      if (auto over = wait_result(outcome); !over) co_return failed(over);
    }
    const auto size = ::recv(descriptor_.fd(), room.data(), room.size(), MSG_DONTWAIT);
    if (size >= 0) {
      const auto got = static_cast<std::size_t>(size);
      // Fewer than asked for: no more are there now, and the next ones raise an event of their own.
      if (got < room.size() && !descriptor_.hung_up) descriptor_.can_read = false;
      if (descriptor_.loop().spend()) co_await Yield(descriptor_.loop());
      co_return got;
    }
    const int error = errno;
    if (error == EAGAIN) descriptor_.can_read = false;
    if (error == EAGAIN || error == EINTR) continue;
    co_return failure(kind_of_network_error(error), "F-1062", "The connection broke", system_error("recv", error));
  }
}

// What a system call gave: octets sent; 0 when the caller shall wait or try again.
Result<std::size_t> SocketStream::sent(ssize_t size) {
  if (size >= 0) return static_cast<std::size_t>(size);
  const int error = errno;
  if (error == EAGAIN) descriptor_.can_write = false;
  if (error == EAGAIN || error == EINTR) return 0;
  return failure(kind_of_network_error(error), "F-1063", "The connection broke", system_error("send", error));
}

Task<Result<void>> SocketStream::write(Bytes bytes, Instant deadline) {
  while (!bytes.empty()) {
    if (descriptor_.closed()) co_return closed_here();
    if (!descriptor_.can_write) {
      Wait wait(descriptor_.loop(), deadline, nullptr, &descriptor_.writer);
      const auto outcome = co_await wait;
      if (auto over = wait_result(outcome); !over) co_return failed(over);
    }
    auto size = sent(::send(descriptor_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
    if (!size) co_return failed(size);
    bytes.remove_prefix(*size);
  }
  if (descriptor_.loop().spend()) co_await Yield(descriptor_.loop());
  co_return Result<void>{};
}

Task<Result<void>> SocketStream::write(std::span<const Bytes> pieces, Instant deadline) {
  for (Pieces left(pieces); !left.done();) {
    if (descriptor_.closed()) co_return closed_here();
    if (!descriptor_.can_write) {
      Wait wait(descriptor_.loop(), deadline, nullptr, &descriptor_.writer);
      const auto outcome = co_await wait;
      if (auto over = wait_result(outcome); !over) co_return failed(over);
    }
    auto size = sent(left.send(descriptor_.fd()));
    if (!size) co_return failed(size);
    left.advance(*size);
  }
  if (descriptor_.loop().spend()) co_await Yield(descriptor_.loop());
  co_return Result<void>{};
}

Task<Result<void>> SocketStream::connected(Instant deadline) {
  descriptor_.can_write = false;
  Wait wait(descriptor_.loop(), deadline, nullptr, &descriptor_.writer);
  const auto outcome = co_await wait;
  if (auto over = wait_result(outcome); !over) co_return over;
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(descriptor_.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) co_return Result<void>{};
  co_return failure(kind_of_network_error(error), "F-1074", "No connection", system_error("connect", error));
}

void SocketStream::end() {
  if (!descriptor_.closed()) ::shutdown(descriptor_.fd(), SHUT_WR);
}

void SocketStream::close() {
  if (descriptor_.closed()) return;
  // The kernel answers a close with unread input by a reset, which may destroy our last reply on its way to the peer:
  // so what has arrived is thrown away first.
  if (descriptor_.can_read) {
    char room[4096];
    for (int i = 0; i < 64; ++i) {
      if (::recv(descriptor_.fd(), room, sizeof room, MSG_DONTWAIT) < static_cast<ssize_t>(sizeof room)) break;
    }
  }
  descriptor_.close();
}

Endpoint SocketStream::local() const {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (descriptor_.closed() || getsockname(descriptor_.fd(), address.get(), &address.length) != 0) return {};
  return to_endpoint(address.get());
}

}  // namespace facteur::host
