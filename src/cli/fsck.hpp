// facteur fsck: everything that is stored is read, compared, and put right if asked.
#pragma once

#include <string>

#include "cli/context.hpp"

namespace facteur::cli {

struct FsckOptions {
  bool repair = false;
  std::string account;  // Only this one; empty: the store and all accounts.
};

// The exit code: done, repaired or problems; or why it could not be done.
int fsck(const Context& context, const FsckOptions& options);

}  // namespace facteur::cli
