// What a mailbox remembers of imports: the names of messages it was given (Placing::source).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "mailbox/types.hpp"
#include "store/engine.hpp"

namespace facteur::mailbox {

// Which of these the mailbox was given before, as far as `reader` knows: what Mailboxes::append() would pass over. An
// empty name never was.
Result<std::vector<bool>> imported_before(const store::Reader& reader, AccountId account, MailboxId mailbox,
                                          std::span<const std::string> sources);

}  // namespace facteur::mailbox
