// IPv4 and IPv6 addresses and endpoints as values; parsing and printing without the operating system.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace facteur {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> octets{};  // IPv4 uses the first four; the rest stay zero.

  static IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
  static IpAddress loopback() { return v4(127, 0, 0, 1); }

  // "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no brackets, no zone, no octal; nullopt for anything else.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_loopback() const;  // 127.0.0.0/8, ::1 and IPv4-mapped loopback.
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "192.0.2.1:25", "[2001:db8::1]:25".
  static std::optional<Endpoint> parse(std::string_view text);
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

std::string to_string(const IpAddress& address);  // IPv6 as RFC 5952 §4 says.
std::string to_string(const Endpoint& endpoint);

// RFC 5321 §4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]".
std::string to_address_literal(const IpAddress& address);

}  // namespace facteur
