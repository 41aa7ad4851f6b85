#include "cli/kept_open.hpp"

namespace facteur::cli {

KeptOpen::KeptOpen(Line* line, std::function<Time()> now) : line_(line), now_(std::move(now)), said_(now_()) {}

Task<Result<void>> KeptOpen::still() {
  constexpr std::chrono::seconds often{10};
  if (!line_ || now_() - said_ < often) co_return Result<void>{};
  said_ = now_();
  // Outside of a backup the answer is an error; any answer will do.
  server::ControlMessage message{R"({"command":"backup.still"})", {}};
  if (auto sent = line_->send(std::move(message)); !sent) co_return sent;
  auto answer = co_await line_->receive();
  if (!answer) co_return failed(answer);
  co_return Result<void>{};
}

}  // namespace facteur::cli
