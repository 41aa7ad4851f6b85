#include "smtp/reply.hpp"

#include <array>
#include <charconv>

#include "base/ascii.hpp"

namespace facteur::smtp {

void write_reply(std::string& to, const Reply& reply) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), reply.code).ptr;
  const std::string_view code(digits.data(), end);
  std::string_view rest = reply.text;
  for (;;) {
    const auto line_end = rest.find('\n');
    to += code;
    to += line_end == std::string_view::npos ? ' ' : '-';
    if (!reply.enhanced.empty()) {  // RFC 2034 §4: on each line.
      to += reply.enhanced;
      to += ' ';
    }
    for (const char c : rest.substr(0, line_end)) to += ascii::is_printable(c) ? c : '?';
    to += "\r\n";
    if (line_end == std::string_view::npos) return;
    rest.remove_prefix(line_end + 1);
  }
}

Reply to_reply(const Failure& failure, std::string_view temporary, std::string_view permanent) {
  const bool later = failure.temporary() || failure.kind == Failure::Kind::corrupt;
  return Reply{.code = later ? 451 : 554,
               .enhanced = std::string(later ? temporary : permanent),
               .text = failure.text.empty() ? "This cannot be processed now" : failure.text};
}

}  // namespace facteur::smtp
