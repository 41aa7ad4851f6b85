// Our end of the control socket of a running server.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "server/control_message.hpp"

namespace facteur::cli {

class ControlSocket {
 public:
  // nullopt: nobody listens there.
  static std::optional<Result<ControlSocket>> open(const std::string& path);
  ~ControlSocket();
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;

  // Each waits at most ten minutes for the other side.
  Result<void> send(const server::ControlMessage& message) const;
  Result<server::ControlMessage> receive() const;

 private:
  explicit ControlSocket(int fd) : fd_(fd) {}
  bool send_all(std::string_view octets) const;
  bool receive_exactly(char* room, std::size_t size) const;
  std::optional<std::uint32_t> receive_number() const;

  int fd_;
};

}  // namespace facteur::cli
