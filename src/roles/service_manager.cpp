#include "roles/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace facteur::roles {

ServiceManager::ServiceManager() {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!path || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';  // A name in the abstract space.
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  watches_ = std::getenv("WATCHDOG_USEC") != nullptr;
  // Nothing else can be done about a manager that is not there: it will say that we never became ready.
  static_cast<void>(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), length));
}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) ::close(fd_);
}

void ServiceManager::tell(std::string_view state) const {
  if (fd_ >= 0) static_cast<void>(::send(fd_, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

void ServiceManager::tell_alive() const {
  if (watches_) tell("WATCHDOG=1");
}

}  // namespace facteur::roles
