#include "roles/identity.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace facteur::roles {

namespace {

std::unexpected<Failure> cannot(std::string_view code, const char* what) {
  return failure(Failure::Kind::permanent, code, "Privileges cannot be given up",
                 std::string(what) + ": " + std::strerror(errno));
}

bool set_capabilities(const std::vector<int>& capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  for (const int one : capabilities) {
    auto& half = sets[one / 32];
    half.permitted |= 1U << (one % 32);
    half.effective = half.permitted;
  }
  return ::syscall(SYS_capset, &header, sets) == 0;
}

Result<void> become(const User& user, const std::vector<int>& capabilities = {}) {
  if (!capabilities.empty() && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return cannot("F-6509", "capabilities");
  if (::setresgid(user.group, user.group, user.group) != 0) return cannot("F-6501", "setresgid");
  if (::setresuid(user.user, user.user, user.user) != 0) return cannot("F-6502", "setresuid");
  if (!set_capabilities(capabilities)) return cannot("F-6503", "capset");
  if (user.user != 0 && ::setuid(0) == 0) return cannot("F-6504", "still root");
  return {};
}

}  // namespace

std::optional<User> find_user(const std::string& name) {
  const passwd* const found = name.empty() ? nullptr : ::getpwnam(name.c_str());
  if (!found) return std::nullopt;
  return User{name, found->pw_uid, found->pw_gid};
}

Result<void> become_user(const User& user) {
  if (::initgroups(user.name.c_str(), user.group) != 0) return cannot("F-6500", "initgroups");
  return become(user);
}

Result<void> keep_capabilities(const std::vector<int>& capabilities) {
  for (int one = 0; ::prctl(PR_CAPBSET_READ, one, 0, 0, 0) >= 0; ++one) {
    if (std::ranges::find(capabilities, one) != capabilities.end()) continue;
    // Without CAP_SETPCAP the service manager has bounded them already.
    if (::prctl(PR_CAPBSET_DROP, one, 0, 0, 0) != 0 && errno != EPERM) return cannot("F-6505", "capabilities");
  }
  std::vector<int> have;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  if (::syscall(SYS_capget, &header, sets) != 0) return cannot("F-6506", "capget");
  for (const int one : capabilities) {
    if (sets[one / 32].permitted & (1U << (one % 32))) have.push_back(one);
  }
  if (!set_capabilities(have)) return cannot("F-6507", "capset");
  return {};
}

void pass_no_capabilities() { ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); }

Result<void> become_owner(const std::string& folder) {
  struct stat found{};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &found) != 0 || found.st_uid == 0) return {};
  if (::setgroups(0, nullptr) != 0) return cannot("F-6508", "setgroups");
  return become({{}, found.st_uid, found.st_gid}, {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH});
}

}  // namespace facteur::roles
