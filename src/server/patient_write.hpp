// Sending a lot to a client that may be slow: what counts is that it goes on, not how long all of it takes.
#pragma once

#include <functional>
#include <span>

#include "base/bytes.hpp"
#include "base/task.hpp"
#include "world/clock.hpp"
#include "world/network.hpp"

namespace facteur::server {

// Writes all pieces. A client that takes less than half a mebibyte in five minutes (1.7 KiB a second) is given up:
// Failure::Kind::timed_out. The pieces are valid until it returns.
// `intact`, if given, says whether the pieces still show what was stored (store::Content::intact). It is asked before
// each slice and at the end; if it denies, nothing more is sent: Failure::Kind::corrupt. The connection must end then,
// so that a message with zeros in it is never whole.
Task<Result<void>> write_patiently(world::Stream& stream, world::Clock& clock, std::span<const Bytes> pieces,
                                   std::function<bool()> intact = nullptr);

inline constexpr std::size_t patient_slice = std::size_t{512} * 1024;
inline constexpr Duration patience = 5min;

}  // namespace facteur::server
