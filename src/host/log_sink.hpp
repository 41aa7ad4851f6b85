// Where events go in the real world: lines on standard error or in a file, written by a thread of their own, and
// Metrics. Mail never waits for it (RELIABILITY R30): what does not fit is dropped and counted.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "host/metrics.hpp"
#include "observe/event.hpp"

namespace facteur::host {

struct LogOptions {
  enum class Format : std::uint8_t { json, text };
  Format format = Format::text;
  observe::Level least = observe::Level::info;
  std::string file;                    // Empty: standard error.
  std::size_t most_waiting = 4 << 20;  // Octets of lines that wait to be written.
};

class LogSink final : public observe::Sink {
 public:
  explicit LogSink(LogOptions options);
  ~LogSink() override;  // Writes what waits.

  void record(const observe::Record& record) override;

  void reopen();  // The file by its name, after it was rotated away (SIGHUP).
  std::uint64_t dropped() const;
  Metrics& metrics() { return metrics_; }

 private:
  void write_lines();
  std::uint64_t write_out(const std::string& lines);
  void open_file();

  const LogOptions options_;
  Metrics metrics_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::string waiting_;  // Guarded by mutex_, as are the next three.
  std::uint64_t dropped_ = 0, dropped_said_ = 0;
  bool stopping_ = false, reopen_ = false;
  int fd_ = 2;  // Of the writing thread.
  std::thread writer_;
};

// Writes each line to standard error at once, from the thread that has the event: for processes without threads. What
// cannot be written is lost.
class PlainSink final : public observe::Sink {
 public:
  explicit PlainSink(LogOptions options) : options_(std::move(options)) {}
  void record(const observe::Record& record) override;

 private:
  const LogOptions options_;
};

// One line, with its end: {"time":"2026-11-20T18:51:03.123Z","level":"info","event":"...", fields}. All of it ASCII.
std::string log_line(const observe::Record& record, UtcTime time, LogOptions::Format format);

}  // namespace facteur::host
