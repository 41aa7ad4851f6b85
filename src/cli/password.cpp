#include "cli/password.hpp"

#include <termios.h>
#include <unistd.h>

#include <cstdio>

namespace facteur::cli {

namespace {

// Echo off as long as this lives.
class Silence {
 public:
  Silence() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~Silence() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

std::string read_line() {
  std::string line;
  for (int c = std::getchar(); c != EOF && c != '\n' && line.size() < 1024; c = std::getchar()) {
    line += static_cast<char>(c);
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

std::string ask_silently(const std::string& prompt) {
  std::fputs(prompt.c_str(), stderr);
  std::string line;
  {
    const Silence silence;
    line = read_line();
  }
  std::fputc('\n', stderr);
  return line;
}

}  // namespace

std::optional<std::string> read_password(const Context& context, const std::string& whose) {
  const bool person = ::isatty(STDIN_FILENO) == 1;
  std::string first = person ? ask_silently(context.say("ask.password", {whose})) : read_line();
  if (first.empty()) {
    complain(context.say("error.empty_password"));
    return std::nullopt;
  }
  if (person && ask_silently(context.say("ask.password_again")) != first) {
    complain(context.say("error.passwords_differ"));
    return std::nullopt;
  }
  return first;
}

}  // namespace facteur::cli
