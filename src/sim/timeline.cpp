#include "sim/timeline.hpp"

#include <algorithm>
#include <vector>

namespace facteur::sim {

Timeline::Ticket Timeline::at(Instant when, std::uint64_t owner, std::move_only_function<void()> what) {
  const Ticket ticket{std::max(when, now_), ++planned_};
  if (when == Instant::never()) return ticket;  // It does not come.
  events_.emplace(ticket, Event{owner, std::move(what)});
  return ticket;
}

void Timeline::cancel(Ticket ticket) {
  const auto at = events_.find(ticket);
  if (at == events_.end()) return;
  const auto held = std::move(at->second);  // Its destruction may plan or cancel others.
  events_.erase(at);
}

void Timeline::drop(std::uint64_t owner) {
  for (;;) {
    std::vector<Event> held;
    for (auto at = events_.begin(); at != events_.end();) {
      if (at->second.owner != owner) {
        ++at;
        continue;
      }
      held.push_back(std::move(at->second));
      at = events_.erase(at);
    }
    if (held.empty()) return;
  }
}

bool Timeline::step() {
  if (events_.empty()) return false;
  auto at = events_.begin();
  now_ = std::max(now_, at->first.when);
  const auto number = at->first.number;
  auto event = std::move(at->second);
  events_.erase(at);
  ++steps_;
  hash_.mix(static_cast<std::uint64_t>(now_.nanoseconds));
  hash_.mix(number);
  event.what();
  return true;
}

}  // namespace facteur::sim
