// Durations and sizes as people write them.
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "config/describe.hpp"

namespace facteur::config {

namespace {

using namespace std::chrono;

struct DurationUnit {
  std::string_view name;
  Duration length;
};
constexpr std::array duration_units{
    DurationUnit{"d", hours(24)},  DurationUnit{"h", hours(1)},         DurationUnit{"m", minutes(1)},
    DurationUnit{"s", seconds(1)}, DurationUnit{"ms", milliseconds(1)},
};

struct SizeUnit {
  std::string_view name;
  std::uint64_t octets;
};
constexpr std::array size_units{
    SizeUnit{"TiB", 1ULL << 40}, SizeUnit{"GiB", 1ULL << 30},      SizeUnit{"MiB", 1ULL << 20},
    SizeUnit{"KiB", 1ULL << 10}, SizeUnit{"TB", 1000000000000ULL}, SizeUnit{"GB", 1000000000ULL},
    SizeUnit{"MB", 1000000ULL},  SizeUnit{"kB", 1000ULL},          SizeUnit{"B", 1},
};

// "12 MiB" -> {12, "MiB"}.
std::optional<std::pair<std::uint64_t, std::string_view>> number_and_unit(std::string_view text) {
  text = ascii::trimmed(text);
  std::size_t digits = 0;
  while (digits < text.size() && ascii::is_digit(text[digits])) ++digits;
  const auto count = ascii::number<std::uint64_t>(text.substr(0, digits));
  if (!count) return std::nullopt;
  return std::pair(*count, ascii::trimmed(text.substr(digits)));
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const auto parts = number_and_unit(text);
  if (!parts) return std::nullopt;
  const std::string_view unit = parts->second.empty() ? "s" : parts->second;
  for (const auto& known : duration_units) {
    if (unit != known.name) continue;
    if (parts->first > static_cast<std::uint64_t>((duration_units[0].length * 36500) / known.length))
      return std::nullopt;
    return known.length * static_cast<std::int64_t>(parts->first);
  }
  return std::nullopt;
}

std::string show_duration(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  for (const auto& unit : duration_units) {
    if (duration % unit.length == Duration::zero()) {
      return std::to_string(duration / unit.length) + std::string(unit.name);
    }
  }
  return std::to_string(duration / milliseconds(1)) + "ms";
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto parts = number_and_unit(text);
  if (!parts) return std::nullopt;
  if (parts->second.empty()) return parts->first;
  for (const auto& unit : size_units) {
    if (!ascii::equal_ignoring_case(parts->second, unit.name)) continue;
    if (parts->first > (1ULL << 60) / unit.octets) return std::nullopt;
    return parts->first * unit.octets;
  }
  return std::nullopt;
}

std::string show_size(std::uint64_t octets) {
  for (const auto& unit : size_units) {
    if (unit.name.size() == 3 && octets != 0 && octets % unit.octets == 0) {
      return std::to_string(octets / unit.octets) + " " + std::string(unit.name);
    }
  }
  return std::to_string(octets);
}

}  // namespace facteur::config
