#include "sim/events.hpp"

#include "base/ascii.hpp"

namespace facteur::sim {

std::string_view Events::Seen::field(std::string_view field_name) const {
  for (const auto& f : fields) {
    if (f.name == field_name) return f.value;
  }
  return {};
}

std::uint64_t Events::count(std::string_view name) const {
  const auto at = counts_.find(name);
  return at == counts_.end() ? 0 : at->second;
}

void Events::record(const observe::Record& record) {
  auto& hash = timeline_.hash();
  hash.mix(record.name);
  for (const auto& field : record.fields) {
    hash.mix(field.name);
    hash.mix(field.value);
  }
  ++counts_[std::string(record.name)];
  seen_.push_back({timeline_.now(), std::string(record.name), record.level, record.fields});
  if (seen_.size() > kept_) seen_.pop_front();
}

std::string Events::text() const {
  std::string out;
  for (const auto& event : seen_) {
    out += std::to_string(event.when.nanoseconds / 1'000'000) + "ms " + event.name;
    for (const auto& field : event.fields) out += " " + field.name + "=" + ascii::escaped(field.value);
    out += '\n';
  }
  return out;
}

}  // namespace facteur::sim
