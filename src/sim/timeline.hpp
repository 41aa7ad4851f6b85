// Virtual time: a list of what happens when. Nothing takes time but waiting; the clock jumps from event to event.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/time.hpp"
#include "sim/random.hpp"

namespace facteur::sim {

class Timeline {
 public:
  explicit Timeline(std::uint64_t seed) : chance_(seed) {}
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  Instant now() const { return now_; }

  // Names one planned event; default: none.
  struct Ticket {
    Instant when;
    std::uint64_t number = 0;
    explicit operator bool() const { return number != 0; }
    friend auto operator<=>(const Ticket&, const Ticket&) = default;
  };

  // Plans `what` for `when` (now, if that is past). Events of one moment happen in the order they were planned.
  // `owner` is for drop(): whose event it is.
  Ticket at(Instant when, std::uint64_t owner, std::move_only_function<void()> what);
  void cancel(Ticket ticket);

  // Forgets all events of an owner, closures destroyed: what a crash does to what was under way.
  void drop(std::uint64_t owner);
  std::uint64_t new_owner() { return ++owners_; }

  bool step();  // The next event; false if there is none.
  bool idle() const { return events_.empty(); }
  Instant next() const { return events_.empty() ? Instant::never() : events_.begin()->first.when; }
  std::uint64_t steps() const { return steps_; }

  // A moment `low` to `high` from now.
  Instant soon(Duration low, Duration high) {
    return now_ + Duration(static_cast<Duration::rep>(chance_.between(static_cast<std::uint64_t>(low.count()),
                                                                      static_cast<std::uint64_t>(high.count()))));
  }

  Random& chance() { return chance_; }
  RunningHash& hash() { return hash_; }

 private:
  struct Event {
    std::uint64_t owner;
    std::move_only_function<void()> what;
  };

  Random chance_;
  RunningHash hash_;
  Instant now_{1'000'000'000};
  std::uint64_t planned_ = 0;
  std::uint64_t owners_ = 0;
  std::uint64_t steps_ = 0;
  std::map<Ticket, Event> events_;
};

}  // namespace facteur::sim
