#include "pop3/content_writer.hpp"

#include <algorithm>
#include <cstring>

namespace facteur::pop3 {
namespace {

// Where the first line that begins with a dot begins, at least 1; npos: nowhere.
std::size_t find_dotted_line(Bytes text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  for (const char* at = begin; at < end;) {
    const void* found = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
    if (!found) break;
    at = static_cast<const char*>(found) + 1;
    if (at < end && *at == '.') return static_cast<std::size_t>(at - begin);
  }
  return Bytes::npos;
}

}  // namespace

void ContentWriter::start(std::vector<Bytes> pieces, std::optional<std::uint64_t> lines) {
  pieces_ = std::move(pieces);
  piece_ = offset_ = 0;
  line_start_ = true;
  ended_with_cr_ = ended_with_crlf_ = any_ = false;
  active_ = true;
  if (lines) limit_to_lines(*lines);
}

void ContentWriter::forget() {
  pieces_ = {};
  active_ = false;
}

// RFC 1939 §7 TOP: the header, the blank line, and that many lines of the body.
void ContentWriter::limit_to_lines(std::uint64_t lines) {
  bool in_header = true;
  std::size_t line_octets = 0;  // Without CR; may run over several pieces.
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Bytes piece = pieces_[i];
    for (std::size_t at = 0; at < piece.size();) {
      if (!in_header && lines == 0) {
        pieces_[i] = piece.substr(0, at);
        pieces_.resize(i + 1);
        return;
      }
      const std::size_t end = piece.find('\n', at);
      const Bytes line = piece.substr(at, end == Bytes::npos ? end : end - at);
      line_octets += line.size() - static_cast<std::size_t>(std::ranges::count(line, '\r'));
      if (end == Bytes::npos) break;
      if (!in_header) {
        --lines;
      } else if (line_octets == 0) {
        in_header = false;
      }
      line_octets = 0;
      at = end + 1;
    }
  }
}

void ContentWriter::finish(std::vector<Bytes>& out) {
  if (any_ && !ended_with_crlf_) out.emplace_back("\r\n");
  out.emplace_back(".\r\n");
  forget();
}

void ContentWriter::write(std::vector<Bytes>& out, std::size_t most_pieces, std::size_t most_octets) {
  const std::size_t start = out.size();
  std::size_t octets = 0;
  while (piece_ < pieces_.size()) {
    if (out.size() - start + 2 > most_pieces || octets >= most_octets) return;
    Bytes rest = pieces_[piece_].substr(offset_);
    if (rest.empty()) {
      ++piece_;
      offset_ = 0;
      continue;
    }
    if (line_start_ && rest.front() == '.') out.emplace_back(".");
    // Cut first, so that a portion costs only what it holds.
    rest = rest.substr(0, most_octets - octets);
    const Bytes slice = rest.substr(0, find_dotted_line(rest));
    out.push_back(slice);
    octets += slice.size();
    offset_ += slice.size();
    line_start_ = slice.back() == '\n';
    const bool cr_before = slice.size() > 1 ? slice[slice.size() - 2] == '\r' : ended_with_cr_;
    ended_with_crlf_ = line_start_ && cr_before;
    ended_with_cr_ = slice.back() == '\r';
    any_ = true;
  }
  finish(out);
}

}  // namespace facteur::pop3
