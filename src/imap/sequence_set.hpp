// Sequence sets (RFC 9051 §9 sequence-set): "1,3:5,*", numbers or UIDs, and "$" for the saved result (SEARCHRES).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::imap {

// Numbers first..last, both inside. In an unresolved set UINT32_MAX + "star" is written as `star`.
struct NumberRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

struct SequenceSet {
  static constexpr std::uint32_t star = 0;  // "*": 0 is no number of a set (nz-number), so it is free.

  std::vector<NumberRange> ranges;  // As written; either end may be `star`, and first may be above last.
  bool saved = false;               // "$" (RFC 9051 §6.4.4.1): the result of the last SEARCH RETURN (SAVE).

  friend bool operator==(const SequenceSet&, const SequenceSet&) = default;
};

// All of `text` must be a set; nullopt otherwise.
std::optional<SequenceSet> parse_sequence_set(Bytes text);

// Ascending, disjoint, not touching ranges with `star` replaced by `highest`; ranges the wrong way round are turned
// (RFC 9051 §9: "2:4 and 4:2 are equivalent"). With highest 0 (an empty mailbox) `star` means nothing.
// Cost: n log n of the written ranges, whatever numbers they span.
std::vector<NumberRange> resolve(const SequenceSet& set, std::uint32_t highest);

// "1:3,7" of ascending numbers or of ascending ranges; empty for none.
std::string to_set_text(const std::vector<std::uint32_t>& ascending);
std::string to_set_text(const std::vector<NumberRange>& ascending);

// Joins neighbours of ascending numbers.
std::vector<NumberRange> to_ranges(const std::vector<std::uint32_t>& ascending);

bool contains(const std::vector<NumberRange>& ascending, std::uint32_t number);

}  // namespace facteur::imap
