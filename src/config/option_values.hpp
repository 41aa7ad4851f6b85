// One function per type of option: how a member is written as TOML and set from it. Used by describe.cpp only.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/describe.hpp"

namespace facteur::config {

// What every option says of itself.
struct About {
  std::string_view name;
  std::string_view sentence;
  std::string_view rfc = {};
  bool required = false;
};

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::int64_t>::max();
};

Option text(About about, std::string& member);
Option name_of_host(About about, std::string& member);  // A domain name, made lower case.
Option names_of_hosts(About about, std::vector<std::string>& member);
Option mail_address(About about, std::string& member);
Option texts(About about, std::vector<std::string>& member);
Option flag(About about, bool& member);
Option number(About about, std::uint64_t& member, Range range);
Option port(About about, std::uint16_t& member);
Option size(About about, std::uint64_t& member, Range range);
Option duration(About about, Duration& member, Duration least, Duration most);
Option durations(About about, std::vector<Duration>& member);
Option ip_address(About about, IpAddress& member);
Option ip_address(About about, std::optional<IpAddress>& member);
Option endpoint(About about, std::optional<Endpoint>& member);
Option endpoints(About about, std::vector<Endpoint>& member);

// `names[i]` is the enumerator of value i.
Option choice_of(About about, std::span<const std::string_view> names, std::function<std::size_t()> get,
                 std::function<void(std::size_t)> set);
template <class Enum>
Option choice(About about, std::span<const std::string_view> names, Enum& member) {
  return choice_of(
      about, names, [&member] { return static_cast<std::size_t>(member); },
      [&member](std::size_t index) { member = static_cast<Enum>(index); });
}

std::string quoted(std::string_view text);    // As a TOML basic string.
bool is_host_name(std::string_view text);     // RFC 1123 §2.1, at most 253 octets; U-labels are not taken.
bool is_mail_address(std::string_view text);  // local@host, without quoted parts.

}  // namespace facteur::config
