// Who a process is, and the privileges it keeps: given up for good.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace facteur::roles {

struct User {
  std::string name;
  unsigned user = 0, group = 0;
};

// As the system's list of users says; nothing if it has no such user.
std::optional<User> find_user(const std::string& name);

// Takes the ids of this user and its groups, for good, with no capability left. As root. Fails (permanent).
Result<void> become_user(const User& user);

// As root: keeps these capabilities (numbers of linux/capability.h) only, now and after exec. Fails (permanent).
Result<void> keep_capabilities(const std::vector<int>& capabilities);

// As another user: what is run from now on has no capability of ours.
void pass_no_capabilities();

// When root works in a folder of somebody else, it becomes that user, so that the files it makes belong to them; it may
// still read and write all files. Nothing happens for others, or if the folder is not there or root's own. Fails
// (permanent).
Result<void> become_owner(const std::string& folder);

}  // namespace facteur::roles
