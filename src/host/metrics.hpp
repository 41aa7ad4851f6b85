// Counters and histograms made of events: every name is a counter, every *_ms and *_bytes field a histogram.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "observe/event.hpp"

namespace facteur::host {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // From any thread. Each thread counts in a place of its own.
  void record(const observe::Record& record);

  // A value that is asked for when somebody looks: `value` is called on the looking thread. `name` without prefix.
  void gauge(std::string name, std::string help, std::function<double()> value);

  // All of it as OpenMetrics 1.0 text (application/openmetrics-text; version=1.0.0; charset=utf-8).
  std::string exposition() const;

 private:
  struct Histogram {
    static constexpr std::size_t bucket_count = 16;
    std::array<std::uint64_t, bucket_count + 1> buckets{};  // The last one: above all bounds.
    std::uint64_t count = 0;
    double sum = 0;
  };
  struct Series {
    std::array<std::uint64_t, 4> by_level{};
    std::map<std::string, Histogram, std::less<>> histograms;
  };
  struct Place {       // Of one thread.
    std::mutex mutex;  // Taken by others only when somebody looks.
    std::map<std::string, Series, std::less<>> series;
  };
  struct Gauge {
    std::string name, help;
    std::function<double()> value;
  };
  Place& place_of_thread();
  std::map<std::string, Series, std::less<>> merged() const;

  const std::uint64_t number_;  // Tells this instance from an earlier one at the same address.
  mutable std::mutex mutex_;    // Guards the two lists.
  std::vector<std::unique_ptr<Place>> places_;
  std::vector<Gauge> gauges_;
};

}  // namespace facteur::host
