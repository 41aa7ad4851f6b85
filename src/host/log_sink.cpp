#include "host/log_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iterator>

#include "base/ascii.hpp"
#include "host/clock.hpp"

namespace facteur::host {

namespace {

using Format = LogOptions::Format;

std::string_view level_name(observe::Level level) {
  switch (level) {
    case observe::Level::debug:
      return "debug";
    case observe::Level::info:
      return "info";
    case observe::Level::warning:
      return "warning";
    case observe::Level::error:
      return "error";
  }
  return "error";
}

struct Decoded {
  char32_t scalar;
  std::size_t length;
};

// The scalar value at the beginning of `text` (RFC 3629 §4: no surrogates, nothing overlong); U+FFFD and one octet for
// what is not UTF-8.
Decoded decode(std::string_view text) {
  const auto octet = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = octet(0);
  const std::size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length == 0 || first >= 0xf5 || text.size() < length) return {0xfffd, 1};
  char32_t scalar = first & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return {0xfffd, 1};
    scalar = scalar << 6 | (octet(i) & 0x3f);
  }
  const bool overlong = (length == 3 && scalar < 0x800) || (length == 4 && scalar < 0x10000);
  if (overlong || scalar > 0x10ffff || (scalar >= 0xd800 && scalar < 0xe000)) return {0xfffd, 1};
  return {scalar, length};
}

// RFC 8259 §7, with everything outside of ASCII escaped, too: a line cannot turn a terminal's writing around
// (RELIABILITY S83).
void add_json(std::string& line, std::string_view text) {
  line += '"';
  auto out = std::back_inserter(line);
  while (!text.empty()) {
    const char c = text.front();
    std::size_t length = 1;
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (ascii::is_printable(c)) {
      line += c;
    } else if (ascii::is_control(c)) {
      fmt::format_to(out, "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      const Decoded decoded = decode(text);
      length = decoded.length;
      const auto scalar = static_cast<std::uint32_t>(decoded.scalar);
      if (scalar < 0x10000) {
        fmt::format_to(out, "\\u{:04x}", scalar);
      } else {
        fmt::format_to(out, "\\u{:04x}\\u{:04x}", 0xd7c0 + (scalar >> 10), 0xdc00 + (scalar & 0x3ff));
      }
    }
    text.remove_prefix(length);
  }
  line += '"';
}

void add_text(std::string& line, const observe::Field& field) {
  line += ' ';
  line += ascii::escaped(field.name);
  line += '=';
  const bool plain = !field.value.empty() && field.value.find_first_of(" \"=") == field.value.npos;
  if (!plain) line += '"';
  line += ascii::escaped(field.value);
  if (!plain) line += '"';
}

void add_time(std::string& line, UtcTime time) {
  const auto seconds = static_cast<std::time_t>(time.seconds());
  std::tm fields{};
  gmtime_r(&seconds, &fields);
  fmt::format_to(std::back_inserter(line), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", fields.tm_year + 1900,
                 fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min, fields.tm_sec,
                 time.milliseconds - time.seconds() * 1000);
}

}  // namespace

std::string log_line(const observe::Record& record, UtcTime time, Format format) {
  std::string line;
  line.reserve(256);
  if (format == Format::text) {
    add_time(line, time);
    line += ' ';
    line += level_name(record.level);
    line += ' ';
    line += ascii::escaped(record.name);
    for (const auto& field : record.fields) add_text(line, field);
    line += '\n';
    return line;
  }
  line += "{\"time\":\"";
  add_time(line, time);
  line += "\",\"level\":\"";
  line += level_name(record.level);
  line += "\",\"event\":";
  add_json(line, record.name);
  for (const auto& field : record.fields) {
    line += ',';
    add_json(line, field.name);
    line += ':';
    if (field.number) {
      line += field.value;
    } else {
      add_json(line, field.value);
    }
  }
  line += "}\n";
  return line;
}

void PlainSink::record(const observe::Record& record) {
  if (record.level < options_.least) return;
  const std::string line = log_line(record, Clock().utc(), options_.format);
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

LogSink::LogSink(LogOptions options) : options_(std::move(options)) {
  open_file();
  writer_ = std::thread([this] { write_lines(); });
}

LogSink::~LogSink() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_one();
  writer_.join();
  if (fd_ > 2) ::close(fd_);
}

void LogSink::record(const observe::Record& record) {
  metrics_.record(record);
  if (record.level < options_.least) return;
  const std::string line = log_line(record, Clock().utc(), options_.format);
  bool urgent = false;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > options_.most_waiting) {
      ++dropped_;
      return;
    }
    urgent = waiting_.empty() || waiting_.size() > options_.most_waiting / 4;
    waiting_ += line;
  }
  if (urgent) filled_.notify_one();
}

std::uint64_t LogSink::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void LogSink::reopen() {
  const std::lock_guard lock(mutex_);
  reopen_ = true;
}

void LogSink::open_file() {
  if (options_.file.empty()) return;
  const int opened = ::open(options_.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
  if (opened < 0) return;  // What was open stays; at the beginning that is standard error.
  if (fd_ > 2) ::close(fd_);
  fd_ = opened;
}

void LogSink::write_lines() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  pthread_setname_np(pthread_self(), "log writer");
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    // Woken by the first line, then a moment for others to join it: one system call for many lines.
    filled_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    filled_.wait_for(lock, std::chrono::milliseconds(50),
                     [this] { return stopping_ || waiting_.size() > options_.most_waiting / 4; });
    last = stopping_;
    std::string lines = std::exchange(waiting_, {});
    if (dropped_ != dropped_said_) {
      const observe::Record record{
          "log_line_dropped", observe::Level::warning, {{"count", std::to_string(dropped_ - dropped_said_), true}}};
      lines += log_line(record, Clock().utc(), options_.format);
      dropped_said_ = dropped_;
    }
    const bool again = std::exchange(reopen_, false);
    lock.unlock();
    if (again) open_file();
    const std::uint64_t lost = write_out(lines);
    lock.lock();
    dropped_ += lost;
  }
}

// The number of lines that could not be written. Gives up after a second without progress: a reader who has stopped
// must not stop us when we end.
std::uint64_t LogSink::write_out(const std::string& lines) {
  std::size_t at = 0;
  while (at < lines.size()) {
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 1000) == 0) break;
    const auto size = ::write(fd_, lines.data() + at, std::min<std::size_t>(lines.size() - at, 4096));
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size < 0) break;
    at += static_cast<std::size_t>(size);
  }
  return static_cast<std::uint64_t>(std::count(lines.begin() + static_cast<std::ptrdiff_t>(at), lines.end(), '\n'));
}

}  // namespace facteur::host
