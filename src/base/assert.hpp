// Two strengths of "this cannot be": ASSERT stops the process, CHECK ends the session.
//
// Neither is ever used on input: what a peer sends is judged by values (Result), not by assertions.
#pragma once

#include <stdexcept>

namespace facteur {

// Thrown by CHECK, caught once in the driver of a session: the session dies with 421 or BYE, the server lives on.
class Bug : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace facteur

// In base, store and queue: always on; the process stops, and starts again from a disk state that is crash-safe.
#define ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::facteur::assertion_failed(#condition, __FILE__, __LINE__))

// Elsewhere: throws Bug.
#define CHECK_OR_BUG(condition) \
  ((condition) ? static_cast<void>(0) : ::facteur::check_failed(#condition, __FILE__, __LINE__))
