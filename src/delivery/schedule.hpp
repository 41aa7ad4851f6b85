// When a recipient is tried again, and when it is given up (RFC 5321 §4.5.4.1). Values in, values out.
//
// Intervals are counted on the monotonic clock; the calendar moments in the records are re-based whenever they are
// read, so that a calendar that jumps by years neither bounces mail nor lets it wait for years (RELIABILITY R11).
#pragma once

#include "base/time.hpp"
#include "delivery/delivery.hpp"
#include "queue/queue.hpp"

namespace facteur::delivery {

// How long to wait after the `attempts`-th attempt (1 is the first): the schedule, +- 20 % by chance so that an outage
// does not end in a herd (RELIABILITY R9).
Duration retry_delay(const Parameters& parameters, std::uint32_t attempts, world::Random& random);

// The longest retry_delay can be.
Duration longest_delay(const Parameters& parameters);

// How long an entry has to wait, judged by its waiting recipients; at most longest_delay().
Duration wait_of(const queue::Entry& entry, const Parameters& parameters, UtcTime now);

// Which recipients are to be tried when the entry's time has come.
std::vector<std::size_t> due_recipients(const queue::Entry& entry);

// Whether to give up on a recipient. Its time must be over, and it must have been tried nearly as often as the schedule
// says for that time: one of them alone may be a clock that jumped, or a machine that was off.
bool is_expired(const queue::Entry& entry, const queue::Recipient& recipient, const Parameters& parameters,
                UtcTime now);

}  // namespace facteur::delivery
