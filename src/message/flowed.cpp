#include "message/flowed.hpp"

#include <algorithm>
#include <cstddef>

namespace facteur::message {
namespace {

constexpr std::size_t widest = 76;  // RFC 3676 §4.2: 78 or fewer.

// The character at the start of `text`: how long it is, how many columns it takes, whether lines may be cut beside it.
struct Glyph {
  std::size_t length = 1;
  std::size_t columns = 1;
  bool ideograph = false;  // Of a script that puts no blanks between words.
};
Glyph glyph(std::string_view text) {
  const auto c = static_cast<unsigned char>(text.front());
  if (c < 0x80) return {};
  const std::size_t length = std::min<std::size_t>(c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4, text.size());
  // From U+2E80 on, as octets of UTF-8.
  const bool wide = length >= 3 && (c > 0xe2 || (c == 0xe2 && static_cast<unsigned char>(text[1]) >= 0xba));
  return {length, wide ? 2u : 1u, wide};
}

// Octets of the first line of a paragraph; all of it if it fits in `room` columns, or cannot be cut. A cut at a blank
// is behind it.
std::size_t cut(std::string_view text, std::size_t room, bool delsp) {
  std::size_t columns = 0;
  std::size_t best = 0;
  const auto may_cut = [&](std::size_t at) {  // Never so that a piece becomes the signature mark.
    if (text.substr(0, at) != "--" && text.substr(0, at) != "-- ") best = at;
  };
  bool ideograph = false;
  for (std::size_t at = 0; at < text.size();) {
    const Glyph one = glyph(text.substr(at));
    if (delsp && at > 0 && (ideograph || one.ideograph) && text[at] != ' ') may_cut(at);
    columns += one.columns;
    if (columns > room && best > 0) return best;
    at += one.length;
    ideograph = one.ideograph;
    if (text[at - 1] == ' ' && (at == text.size() || text[at] != ' ')) may_cut(at);
  }
  return text.size();
}

void append_paragraph(std::string& out, std::string_view line, std::size_t depth, bool delsp) {
  const std::string marks(std::min<std::size_t>(depth, 40), '>');
  // RFC 3676 §4.2: no blanks before a hard line end, but those of the signature mark.
  if (line != "-- ") line = line.substr(0, line.find_last_not_of(' ') + 1);
  do {
    const std::size_t length = cut(line, widest - marks.size() - 2, delsp);
    const bool last = length == line.size();
    const std::string_view piece = line.substr(0, length);
    out.append(marks);
    // RFC 3676 §4.4 and §4.5: a blank in front of what would be read as something else, and behind quote marks.
    const bool stuffed = piece.starts_with(' ') || piece.starts_with('>') || piece.starts_with("From ");
    if (depth > 0 || stuffed) out += ' ';
    out.append(piece);
    if (!last && delsp) out += ' ';  // The reader takes it away.
    out.append("\r\n");
    line.remove_prefix(length);
  } while (!line.empty());
}

}  // namespace

std::string flowed(std::string_view text, bool delsp) {
  std::string out;
  out.reserve(text.size() + text.size() / 16);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t depth = std::min(line.find_first_not_of('>'), line.size());
    line.remove_prefix(depth);
    if (depth > 0 && line.starts_with(' ')) line.remove_prefix(1);
    append_paragraph(out, line, depth, delsp);
  }
  return out;
}

bool wants_delsp(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Glyph one = glyph(text);
    const char c = text.front();
    columns = c == ' ' || c == '\n' ? 0 : columns + (one.ideograph ? 2 : 0);
    if (columns > widest) return true;
    text.remove_prefix(one.length);
  }
  return false;
}

std::string unflowed(std::string_view text, bool delsp) {
  std::string out;
  out.reserve(text.size() + 16);
  bool open = false;  // The line before ended softly.
  std::size_t open_depth = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // RFC 3676 §4.5: first the quote marks are counted, then one stuffed blank goes (§4.4).
    std::size_t depth = 0;
    while (depth < line.size() && line[depth] == '>') ++depth;
    line.remove_prefix(depth);
    if (line.starts_with(' ')) line.remove_prefix(1);
    // RFC 3676 §4.3: the signature mark is never part of a paragraph.
    const bool signature = line == "-- ";
    if (open && (depth != open_depth || signature)) {
      out += '\n';  // §4.5: another depth ends the paragraph, against its writer's word.
      open = false;
    }
    if (!open && depth > 0) out.append(depth, '>').append(" ");
    const bool soft = !signature && line.ends_with(' ') && !text.empty();
    if (soft && delsp) line.remove_suffix(1);
    out.append(line);
    if (!soft) out += '\n';
    open = soft;
    open_depth = depth;
  }
  return out;
}

}  // namespace facteur::message
