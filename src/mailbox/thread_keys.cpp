#include "mailbox/thread_keys.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_header = 64 * 1024;
constexpr std::size_t most_keys = 16;

// FNV-1a, then the finalizer of SplitMix64 so that all bits of the key count. Who makes two ids collide only joins two
// threads of one account.
std::uint64_t hash(Bytes id) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (const char c : id) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

// RFC 5322 §3.6.4: ids stand in angle brackets; folding inside them is obsolete syntax and not undone.
void add_ids(Bytes value, std::vector<std::uint64_t>& to) {
  while (true) {
    const auto open = value.find('<');
    if (open == Bytes::npos) return;
    value.remove_prefix(open + 1);
    const auto close = value.find('>');
    if (close == Bytes::npos) return;
    if (close > 0) to.push_back(hash(value.substr(0, close)));
    value.remove_prefix(close + 1);
  }
}

}  // namespace

std::vector<std::uint64_t> thread_keys(Bytes message) {
  std::vector<std::uint64_t> own, parents, references;
  Bytes rest = message.substr(0, most_header);
  while (!rest.empty() && rest.front() != '\r' && rest.front() != '\n') {
    // One field: up to a line end that no folding follows (RFC 5322 §2.2.3).
    std::size_t end = 0;
    do {
      end = rest.find('\n', end);
      end = end == Bytes::npos ? rest.size() : end + 1;
    } while (end < rest.size() && ascii::is_space(rest[end]));
    const Bytes field = rest.substr(0, end);
    rest.remove_prefix(end);
    const auto colon = field.find(':');
    if (colon == Bytes::npos) continue;
    const Bytes name = ascii::trimmed(field.substr(0, colon));
    const Bytes value = field.substr(colon + 1);
    if (ascii::equal_ignoring_case(name, "Message-ID")) add_ids(value, own);
    if (ascii::equal_ignoring_case(name, "In-Reply-To")) add_ids(value, parents);
    if (ascii::equal_ignoring_case(name, "References")) add_ids(value, references);
  }
  std::vector<std::uint64_t> keys;
  const auto add = [&keys](std::uint64_t key) {
    if (keys.size() < most_keys && std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  };
  for (const auto key : own) add(key);
  for (const auto key : parents) add(key);
  for (auto key = references.rbegin(); key != references.rend(); ++key) add(*key);  // The nearest ancestors last.
  return keys;
}

}  // namespace facteur::mailbox
