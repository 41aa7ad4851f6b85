#include "dns/rdata.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace facteur::dns {

std::optional<std::string> read_name(Bytes octets) {
  std::string name;
  for (;;) {
    if (octets.empty()) return std::nullopt;
    const auto length = static_cast<unsigned char>(octets[0]);
    octets.remove_prefix(1);
    if (length == 0) return ascii::lower(name);
    // RFC 1035 §2.3.4: 63 octets are the longest label; 192 and more would be a compressed name.
    if (length > 63 || octets.size() < length) return std::nullopt;
    const Bytes label = octets.substr(0, length);
    if (!std::ranges::all_of(label, [](char c) { return ascii::is_printable(c) && c != ' ' && c != '.'; })) {
      return std::nullopt;
    }
    if (!name.empty()) name += '.';
    name += label;
    // RFC 1035 §2.3.4: 255 octets with the lengths, so 253 as text.
    if (name.size() > 253) return std::nullopt;
    octets.remove_prefix(length);
  }
}

std::optional<Mx> read_mx(Bytes octets) {
  if (octets.size() < 3) return std::nullopt;
  auto host = read_name(octets.substr(2));
  if (!host) return std::nullopt;
  const unsigned preference =
      static_cast<unsigned>(static_cast<unsigned char>(octets[0])) << 8 | static_cast<unsigned char>(octets[1]);
  return Mx{static_cast<std::uint16_t>(preference), std::move(*host)};
}

std::optional<IpAddress> read_address(Bytes octets) {
  IpAddress address;
  address.v6 = octets.size() == 16;
  if (octets.size() != 4 && octets.size() != 16) return std::nullopt;
  for (std::size_t i = 0; i < octets.size(); ++i) address.octets[i] = static_cast<std::uint8_t>(octets[i]);
  return address;
}

std::string read_text(Bytes octets) {
  std::string text;
  while (!octets.empty()) {
    const auto length = std::min<std::size_t>(static_cast<unsigned char>(octets[0]), octets.size() - 1);
    text += octets.substr(1, length);
    octets.remove_prefix(1 + length);
  }
  return text;
}

std::optional<Tlsa> read_tlsa(Bytes octets) {
  if (octets.size() < 4) return std::nullopt;
  const auto at = [octets](std::size_t i) { return static_cast<std::uint8_t>(octets[i]); };
  return Tlsa{at(0), at(1), at(2), std::string(octets.substr(3))};
}

std::string reverse_name(const IpAddress& address) {
  std::string name;
  if (!address.v6) {
    for (int i = 3; i >= 0; --i) name += std::to_string(address.octets[static_cast<std::size_t>(i)]) + ".";
    return name + "in-addr.arpa";
  }
  constexpr std::string_view digits = "0123456789abcdef";
  for (int i = 15; i >= 0; --i) {
    const auto octet = address.octets[static_cast<std::size_t>(i)];
    for (const auto nibble : {octet & 15, octet >> 4}) {
      name += digits[static_cast<std::size_t>(nibble)];
      name += '.';
    }
  }
  return name + "ip6.arpa";
}

}  // namespace facteur::dns
