// The data folder, when the server that owns it is another user than the keys that lie in it.
#pragma once

#include <string>

#include "roles/identity.hpp"

namespace facteur::roles {

// As root: makes the folder for the user if it is not there, and keys/ in it for root. Fails (permanent) when the
// folder belongs to somebody else, and says what to do. No symbolic link is followed below it: the server, which owns
// it, may have put one there.
Result<void> prepare_data_folder(const std::string& path, const User& user);

// As root, who has just made it: gives the folder with all below it to the user, but for `except`, a folder in it. The
// files in keys/ can be read by the user and by root's group: by the keys, whether they are the user's or root's. Fails
// (permanent).
Result<void> give_data_folder(const std::string& path, const User& user, const std::string& except);

}  // namespace facteur::roles
