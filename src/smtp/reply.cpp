#include "smtp/reply.hpp"

#include <array>
#include <charconv>

#include "base/ascii.hpp"

namespace facteur::smtp {

void write_reply(std::string& to, int code, std::string_view enhanced, std::string_view text) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), code).ptr;
  for (;;) {
    const auto line_end = text.find('\n');
    to.append(digits.data(), end);
    to += line_end == std::string_view::npos ? ' ' : '-';
    if (!enhanced.empty()) to.append(enhanced) += ' ';  // RFC 2034 §4: on each line.
    const std::size_t start = to.size();
    to += text.substr(0, line_end);
    for (std::size_t i = start; i < to.size(); ++i) {
      if (!ascii::is_printable(to[i])) to[i] = '?';
    }
    to += "\r\n";
    if (line_end == std::string_view::npos) return;
    text.remove_prefix(line_end + 1);
  }
}

Reply to_reply(const Failure& failure, std::string_view temporary, std::string_view permanent) {
  const bool later = failure.temporary() || failure.kind == Failure::Kind::corrupt;
  return Reply{.code = later ? 451 : 554,
               .enhanced = std::string(later ? temporary : permanent),
               .text = failure.text.empty() ? "This cannot be processed now" : failure.text};
}

}  // namespace facteur::smtp
