// Log lines: one Record is one line, as text for people or as JSON for machines, written by a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/time.hpp"
#include "observe/event.hpp"

namespace facteur::observe {

enum class LogFormat : std::uint8_t { text, json };

// "2026-11-20T18:30:09.123Z"; years 0 to 9999.
std::string to_iso8601(UtcTime time);

// One line with its end. Values are escaped: whatever a peer sends, it stays one line.
std::string format_line(const Record& record, UtcTime time, LogFormat format);

// Gives lines to `write` on a thread of its own. What comes faster than it can be written is dropped beyond 1 MiB, and
// the next line that goes out says how many were lost (RELIABILITY R30). Thread-safe.
class LogSink : public Sink {
 public:
  LogSink(std::function<UtcTime()> time, LogFormat format, Level least, std::function<void(std::string_view)> write);
  ~LogSink() override;  // Writes what is left.

  void record(const Record& record) override;
  void set_level(Level least) { least_ = least; }

 private:
  void run();

  std::function<UtcTime()> time_;
  LogFormat format_;
  std::atomic<Level> least_;
  std::function<void(std::string_view)> write_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::string waiting_;
  std::uint64_t dropped_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace facteur::observe
