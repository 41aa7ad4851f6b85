// Where the numbers of an account go on when nobody knows which were given out: in a new one, whose name may have been
// another's before; and in one out of a backup, whose clients may have seen more than the backup knows.
//
// They are counters, but begin at the calendar: an account that counts from an earlier second with less than one new
// mailbox (those it was made with included), and 65,536 changes and new objects, a second on the average has not come
// so far.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace facteur::mailbox {

struct FirstNumbers {
  std::uint64_t modseq = 0;       // RFC 7162 §3.1.1
  std::uint64_t id = 0;           // Of mailboxes, items, placements, threads: RFC 8474, RFC 1939 §7.
  std::uint32_t uidvalidity = 0;  // RFC 9051 §2.3.1.1

  static constexpr FirstNumbers at(UtcTime now) {
    constexpr std::int64_t latest = 0xF0000000;  // In 2097: no clock that is wrong takes all numbers.
    const auto seconds = static_cast<std::uint32_t>(std::clamp<std::int64_t>(now.seconds(), 0, latest));
    return {.modseq = std::uint64_t{seconds} << 16, .id = std::uint64_t{seconds} << 16, .uidvalidity = seconds};
  }
};

}  // namespace facteur::mailbox
