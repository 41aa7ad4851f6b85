#include "host/clock.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/assert.hpp"

namespace facteur::host {

namespace {

void fill_from_kernel(char* to, std::size_t size) {
  while (size > 0) {
    const auto got = ::getrandom(to, size, 0);
    if (got < 0) {
      ASSERT(errno == EINTR);
      continue;
    }
    to += got;
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace

UtcTime Clock::utc() const {
  std::timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return UtcTime{time.tv_sec * 1000 + time.tv_nsec / 1'000'000};
}

Task<bool> Clock::sleep_until(Instant deadline, Wakeup* wakeup) {
  Wait wait(Loop::here(), deadline, wakeup, nullptr, Wait::Precision::exact);
  const auto outcome = co_await wait;
  co_return outcome == Wait::Outcome::woken;
}

void Random::fill(Room room) {
  // What is handed out is erased, so that no later reader of our memory finds it.
  struct Stock {
    std::array<char, 256> octets;
    std::size_t used = 256;
  };
  thread_local Stock stock;
  if (room.size() > stock.octets.size() / 4) {
    fill_from_kernel(room.data(), room.size());
    return;
  }
  if (stock.octets.size() - stock.used < room.size()) {
    fill_from_kernel(stock.octets.data(), stock.octets.size());
    stock.used = 0;
  }
  std::memcpy(room.data(), stock.octets.data() + stock.used, room.size());
  std::memset(stock.octets.data() + stock.used, 0, room.size());
  stock.used += room.size();
}

}  // namespace facteur::host
