// A client's end of IMAP and POP3 in words, for people in the simulator.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "customers.hpp"

namespace facteur::simulation {

// A connection that asks in words and gives back all that comes up to the tagged line.
class Asker {
 public:
  Asker(std::unique_ptr<world::Stream> stream, world::Clock& clock) : stream_(std::move(stream)), clock_(clock) {}

  // The whole answer, literals included; nullopt when the connection is gone or it was not OK.
  Task<std::optional<std::string>> ask(std::string command) {
    const std::string tag = "t" + std::to_string(++tags_);
    const std::string line = tag + " " + command + "\r\n";
    auto sent = co_await stream_->write(Bytes(line), clock_.now() + 1min);
    if (!sent) co_return std::nullopt;
    const std::string wanted = "\r\n" + tag + " ";
    for (;;) {
      const auto at = got_.starts_with(tag + " ") ? 0 : got_.find(wanted);
      const auto end = at == std::string::npos ? at : got_.find("\r\n", at + 2);
      if (end != std::string::npos) {
        auto answer = got_.substr(0, end);
        got_.erase(0, end + 2);
        refused_ = answer.find(tag + " OK") == std::string::npos;
        if (refused_) co_return std::nullopt;
        co_return answer;
      }
      const bool more = co_await read_more();
      if (!more) co_return std::nullopt;
    }
  }
  // One line of POP3, without its end; nullopt when the connection is gone or it was not +OK.
  Task<std::optional<std::string>> say(std::string command) {
    const std::string line = command + "\r\n";
    auto sent = co_await stream_->write(Bytes(line), clock_.now() + 1min);
    if (!sent) co_return std::nullopt;
    auto answer = co_await until("\r\n");
    refused_ = answer && !answer->starts_with("+OK");
    if (!answer || refused_) co_return std::nullopt;
    co_return answer;
  }
  // What comes up to `mark`, which is taken, too.
  Task<std::optional<std::string>> until(std::string mark) {
    while (got_.find(mark) == std::string::npos) {
      const bool more = co_await read_more();
      if (!more) co_return std::nullopt;
    }
    const auto end = got_.find(mark);
    auto text = got_.substr(0, end);
    got_.erase(0, end + mark.size());
    co_return text;
  }
  Task<bool> encrypt(Trust trust) {
    if (!got_.empty()) co_return false;
    auto stream = co_await simulation::encrypt(std::move(stream_), std::move(trust), clock_.now() + 1min);
    if (!stream) co_return false;
    stream_ = std::move(*stream);
    co_return true;
  }
  bool refused() const { return refused_; }  // The last question was answered, with a no.
  Task<bool> greeted(std::string_view how) {
    auto line = co_await until("\r\n");
    co_return line && line->starts_with(how);
  }

 private:
  Task<bool> read_more() {
    char room[700];
    auto count = co_await stream_->read(room, clock_.now() + 1min);
    if (!count || *count == 0) co_return false;
    got_.append(room, *count);
    co_return true;
  }

  std::unique_ptr<world::Stream> stream_;
  world::Clock& clock_;
  std::string got_;
  unsigned tags_ = 0;
  bool refused_ = false;
};

}  // namespace facteur::simulation
