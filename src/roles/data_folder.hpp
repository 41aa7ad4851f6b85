// The data folder, when the server that owns it is another user than the keys that lie in it.
#pragma once

#include <string>

#include "roles/identity.hpp"

namespace facteur::roles {

// As root: makes the folder for the user if it is not there, and keys/ in it for root. Fails (permanent) when the
// folder belongs to somebody else, and says what to do. No symbolic link is followed below it: the server, which owns
// it, may have put one there.
Result<void> prepare_data_folder(const std::string& path, const User& user);

}  // namespace facteur::roles
