#include "mailbox/paths.hpp"

#include <cstdint>

#include "base/ascii.hpp"
#include "mailbox/mailboxes.hpp"

namespace facteur::mailbox {
namespace {

// The length of the UTF-8 sequence at the start of `text` (RFC 3629 §4), 0 if there is none.
std::size_t sequence(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = octet(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && octet(1) < 0xa0) return 0;  // Overlong.
  if (first == 0xed && octet(1) > 0x9f) return 0;  // Surrogates.
  if (first == 0xf0 && octet(1) < 0x90) return 0;  // Overlong.
  if (first == 0xf4 && octet(1) > 0x8f) return 0;  // Above U+10FFFF.
  return length;
}

bool is_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence(text);
    if (length == 0 || ascii::is_control(text[0])) return false;
    // C1 controls, U+0080 to U+009F; U+2028 and U+2029 (RFC 5198 §2 and RFC 9051 §5.1: no control characters).
    if (length == 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0) return false;
    if (text.starts_with("\xe2\x80\xa8") || text.starts_with("\xe2\x80\xa9")) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::unexpected<Failure> bad(const char* why) { return failure(Failure::Kind::permanent, bad_mailbox_name, why); }

}  // namespace

std::vector<std::string_view> levels(std::string_view path) {
  std::vector<std::string_view> result;
  for (;;) {
    const auto slash = path.find('/');
    result.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return result;
    path.remove_prefix(slash + 1);
  }
}

std::string fold(std::string_view name) { return ascii::lower(name); }

Result<std::string> checked_path(std::string_view path) {
  if (path.size() > max_path_octets) return bad("The mailbox name is too long");
  if (!is_text(path)) return bad("The mailbox name contains characters that are not allowed");
  const auto parts = levels(path);
  if (parts.size() > max_depth) return bad("The mailbox name has too many levels");
  for (const std::string_view part : parts) {
    if (part.empty()) return bad("The mailbox name has an empty level");
  }
  std::string stored(path);
  // RFC 9051 §5.1: INBOX is INBOX in any case.
  if (ascii::equal_ignoring_case(parts.front(), "INBOX")) stored.replace(0, 5, "INBOX");
  return stored;
}

}  // namespace facteur::mailbox
