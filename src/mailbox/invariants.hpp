// Checks all records of an account against each other (DATA-MODEL.md section 5): for tests and for fsck.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

// What is wrong, one sentence each; empty: all invariants hold. At most 1,000. Reads the whole account into memory.
Result<std::vector<std::string>> check_account(const KeyValue& from, AccountId account);

}  // namespace facteur::mailbox
