#include "base/ip_address.hpp"

#include <algorithm>
#include <charconv>

#include "base/ascii.hpp"

namespace facteur {
namespace {

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> octets{};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot == 0 || dot > 3) return std::nullopt;
    const auto part = text.substr(0, dot);
    if (part.size() > 1 && part.front() == '0') return std::nullopt;
    const auto value = ascii::number<unsigned>(part);
    if (!value || *value > 255) return std::nullopt;
    octets[i] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return octets;
}

std::optional<std::uint16_t> parse_group(std::string_view text) {
  if (text.empty() || text.size() > 4 || !std::ranges::all_of(text, ascii::is_hex)) return std::nullopt;
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return static_cast<std::uint16_t>(value);
}

// Parses "a:b:c" into 16-bit groups; the last may be dotted IPv4 if `tail` says so. False on any error.
bool parse_groups(std::string_view text, bool tail, std::array<std::uint16_t, 8>& groups, std::size_t& count) {
  count = 0;
  if (text.empty()) return true;
  for (;;) {
    const auto colon = text.find(':');
    const auto part = text.substr(0, colon);
    if (tail && colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(part);
      if (!v4 || count > 6) return false;
      groups[count++] = static_cast<std::uint16_t>((*v4)[0] << 8 | (*v4)[1]);
      groups[count++] = static_cast<std::uint16_t>((*v4)[2] << 8 | (*v4)[3]);
      return true;
    }
    const auto group = parse_group(part);
    if (!group || count == 8) return false;
    groups[count++] = *group;
    if (colon == std::string_view::npos) return true;
    text.remove_prefix(colon + 1);
  }
}

}  // namespace

IpAddress IpAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  IpAddress address;
  address.octets[0] = a;
  address.octets[1] = b;
  address.octets[2] = c;
  address.octets[3] = d;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 45) return std::nullopt;
  if (text.find(':') == std::string_view::npos) {
    const auto v4 = parse_v4(text);
    if (!v4) return std::nullopt;
    return IpAddress::v4((*v4)[0], (*v4)[1], (*v4)[2], (*v4)[3]);
  }
  std::array<std::uint16_t, 8> head{};
  std::array<std::uint16_t, 8> tail{};
  std::size_t heads = 0;
  std::size_t tails = 0;
  const auto gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, true, head, heads) || heads != 8) return std::nullopt;
  } else {
    if (!parse_groups(text.substr(0, gap), false, head, heads)) return std::nullopt;
    if (!parse_groups(text.substr(gap + 2), true, tail, tails)) return std::nullopt;
    if (heads + tails > 7) return std::nullopt;
    std::copy_n(tail.begin(), tails, head.end() - static_cast<std::ptrdiff_t>(tails));
  }
  IpAddress address;
  address.v6 = true;
  for (std::size_t i = 0; i < 8; ++i) {
    address.octets[2 * i] = static_cast<std::uint8_t>(head[i] >> 8);
    address.octets[2 * i + 1] = static_cast<std::uint8_t>(head[i] & 0xff);
  }
  return address;
}

bool IpAddress::is_loopback() const {
  if (!v6) return octets[0] == 127;
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), octets.begin())) return octets[12] == 127;
  return std::all_of(octets.begin(), octets.end() - 1, [](std::uint8_t o) { return o == 0; }) && octets[15] == 1;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto port = ascii::number<std::uint16_t>(text.substr(colon + 1));
  if (!address || !port || address->v6 != bracketed) return std::nullopt;
  return Endpoint{*address, *port};
}

std::string to_string(const IpAddress& address) {
  const auto& o = address.octets;
  const auto v4 = [&o](std::size_t at) {
    return std::to_string(o[at]) + '.' + std::to_string(o[at + 1]) + '.' + std::to_string(o[at + 2]) + '.' +
           std::to_string(o[at + 3]);
  };
  if (!address.v6) return v4(0);

  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(o[2 * i] << 8 | o[2 * i + 1]);
  // RFC 5952 §5: IPv4-mapped addresses are shown with dots.
  if (std::all_of(groups.begin(), groups.begin() + 5, [](unsigned g) { return g == 0; }) && groups[5] == 0xffff) {
    return "::ffff:" + v4(12);
  }
  // RFC 5952 §4.2: the longest run of two or more zero groups becomes "::", the first of equals.
  std::size_t best = 8;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) best = i, best_length = length;
  }
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    char digits[8];
    const auto end = std::to_chars(digits, digits + sizeof digits, groups[i], 16).ptr;
    out.append(digits, end);
  }
  return out;
}

std::string to_string(const Endpoint& endpoint) {
  const auto host = to_string(endpoint.address);
  return (endpoint.address.v6 ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port);
}

std::string to_address_literal(const IpAddress& address) {
  return address.v6 ? "[IPv6:" + to_string(address) + "]" : "[" + to_string(address) + "]";
}

}  // namespace facteur
