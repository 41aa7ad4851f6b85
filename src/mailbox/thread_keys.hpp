// What puts messages into one thread: the message ids in Message-ID, In-Reply-To and References (RFC 8621 §3).
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::mailbox {

// Hashes of the message ids of a header: its own first, then In-Reply-To and the last ones of References; at most 16,
// none twice. Reads no further than the empty line or 64 KiB; linear time; any octets.
std::vector<std::uint64_t> thread_keys(Bytes message);

}  // namespace facteur::mailbox
