#include "host/metrics.hpp"

#include <fmt/format.h>

#include <atomic>
#include <iterator>

#include "base/ascii.hpp"

namespace facteur::host {

namespace {

constexpr std::size_t most_series = 2000;  // Names come from the source; this is for mistakes.
constexpr std::array<const char*, 4> levels{"debug", "info", "warning", "error"};

// Upper bounds: milliseconds 1, 2, 4 ... 32768; octets 64, 256, 1 Ki ... 64 Gi.
double bound(bool milliseconds, std::size_t bucket) {
  return milliseconds ? static_cast<double>(1ull << bucket) : static_cast<double>(64ull << (2 * bucket));
}

std::atomic<std::uint64_t> instances{0};

std::string metric_name(std::string_view event) {
  std::string name = "facteur_";
  for (const char c : event) name += ascii::is_alnum(c) ? c : '_';
  return name;
}

}  // namespace

Metrics::Metrics() : number_(++instances) {}
Metrics::~Metrics() = default;

Metrics::Place& Metrics::place_of_thread() {
  struct Known {
    std::uint64_t owner = 0;
    Place* place = nullptr;
  };
  thread_local Known known;
  if (known.owner != number_) {
    const std::lock_guard lock(mutex_);
    known = {number_, places_.emplace_back(std::make_unique<Place>()).get()};
  }
  return *known.place;
}

void Metrics::record(const observe::Record& record) {
  Place& place = place_of_thread();
  const std::lock_guard lock(place.mutex);
  auto found = place.series.find(record.name);
  if (found == place.series.end()) {
    if (place.series.size() >= most_series) return;
    found = place.series.emplace(std::string(record.name), Series()).first;
  }
  Series& series = found->second;
  ++series.by_level[static_cast<std::size_t>(record.level)];
  for (const auto& field : record.fields) {
    const bool milliseconds = field.name.ends_with("_ms");
    if (!field.number || (!milliseconds && !field.name.ends_with("_bytes"))) continue;
    const auto value = ascii::number<std::uint64_t>(field.value);
    if (!value || (series.histograms.size() >= 16 && !series.histograms.contains(field.name))) continue;
    Histogram& histogram = series.histograms[field.name];
    std::size_t bucket = 0;
    while (bucket<Histogram::bucket_count&& static_cast<double>(*value)> bound(milliseconds, bucket)) ++bucket;
    ++histogram.buckets[bucket];
    ++histogram.count;
    histogram.sum += static_cast<double>(*value);
  }
}

void Metrics::gauge(std::string name, std::string help, std::function<double()> value) {
  const std::lock_guard lock(mutex_);
  gauges_.push_back({metric_name(name), std::move(help), std::move(value)});
}

std::map<std::string, Metrics::Series, std::less<>> Metrics::merged() const {
  std::map<std::string, Series, std::less<>> all;
  for (const auto& place : places_) {
    const std::lock_guard lock(place->mutex);
    for (const auto& [name, series] : place->series) {
      Series& sum = all[name];
      for (std::size_t i = 0; i < levels.size(); ++i) sum.by_level[i] += series.by_level[i];
      for (const auto& [field, histogram] : series.histograms) {
        Histogram& to = sum.histograms[field];
        for (std::size_t i = 0; i < to.buckets.size(); ++i) to.buckets[i] += histogram.buckets[i];
        to.count += histogram.count;
        to.sum += histogram.sum;
      }
    }
  }
  return all;
}

std::string Metrics::exposition() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  auto out = std::back_inserter(text);
  for (const auto& gauge : gauges_) {
    fmt::format_to(out, "# TYPE {0} gauge\n# HELP {0} {1}\n{0} {2}\n", gauge.name, gauge.help, gauge.value());
  }
  for (const auto& [event, series] : merged()) {
    const std::string name = metric_name(event);
    fmt::format_to(out, "# TYPE {} counter\n", name);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (series.by_level[i] == 0) continue;
      fmt::format_to(out, "{}_total{{level=\"{}\"}} {}\n", name, levels[i], series.by_level[i]);
    }
    for (const auto& [field, histogram] : series.histograms) {
      const bool milliseconds = field.ends_with("_ms");
      const std::string own = name + "_" + metric_name(field).substr(8);
      fmt::format_to(out, "# TYPE {} histogram\n", own);
      std::uint64_t below = 0;
      for (std::size_t i = 0; i < Histogram::bucket_count; ++i) {
        below += histogram.buckets[i];
        fmt::format_to(out, "{}_bucket{{le=\"{:.1f}\"}} {}\n", own, bound(milliseconds, i), below);
      }
      fmt::format_to(out, "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", own, histogram.count,
                     histogram.sum);
    }
  }
  text += "# EOF\n";
  return text;
}

}  // namespace facteur::host
