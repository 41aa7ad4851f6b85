#include "delivery/schedule.hpp"

#include <algorithm>

namespace facteur::delivery {

namespace {

bool waits(const queue::Recipient& recipient) { return recipient.status == queue::Recipient::Status::waiting; }

std::optional<UtcTime> earliest(const queue::Entry& entry) {
  std::optional<UtcTime> first;
  for (const auto& recipient : entry.recipients) {
    if (waits(recipient) && (!first || recipient.next_try < *first)) first = recipient.next_try;
  }
  return first;
}

Duration interval(const Parameters& parameters, std::uint32_t attempts) {
  if (parameters.retry.empty()) return 30min;
  const auto index = std::min<std::size_t>(std::max<std::uint32_t>(attempts, 1) - 1, parameters.retry.size() - 1);
  return std::max<Duration>(parameters.retry[index], 1s);
}

}  // namespace

Duration retry_delay(const Parameters& parameters, std::uint32_t attempts, world::Random& random) {
  const auto base = interval(parameters, attempts);
  return base / 1000 * (800 + static_cast<Duration::rep>(random.below(401)));
}

Duration longest_delay(const Parameters& parameters) {
  Duration longest = 30min;
  for (const auto one : parameters.retry) longest = std::max(longest, one);
  return longest / 10 * 12;
}

Duration wait_of(const queue::Entry& entry, const Parameters& parameters, UtcTime now) {
  const auto first = earliest(entry);
  if (!first || *first <= now) return Duration::zero();
  // Compared before it is subtracted: the difference of two far moments does not fit a Duration.
  if (*first > now + longest_delay(parameters)) return longest_delay(parameters);
  return *first - now;
}

std::vector<std::size_t> due_recipients(const queue::Entry& entry) {
  std::vector<std::size_t> out;
  const auto first = earliest(entry);
  for (std::size_t i = 0; i < entry.recipients.size(); ++i) {
    // Those of the first one's time; relative to each other, so that no calendar matters.
    if (waits(entry.recipients[i]) && entry.recipients[i].next_try <= *first + 2min) out.push_back(i);
  }
  return out;
}

bool is_expired(const queue::Entry& entry, const queue::Recipient& recipient, const Parameters& parameters,
                UtcTime now) {
  const UtcTime end = entry.expires.milliseconds != 0 ? entry.expires : entry.arrived + parameters.expiry;
  if (now < end) return false;
  const Duration life = end > entry.arrived ? std::min<Duration>(end - entry.arrived, 24h * 365) : Duration::zero();
  Duration passed{};
  std::uint32_t planned = 0;
  while (passed < life / 10 * 6 && planned < 10'000) passed += interval(parameters, ++planned);
  return recipient.attempts >= planned;
}

}  // namespace facteur::delivery
