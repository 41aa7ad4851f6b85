#include "cli/line_client.hpp"

#include <array>

#include "base/ascii.hpp"

namespace facteur::cli {

namespace {

constexpr std::size_t most = 1024 * 1024;

// "... {123}" -> 123.
std::size_t literal_behind(std::string_view line) {
  const auto brace = line.rfind('{');
  if (brace == std::string_view::npos || !line.ends_with('}')) return 0;
  return ascii::number<std::size_t>(line.substr(brace + 1, line.size() - brace - 2)).value_or(0);
}

}  // namespace

Task<Result<void>> LineClient::say(std::string text) {
  text += "\r\n";
  const Instant deadline = clock_.now() + 10s;
  co_return co_await stream_->write(text, deadline);
}

Task<Result<std::string>> LineClient::line() {
  const Instant deadline = clock_.now() + 10s;
  std::array<char, 4096> room{};
  while (true) {
    const auto end = buffer_.find("\r\n");
    if (end != std::string::npos) {
      std::string out = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      co_return out;
    }
    if (buffer_.size() > most) co_return failure(Failure::Kind::permanent, "F-6210", "A line is too long");
    auto count = co_await stream_->read(Room(room), deadline);
    if (!count) co_return failed(count);
    if (*count == 0) co_return failure(Failure::Kind::closed, "F-6211", "The server has closed the connection");
    buffer_.append(room.data(), *count);
  }
}

Task<Result<std::string>> LineClient::smtp_reply() {
  while (true) {
    auto next = co_await line();
    if (!next || next->size() < 4 || (*next)[3] != '-') co_return next;
  }
}

Task<Result<std::string>> LineClient::dotted() {
  auto first = co_await line();
  if (!first || !first->starts_with("+OK")) co_return first;
  while (true) {
    auto next = co_await line();
    if (!next) co_return next;
    if (*next == ".") co_return first;
  }
}

Task<Result<std::string>> LineClient::tagged(std::string tag) {
  tag += ' ';
  std::size_t literal = 0;
  while (true) {
    auto next = co_await line();
    if (!next) co_return next;
    if (literal > 0) {
      literal -= std::min(literal, next->size() + 2);
      continue;
    }
    if (next->starts_with(tag)) co_return next;
    literal = literal_behind(*next);
  }
}

}  // namespace facteur::cli
