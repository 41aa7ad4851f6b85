#include "sim/clock.hpp"

namespace facteur::sim {

Task<bool> Clock::sleep_until(Instant deadline, Wakeup* wakeup) {
  Wait wait(shards_, deadline, wakeup);
  co_return co_await wait == Wait::Outcome::belled;
}

}  // namespace facteur::sim
