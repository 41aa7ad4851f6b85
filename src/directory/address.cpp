#include "directory/address.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "message/idn.hpp"

namespace facteur::directory {

std::string canonical_domain(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  // What IDNA does not allow stays as it is, and is refused where a domain must be valid.
  return message::to_a_labels(domain).value_or(ascii::lower(domain));
}

std::string canonical_local(std::string_view local) { return ascii::lower(local); }

bool is_domain_name(std::string_view domain) {
  if (domain.empty() || domain.size() > 253) return false;
  std::size_t label = 0;
  for (const char c : domain) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool utf8 = static_cast<unsigned char>(c) >= 0x80;
    if (!ascii::is_alnum(c) && c != '-' && c != '_' && !utf8) return false;
    if (++label > 63) return false;
  }
  return label > 0;
}

std::optional<SplitAddress> split_address(std::string_view address) {
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return std::nullopt;
  SplitAddress out{canonical_local(address.substr(0, at)), canonical_domain(address.substr(at + 1))};
  if (!is_domain_name(out.domain)) return std::nullopt;
  const bool odd = std::ranges::any_of(out.local, [](char c) { return ascii::is_control(c) || c == ' ' || c == '@'; });
  if (odd) return std::nullopt;
  return out;
}

}  // namespace facteur::directory
