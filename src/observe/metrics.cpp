#include "observe/metrics.hpp"

#include <fmt/format.h>

#include "base/ascii.hpp"

namespace facteur::observe {

namespace {

constexpr std::size_t most_series = 100;

bool is_label(std::string_view name) { return name == "result" || name == "protocol"; }

std::string label_value(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 64)) {
    if (c == '"' || c == '\\') out += '\\';
    out += ascii::is_printable(c) ? c : '?';
  }
  return out;
}

std::string labels_of(const Record& record) {
  std::string labels;
  for (const auto& field : record.fields) {
    if (is_label(field.name))
      labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", field.name, label_value(field.value));
  }
  return labels;
}

std::string in_braces(const std::string& labels) { return labels.empty() ? "" : "{" + labels + "}"; }

}  // namespace

void Metrics::record(const Record& record) {
  {
    const std::lock_guard lock(mutex_);
    auto& all = events_[std::string(record.name)];
    std::string labels = labels_of(record);
    if (!all.contains(labels) && all.size() >= most_series) labels.clear();
    Series& series = all[labels];
    ++series.count;
    for (const auto& field : record.fields) {
      if (!field.number || (!field.name.ends_with("_ms") && !field.name.ends_with("_bytes"))) continue;
      if (const auto value = ascii::number(field.value)) series.sums[field.name] += *value;
    }
  }
  next_.record(record);
}

void Metrics::gauge(std::string name, std::string meaning, std::function<double()> value) {
  const std::lock_guard lock(mutex_);
  gauges_.push_back({std::move(name), std::move(meaning), std::move(value)});
}

void Metrics::forget_gauges() {
  const std::lock_guard lock(mutex_);
  gauges_.clear();
}

std::string Metrics::prometheus() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& gauge : gauges_) {
    out += fmt::format("# HELP facteur_{0} {1}\n# TYPE facteur_{0} gauge\nfacteur_{0} {2}\n", gauge.name, gauge.meaning,
                       gauge.value());
  }
  for (const auto& [event, all] : events_) {
    out += fmt::format("# TYPE facteur_{}_total counter\n", event);
    std::map<std::string, std::string> sums;
    for (const auto& [labels, series] : all) {
      out += fmt::format("facteur_{}_total{} {}\n", event, in_braces(labels), series.count);
      for (const auto& [field, sum] : series.sums) {
        sums[field] += fmt::format("facteur_{}_{}_total{} {}\n", event, field, in_braces(labels), sum);
      }
    }
    for (const auto& [field, lines] : sums) {
      out += fmt::format("# TYPE facteur_{}_{}_total counter\n{}", event, field, lines);
    }
  }
  return out;
}

std::uint64_t Metrics::count(std::string_view event) const {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(event);
  std::uint64_t total = 0;
  if (found == events_.end()) return 0;
  for (const auto& [labels, series] : found->second) total += series.count;
  return total;
}

}  // namespace facteur::observe
