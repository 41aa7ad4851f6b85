#include "crypto/injection.hpp"

// RAND_METHOD is the one way to give OpenSSL another source without configuring a provider; deprecated since 3.0.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include <utility>

#include "base/assert.hpp"
#include "crypto/injected.hpp"

namespace facteur::crypto {

namespace {

thread_local Injection* in_force = nullptr;

int always_ready() { return 1; }

// Stays for good once it is there: threads without an Injection get OpenSSL's own source through it.
void install() {
  static const RAND_METHOD method{.seed = nullptr,
                                  .bytes = Injected::fill,
                                  .cleanup = nullptr,
                                  .add = nullptr,
                                  .pseudorand = Injected::fill,
                                  .status = always_ready};
  static const bool installed = RAND_set_rand_method(&method) == 1;
  ASSERT(installed);
}

}  // namespace

std::optional<UtcTime> Injected::today() {
  if (!in_force) return std::nullopt;
  return in_force->now_();
}

int Injected::fill(unsigned char* octets, int count) {
  if (!in_force) return RAND_OpenSSL()->bytes(octets, count);
  in_force->chance_(Room(reinterpret_cast<char*>(octets), static_cast<std::size_t>(count)));
  return 1;
}

Injection::Injection(std::function<void(Room)> chance, std::function<UtcTime()> now)
    : chance_(std::move(chance)), now_(std::move(now)), before_(in_force) {
  install();
  in_force = this;
}

Injection::~Injection() { in_force = before_; }

}  // namespace facteur::crypto
