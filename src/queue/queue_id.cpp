#include "queue/queue.hpp"

namespace facteur::queue {

namespace {
constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";  // Without i, l, o, u: read over the phone.
constexpr int digits = 12;
}  // namespace

std::string to_string(QueueId id) {
  std::string text(digits, '0');
  auto rest = id.value;
  for (int i = digits - 1; i >= 0; --i, rest >>= 5) text[static_cast<std::size_t>(i)] = alphabet[rest & 31];
  return text;
}

std::optional<QueueId> parse_queue_id(std::string_view text) {
  if (text.size() != digits) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const auto at = alphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    value = value << 5 | at;
  }
  return QueueId(value);
}

}  // namespace facteur::queue
