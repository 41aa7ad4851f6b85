// Chance and time given to OpenSSL from outside, so that TLS in the simulator repeats from a seed (DECISIONS.md 21).
// For sim/ and tests only: nothing that serves people may make one.
#pragma once

#include <functional>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace facteur::crypto {

// While it lives, all OpenSSL draws on this thread (keys, nonces, session tickets) comes from `chance`, and
// certificates are judged at the time `now` tells; other threads are not touched. Made inside another one, it takes its
// place until it goes. What OpenSSL dates by itself (session tickets, seconds) keeps the real time: it shows in no
// length and no decision as long as no session is resumed.
class Injection {
 public:
  Injection(std::function<void(Room)> chance, std::function<UtcTime()> now);
  ~Injection();
  Injection(const Injection&) = delete;
  Injection& operator=(const Injection&) = delete;

 private:
  friend struct Injected;
  std::function<void(Room)> chance_;
  std::function<UtcTime()> now_;
  Injection* before_;
};

}  // namespace facteur::crypto
