// After a restore from a backup: UIDs, modseqs and ids that clients have seen since it was taken must not come again.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "store/engine.hpp"
#include "world/random.hpp"

namespace facteur::mailbox {

// All mailboxes of all accounts get a new UIDVALIDITY: the UIDs of what is lost have failed to persist, and flags are
// as they were (RFC 9051 §2.3.1.1; a client drops what it knows, RFC 7162 §3.2.5). Ids and modseqs go on behind all
// that were given out (first_numbers.hpp), states before now are too old. UIDs, ids and modseqs of what is there stay.
//
// Before anybody else uses the engine. May be repeated, and must be when it was broken off. How many accounts; those
// whose record is damaged are left to fsck. Fails as the engine does.
Task<Result<std::uint64_t>> number_anew(store::Engine& engine, world::Random& random, UtcTime now);

}  // namespace facteur::mailbox
