// What a service manager (systemd with Type=notify) is told: sd_notify(3), without its library.
#pragma once

#include <string_view>

namespace facteur::roles {

class ServiceManager {
 public:
  // Connects now: from inside of the sandbox that is not possible. Without $NOTIFY_SOCKET nobody is told anything.
  ServiceManager();
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // "READY=1", "STOPPING=1" and the like.
  void tell(std::string_view state) const;
  // If it wants to hear that we are alive ($WATCHDOG_USEC, WatchdogSec= of the unit): now we are.
  void tell_alive() const;

 private:
  int fd_ = -1;
  bool watches_ = false;
};

}  // namespace facteur::roles
