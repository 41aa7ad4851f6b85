// Metrics: every event is counted as it passes to the next sink; gauges are asked when somebody looks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "observe/event.hpp"

namespace facteur::observe {

// Thread-safe. Memory is bounded by the number of event names in the source: fields never become labels, except
// `result` and `protocol`, whose values are ours, and only the first hundred series of an event.
class Metrics : public Sink {
 public:
  explicit Metrics(Sink& next) : next_(next) {}

  void record(const Record& record) override;

  // A value that is asked at each look: "connections_open", "Connections open now". Callable from any thread.
  void gauge(std::string name, std::string meaning, std::function<double()> value);
  void forget_gauges();  // Before what they ask goes away.

  // The text exposition format of Prometheus, version 0.0.4.
  std::string prometheus() const;

  std::uint64_t count(std::string_view event) const;  // All its series together.

 private:
  struct Series {
    std::uint64_t count = 0;
    std::map<std::string, std::uint64_t> sums;  // Of fields that end in _ms or _bytes.
  };
  struct Gauge {
    std::string name, meaning;
    std::function<double()> value;
  };

  Sink& next_;
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, Series>, std::less<>> events_;  // Event -> labels -> series.
  std::vector<Gauge> gauges_;
};

}  // namespace facteur::observe
