#include "imap/sequence_set.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace facteur::imap {
namespace {

// seq-number: nz-number / "*".
std::optional<std::uint32_t> parse_number(Bytes& rest) {
  if (rest.starts_with('*')) {
    rest.remove_prefix(1);
    return SequenceSet::star;
  }
  std::size_t digits = 0;
  while (digits < rest.size() && ascii::is_digit(rest[digits])) ++digits;
  // RFC 9051 §9 nz-number: no leading zero, so that no number is written in two ways.
  if (digits == 0 || rest[0] == '0') return std::nullopt;
  const auto value = ascii::number<std::uint32_t>(rest.substr(0, digits));
  rest.remove_prefix(digits);
  return value;
}

}  // namespace

std::optional<SequenceSet> parse_sequence_set(Bytes text) {
  SequenceSet set;
  if (text == "$") {
    set.saved = true;
    return set;
  }
  while (true) {
    const auto first = parse_number(text);
    if (!first) return std::nullopt;
    auto last = first;
    if (text.starts_with(':')) {
      text.remove_prefix(1);
      last = parse_number(text);
      if (!last) return std::nullopt;
    }
    set.ranges.push_back({*first, *last});
    if (text.empty()) return set;
    if (text.front() != ',') return std::nullopt;
    text.remove_prefix(1);
  }
}

std::vector<NumberRange> resolve(const SequenceSet& set, std::uint32_t highest) {
  std::vector<NumberRange> ranges;
  ranges.reserve(set.ranges.size());
  for (auto range : set.ranges) {
    if (highest == 0 && (range.first == SequenceSet::star || range.last == SequenceSet::star)) continue;
    if (range.first == SequenceSet::star) range.first = highest;
    if (range.last == SequenceSet::star) range.last = highest;
    if (range.first > range.last) std::swap(range.first, range.last);
    ranges.push_back(range);
  }
  std::ranges::sort(ranges, {}, &NumberRange::first);
  std::vector<NumberRange> merged;
  for (const auto& range : ranges) {
    if (!merged.empty() && (merged.back().last == UINT32_MAX || range.first <= merged.back().last + 1)) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<NumberRange> to_ranges(const std::vector<std::uint32_t>& ascending) {
  std::vector<NumberRange> ranges;
  for (const auto number : ascending) {
    if (!ranges.empty() && ranges.back().last + 1 == number) {
      ranges.back().last = number;
    } else {
      ranges.push_back({number, number});
    }
  }
  return ranges;
}

std::string to_set_text(const std::vector<std::uint32_t>& ascending) { return to_set_text(to_ranges(ascending)); }

std::string to_set_text(const std::vector<NumberRange>& ascending) {
  std::string text;
  for (const auto& range : ascending) {
    if (!text.empty()) text += ',';
    text += std::to_string(range.first);
    if (range.last != range.first) text += ':' + std::to_string(range.last);
  }
  return text;
}

bool contains(const std::vector<NumberRange>& ascending, std::uint32_t number) {
  const auto behind = std::ranges::upper_bound(ascending, number, {}, &NumberRange::first);
  return behind != ascending.begin() && std::prev(behind)->last >= number;
}

}  // namespace facteur::imap
