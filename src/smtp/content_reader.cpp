// Sixty-four octets at a time are turned into bit masks of CR, LF, NUL and '.'; only blocks with a dot at the start of
// a line, or with a fault, are looked at octet by octet.
#include "smtp/content_reader.hpp"

#include <array>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace facteur::smtp {
namespace {

constexpr std::size_t block = 64;

struct Masks {
  std::uint64_t cr = 0, lf = 0, nul = 0, dot = 0;
};

#if defined(__SSE2__)
std::uint64_t equal_mask(const std::array<__m128i, 4>& octets, char c) {
  const __m128i wanted = _mm_set1_epi8(c);
  std::uint64_t mask = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto bits = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(octets[i], wanted)));
    mask |= static_cast<std::uint64_t>(bits) << (16 * i);
  }
  return mask;
}

Masks masks_of(const char* at) {
  std::array<__m128i, 4> octets;
  for (std::size_t i = 0; i < 4; ++i) octets[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * i));
  return {equal_mask(octets, '\r'), equal_mask(octets, '\n'), equal_mask(octets, '\0'), equal_mask(octets, '.')};
}
#else
Masks masks_of(const char* at) {
  Masks masks;
  for (std::size_t i = 0; i < block; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    if (at[i] == '\r') masks.cr |= bit;
    if (at[i] == '\n') masks.lf |= bit;
    if (at[i] == '\0') masks.nul |= bit;
    if (at[i] == '.') masks.dot |= bit;
  }
  return masks;
}
#endif

}  // namespace

// How far one call has come. Content is moved down only once a dot has been removed.
struct ContentReader::Progress {
  Room octets;
  std::size_t at = 0;   // Next octet to look at.
  std::size_t run = 0;  // Start of the content not yet moved.
  std::size_t out = 0;  // Where it goes.
  bool ended = false;
  Fault fault = Fault::none;

  void take(std::size_t to) {  // [run, to) is content.
    if (out != run) std::memmove(octets.data() + out, octets.data() + run, to - run);
    out += to - run;
    run = to;
  }
  bool over() const { return ended || fault != Fault::none; }
};

ContentReader::Piece ContentReader::read(Room octets) { return scan<true>(octets); }
ContentReader::Piece ContentReader::read_chunk(Room octets) { return scan<false>(octets); }

template <bool dots>
ContentReader::Piece ContentReader::scan(Room octets) {
  Progress progress{.octets = octets};
  while (progress.at < octets.size() && !progress.over()) {
    const std::size_t left = octets.size() - progress.at;
    if (left >= block && quickly<dots>(progress)) continue;
    slowly<dots>(progress, progress.at + (left < block ? left : block));
  }
  if (!progress.ended) progress.take(progress.at);
  return {.consumed = progress.at, .length = progress.out, .ended = progress.ended, .fault = progress.fault};
}

// One block with nothing special in it; false if it must be looked at closely.
template <bool dots>
bool ContentReader::quickly(Progress& progress) {
  if (at_ == At::after_dot || at_ == At::after_dot_cr) return false;
  const Masks masks = masks_of(progress.octets.data() + progress.at);
  const std::uint64_t cr_before = at_ == At::after_cr ? 1 : 0;
  const std::uint64_t lf_before = at_ == At::line_start ? 1 : 0;
  // RFC 5321 §2.3.8: CR and LF only together: each LF behind a CR, behind each CR a LF.
  if ((masks.lf ^ (masks.cr << 1 | cr_before)) != 0 || masks.nul != 0) return false;
  if (dots && (masks.dot & (masks.lf << 1 | lf_before)) != 0) return false;
  progress.at += block;
  at_ = masks.cr >> 63 != 0 ? At::after_cr : masks.lf >> 63 != 0 ? At::line_start : At::in_line;
  return true;
}

template <bool dots>
void ContentReader::slowly(Progress& progress, std::size_t to) {
  for (; progress.at < to; ++progress.at) {
    const char c = progress.octets[progress.at];
    if (at_ == At::after_cr || at_ == At::after_dot_cr) {
      if (c != '\n') {
        progress.fault = Fault::bare_cr;
        return;
      }
      // RFC 5321 §4.1.1.4: CRLF "." CRLF and nothing else ends the message.
      progress.ended = at_ == At::after_dot_cr;
      at_ = At::line_start;
      if (progress.ended) {
        ++progress.at;
        return;
      }
      continue;
    }
    if (dots && at_ == At::line_start && c == '.') {  // RFC 5321 §4.5.2: the first dot of a line is not content.
      progress.take(progress.at);
      progress.run = progress.at + 1;
      at_ = At::after_dot;
      continue;
    }
    if (c == '\r') {
      if (at_ == At::after_dot) progress.run = progress.at + 1;  // Belongs to the end, or to a fault.
      at_ = at_ == At::after_dot ? At::after_dot_cr : At::after_cr;
      continue;
    }
    if (c == '\n' || c == '\0') {
      progress.fault = c == '\n' ? Fault::bare_lf : Fault::nul;
      return;
    }
    at_ = At::in_line;
  }
}

ContentReader::Fault find_bare_line_end(std::span<const Bytes> pieces) {
  std::uint64_t cr_before = 0;
  for (const Bytes piece : pieces) {
    std::size_t at = 0;
    for (; at + block <= piece.size(); at += block) {
      const Masks masks = masks_of(piece.data() + at);
      const std::uint64_t expected = masks.cr << 1 | cr_before;
      if (masks.lf != expected) {
        const std::uint64_t first = (masks.lf ^ expected) & (~(masks.lf ^ expected) + 1);
        return (masks.lf & first) != 0 ? ContentReader::Fault::bare_lf : ContentReader::Fault::bare_cr;
      }
      cr_before = masks.cr >> 63;
    }
    for (; at < piece.size(); ++at) {
      if ((piece[at] == '\n') != (cr_before != 0)) {
        return piece[at] == '\n' ? ContentReader::Fault::bare_lf : ContentReader::Fault::bare_cr;
      }
      cr_before = piece[at] == '\r' ? 1 : 0;
    }
  }
  return cr_before != 0 ? ContentReader::Fault::bare_cr : ContentReader::Fault::none;
}

}  // namespace facteur::smtp
