#include "message/flowed.hpp"

#include <cstddef>

namespace facteur::message {

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
