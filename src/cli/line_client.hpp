// A mail program made of lines: what `facteur demo` talks to its own servers with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/task.hpp"
#include "world/clock.hpp"
#include "world/network.hpp"

namespace facteur::cli {

class LineClient {
 public:
  LineClient(std::unique_ptr<world::Stream> stream, world::Clock& clock) : stream_(std::move(stream)), clock_(clock) {}

  Task<Result<void>> say(std::string text);  // With CRLF behind it.
  Task<Result<std::string>> line();          // Without its end, within ten seconds.

  // Lines up to the last one of an answer.
  Task<Result<std::string>> smtp_reply();             // RFC 5321 §4.2.1: the last one has a space behind the code.
  Task<Result<std::string>> dotted();                 // RFC 1939 §3: up to a single dot; only +OK if that is no.
  Task<Result<std::string>> tagged(std::string tag);  // RFC 9051 §2.2.2. Literals are taken as they come.

 private:
  std::unique_ptr<world::Stream> stream_;
  world::Clock& clock_;
  std::string buffer_;
};

}  // namespace facteur::cli
