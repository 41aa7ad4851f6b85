// Finding text without regard to case, as SEARCH does (RFC 9051 §6.4.4: case-insensitive substring).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::imap {

// UTF-8 with letters in one case: ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic. Other characters stay; what is
// not UTF-8 stays too.
std::string folded(Bytes text);

// A folded text to be looked for; linear in what it looks through, whatever both contain (Knuth, Morris, Pratt).
class Needle {
 public:
  explicit Needle(Bytes text);
  bool empty() const { return text_.empty(); }
  bool one_line() const { return text_.find('\n') == std::string::npos; }
  bool in(Bytes haystack) const;  // Folds it on the way.

 private:
  std::optional<bool> quick(Bytes haystack) const;

  std::string text_;
  [[maybe_unused]] bool ascii_;
  std::vector<std::uint32_t> fallback_;
};

}  // namespace facteur::imap
