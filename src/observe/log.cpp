#include "observe/log.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/ascii.hpp"

namespace facteur::observe {

namespace {

constexpr std::size_t most_waiting = 1024 * 1024;
constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warning", "error"};

void json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      out += fmt::format("\\u{:04x}", octet);
    } else if (octet >= 0x80) {
      out += fmt::format("\\u00{:02x}", octet);  // Octets that may not be UTF-8: shown as Latin-1, always valid JSON.
    } else {
      out += c;
    }
  }
  out += '"';
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    if (c == ' ' || c == '"' || c == '=' || !ascii::is_printable(c)) return true;
  }
  return false;
}

}  // namespace

std::string to_iso8601(UtcTime time) {
  const std::chrono::sys_time<std::chrono::milliseconds> point{std::chrono::milliseconds(time.milliseconds)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(point - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string format_line(const Record& record, UtcTime time, LogFormat format) {
  const std::string_view level = level_names[static_cast<std::size_t>(record.level)];
  std::string out;
  if (format == LogFormat::text) {
    out = fmt::format("{} {} {}", to_iso8601(time), level, record.name);
    for (const auto& field : record.fields) {
      out += ' ';
      out += field.name;
      out += '=';
      out += needs_quotes(field.value) ? "\"" + ascii::escaped(field.value) + "\"" : field.value;
    }
  } else {
    out = fmt::format(R"({{"time":"{}","level":"{}","event":"{}")", to_iso8601(time), level, record.name);
    for (const auto& field : record.fields) {
      out += ',';
      json_string(out, field.name);
      out += ':';
      if (field.number) {
        out += field.value;
      } else {
        json_string(out, field.value);
      }
    }
    out += '}';
  }
  out += '\n';
  return out;
}

LogSink::LogSink(std::function<UtcTime()> time, LogFormat format, Level least,
                 std::function<void(std::string_view)> write)
    : time_(std::move(time)), format_(format), least_(least), write_(std::move(write)), thread_([this] { run(); }) {}

LogSink::~LogSink() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  more_.notify_one();
  thread_.join();
}

void LogSink::record(const Record& record) {
  if (record.level < least_.load()) return;
  const std::string line = format_line(record, time_(), format_);
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > most_waiting) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) {
      const Record lost{"log_lines_dropped", Level::warning, {{"count", std::to_string(dropped_), true}}};
      waiting_ += format_line(lost, time_(), format_);
      dropped_ = 0;
    }
    waiting_ += line;
  }
  more_.notify_one();
}

void LogSink::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    more_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    std::string lines = std::move(waiting_);
    waiting_.clear();
    lock.unlock();
    write_(lines);
    lock.lock();
  }
}

}  // namespace facteur::observe
