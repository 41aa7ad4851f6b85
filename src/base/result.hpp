// Errors are values: Result<T> is a T or a Failure that says whether trying again can help.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace facteur {

// Why something could not be done, for three audiences: the program (kind), the peer (text), the operator (code,
// cause).
struct Failure {
  enum class Kind : std::uint8_t {
    temporary,  // Trying again later may help: disk full, DNS time-out, 4xx.
    permanent,  // Trying again will not help: no such user, bad syntax, 5xx.
    timed_out,  // A deadline passed. Also temporary().
    closed,     // The peer or the service is gone. Also temporary().
    refused,    // Not allowed by policy.
    corrupt,    // A record on disk is damaged: to be quarantined and reported, never fatal to its neighbours.
  };

  Kind kind = Kind::temporary;
  std::string_view code;  // "F-0421": a literal, used at one place in the source only (tests/tidy checks).
  std::string text;       // May be shown to a peer: no path, no name of another user, no internal detail.
  std::string cause;      // For the log only: never reaches the wire.

  bool temporary() const noexcept { return kind == Kind::temporary || kind == Kind::timed_out || kind == Kind::closed; }
};

template <class T>
using Result = std::expected<T, Failure>;

// return failure(Failure::Kind::temporary, "F-0001", "No room on the disk", "ENOSPC at ...");
inline std::unexpected<Failure> failure(Failure::Kind kind, std::string_view code, std::string text,
                                        std::string cause = {}) {
  return std::unexpected(Failure{kind, code, std::move(text), std::move(cause)});
}

// Hands the failure of one Result on as that of another: if (!r) return failed(r);
template <class T>
std::unexpected<Failure> failed(Result<T>& result) {
  return std::unexpected(std::move(result.error()));
}
template <class T>
std::unexpected<Failure> failed(Result<T>&& result) {
  return std::unexpected(std::move(result.error()));
}

}  // namespace facteur
