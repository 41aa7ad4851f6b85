#include "cli/control_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "store/key.hpp"

namespace facteur::cli {
namespace {

constexpr int patience_ms = 600'000;  // Some requests are long work; a server that is gone is noticed at once.

}  // namespace

std::optional<Result<ControlSocket>> ControlSocket::open(const std::string& path) {
  ControlSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.fd_ < 0 || path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) return std::nullopt;
    return failure(Failure::Kind::refused, "F-6203", "The control socket cannot be opened", std::strerror(errno));
  }
  return Result<ControlSocket>(std::move(socket));
}

ControlSocket::~ControlSocket() {
  if (fd_ >= 0) ::close(fd_);
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

bool ControlSocket::send_all(std::string_view octets) const {
  while (!octets.empty()) {
    const auto sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool ControlSocket::receive_exactly(char* room, std::size_t size) const {
  while (size > 0) {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, patience_ms) <= 0) return false;
    const auto got = ::recv(fd_, room, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    room += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::uint32_t> ControlSocket::receive_number() const {
  char head[4];
  if (!receive_exactly(head, sizeof head)) return std::nullopt;
  return store::Parser(Bytes(head, sizeof head)).u32();
}

Result<void> ControlSocket::send(const server::ControlMessage& message) const {
  if (send_all(framed(message))) return {};
  return failure(Failure::Kind::temporary, "F-6204", "The server does not listen any more");
}

Result<server::ControlMessage> ControlSocket::receive() const {
  server::ControlMessage out;
  const auto length = receive_number();
  if (!length) return failure(Failure::Kind::temporary, "F-6206", "The server does not answer");
  out.json.resize(*length & ~server::octets_follow);
  bool whole = receive_exactly(out.json.data(), out.json.size());
  if (whole && (*length & server::octets_follow) != 0) {
    const auto more = receive_number();
    whole = more && *more <= server::longest_control_octets;
    if (whole) {
      out.octets.resize(*more);
      whole = receive_exactly(out.octets.data(), out.octets.size());
    }
  }
  if (!whole) return failure(Failure::Kind::temporary, "F-6205", "The server stopped in the middle of its answer");
  return out;
}

}  // namespace facteur::cli
