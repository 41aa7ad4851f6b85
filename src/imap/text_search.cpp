#include "imap/text_search.hpp"

#include <algorithm>
#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace facteur::imap {
namespace {

bool is_lead_of_two(unsigned char c) { return c >= 0xc2 && c <= 0xdf; }
bool is_follower(unsigned char c) { return (c & 0xc0) == 0x80; }

// Lower case of a character of two octets in UTF-8 (U+0080 to U+07FF).
std::uint32_t lower_of(std::uint32_t c) {
  if (c >= 0xc0 && c <= 0xde && c != 0xd7) return c + 32;
  if (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) return c | 1;
  if (c >= 0x139 && c <= 0x148) return c % 2 == 1 ? c + 1 : c;
  if (c >= 0x14a && c <= 0x177) return c | 1;
  if (c == 0x178) return 0xff;
  if (c >= 0x179 && c <= 0x17e) return c % 2 == 1 ? c + 1 : c;
  if (c == 0x386) return 0x3ac;
  if (c >= 0x388 && c <= 0x38a) return c + 37;
  if (c == 0x38c) return 0x3cc;
  if (c == 0x38e || c == 0x38f) return c + 63;
  if (c >= 0x391 && c <= 0x3ab && c != 0x3a2) return c + 32;
  if (c == 0x3c2) return 0x3c3;  // Final sigma.
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  if (c >= 0x410 && c <= 0x42f) return c + 32;
  return c;
}

// Gives the folded octets of `text` one by one to `take` until it returns false.
template <class Take>
void fold(Bytes text, const Take& take) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      if (!take(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c))) return;
    } else if (is_lead_of_two(c) && i + 1 < text.size() && is_follower(static_cast<unsigned char>(text[i + 1]))) {
      const auto lower = lower_of((c & 0x1fU) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3fU));
      if (!take(static_cast<char>(0xc0 | lower >> 6)) || !take(static_cast<char>(0x80 | (lower & 0x3f)))) return;
    } else {
      if (!take(text[i])) return;
    }
  }
}

}  // namespace

std::string folded(Bytes text) {
  std::string out;
  out.reserve(text.size());
  fold(text, [&out](char c) {
    out += c;
    return true;
  });
  return out;
}

Needle::Needle(Bytes text)
    : text_(folded(text)),
      ascii_(std::ranges::all_of(text_, [](char c) { return static_cast<unsigned char>(c) < 0x80; })),
      fallback_(text_.size() + 1, 0) {
  for (std::size_t i = 1, matched = 0; i < text_.size(); ++i) {
    while (matched > 0 && text_[i] != text_[matched]) matched = fallback_[matched];
    if (text_[i] == text_[matched]) ++matched;
    fallback_[i + 1] = static_cast<std::uint32_t>(matched);
  }
}

#if defined(__SSE2__)
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

// Sixteen places at once: where the first and the last character of the text may stand, it is compared. Nothing but an
// ASCII letter folds to one. nullopt: so many places look alike that the other way is better (its time is linear).
std::optional<bool> Needle::quick(Bytes haystack) const {
  const std::size_t length = text_.size();
  if (haystack.size() < length) return false;
  const std::size_t places = haystack.size() - length + 1;
  const auto all = [](char c) { return _mm_set1_epi8(static_cast<char>(c | 0x20)); };
  const __m128i first = all(text_.front()), last = all(text_.back()), bit = _mm_set1_epi8(0x20);
  std::size_t work = 2 * haystack.size() + 256;
  const auto fits = [&](std::size_t at) {
    std::size_t i = 0;
    while (i < length && lower(haystack[at + i]) == text_[i]) ++i;
    work -= std::min(work, i + 1);
    return i == length;
  };
  const auto masked = [&](std::size_t at, const __m128i& wanted) {
    const auto octets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(haystack.data() + at));
    return _mm_cmpeq_epi8(_mm_or_si128(octets, bit), wanted);
  };
  std::size_t at = 0;
  for (; at + 16 <= places && work > 0; at += 16) {
    const auto both = _mm_and_si128(masked(at, first), masked(at + length - 1, last));
    for (auto mask = static_cast<unsigned>(_mm_movemask_epi8(both)); mask != 0; mask &= mask - 1) {
      if (fits(at + static_cast<std::size_t>(std::countr_zero(mask)))) return true;
    }
  }
  for (; at < places && work > 0; ++at) {
    if (fits(at)) return true;
  }
  if (work == 0) return std::nullopt;
  return false;
}
#endif

bool Needle::in(Bytes haystack) const {
  if (text_.empty()) return true;
#if defined(__SSE2__)
  if (ascii_) {
    if (const auto found = quick(haystack)) return *found;
  }
#endif
  std::size_t matched = 0;
  fold(haystack, [&](char c) {
    while (matched > 0 && c != text_[matched]) matched = fallback_[matched];
    if (c == text_[matched]) ++matched;
    return matched < text_.size();
  });
  return matched == text_.size();
}

}  // namespace facteur::imap
