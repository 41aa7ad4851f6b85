#include "cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace facteur::cli {

using namespace std::chrono_literals;

Progress::Progress(const Context& context, Of of)
    : context_(context),
      of_(of),
      visible_(!context.json && ::isatty(STDERR_FILENO) == 1),
      began_(std::chrono::steady_clock::now()),
      shown_(began_) {}

Progress::~Progress() {
  if (visible_) std::fputs("\r\x1b[K", stderr);
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void Progress::add(std::uint64_t messages, std::uint64_t octets) {
  messages_ += messages;
  octets_ += octets;
  if (!visible_ || std::chrono::steady_clock::now() - shown_ < 200ms) return;
  shown_ = std::chrono::steady_clock::now();
  show();
}

void Progress::show() {
  const double passed = seconds() > 0 ? seconds() : 1;
  const double mib = static_cast<double>(octets_) / 1048576;
  const std::string line =
      of_ == Of::octets
          ? context_.say("copy.progress", {fmt::format("{:.0f}", mib), fmt::format("{:.0f}", mib / passed)})
          : context_.say("move.progress", {std::to_string(messages_), fmt::format("{:.1f}", mib),
                                           fmt::format("{:.0f}", static_cast<double>(messages_) / passed)});
  std::fputs(("\r" + line + "\x1b[K").c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace facteur::cli
