#include "sim/resolver.hpp"

#include <algorithm>
#include <sstream>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "base/base64.hpp"

namespace facteur::sim {

namespace {

std::string canonical(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return ascii::lower(name);
}

}  // namespace

void Zone::add(std::string_view text) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const auto useful = ascii::trimmed(std::string_view(line).substr(0, line.find('#')));
    if (useful.empty()) continue;
    std::istringstream words{std::string(useful)};
    std::string name, type, value;
    words >> name >> type;
    std::getline(words, value);
    CHECK_OR_BUG(!type.empty());
    lines_.emplace(canonical(name), Line{ascii::upper(type), std::string(ascii::trimmed(value))});
  }
}

void Zone::replace(std::string_view text) {
  lines_.clear();
  add(text);
}

void Zone::erase(std::string_view name) { lines_.erase(canonical(name)); }

Task<Result<Resolver::Found>> Resolver::look_up(std::string name, std::vector<std::string> types, Instant deadline) {
  ++queries_;
  using enum Zone::Weather;
  auto weather = zone_.weather_;
  if (weather == mixed) weather = chance_.happens(300) ? servfail : chance_.happens(300) ? timeout : fair;
  Found found;
  name = canonical(name);
  for (int links = 0; weather == fair && links < 8; ++links) {
    const auto [first, last] = zone_.lines_.equal_range(name);
    const auto has = [first, last](std::string_view type) {
      return std::any_of(first, last, [type](const auto& line) { return line.second.type == type; });
    };
    if (has("SERVFAIL")) weather = servfail;
    if (has("TIMEOUT")) weather = timeout;
    found.secure = has("SECURE");
    const auto below = "." + name;
    found.name_exists = first != last || std::ranges::any_of(zone_.lines_, [&below](const auto& line) {
                          return line.first.ends_with(below);
                        });
    const auto alias =
        std::find_if(first, last, [](const auto& line) { return line.second.type == std::string_view("CNAME"); });
    if (alias == last) {
      for (auto line = first; line != last; ++line) {
        if (std::ranges::find(types, line->second.type) == types.end()) continue;
        found.values.push_back(line->second.value);
        found.types.push_back(line->second.type);
      }
      break;
    }
    name = canonical(alias->second.value);
  }
  found.ttl_s = 300;
  const Instant ends = clock_.now() + Duration(static_cast<Duration::rep>(chance_.between(50'000, 50'000'000)));
  co_await clock_.sleep_until(weather == timeout ? deadline : std::min(ends, deadline));
  if (weather == timeout || ends > deadline) {
    co_return failure(Failure::Kind::timed_out, "F-1218", "DNS does not answer", "simulated time-out: " + name);
  }
  if (weather == servfail) {
    co_return failure(Failure::Kind::temporary, "F-1219", "DNS lookup failed", "simulated SERVFAIL: " + name);
  }
  co_return found;
}

Task<Result<dns::MxAnswer>> Resolver::mx(std::string domain, Instant deadline) {
  std::vector<std::string> types{"MX"};
  auto found = co_await look_up(std::move(domain), std::move(types), deadline);
  if (!found) co_return failed(found);
  dns::MxAnswer answer{*found, {}};
  for (const auto& value : found->values) {
    const auto space = value.find(' ');
    const auto preference = ascii::number<std::uint16_t>(std::string_view(value).substr(0, space));
    CHECK_OR_BUG(preference && space != std::string::npos);
    answer.records.push_back({*preference, canonical(ascii::trimmed(std::string_view(value).substr(space)))});
  }
  co_return answer;
}

Task<Result<dns::AddressAnswer>> Resolver::addresses(std::string host, Instant deadline) {
  std::vector<std::string> types{"A", "AAAA"};
  auto found = co_await look_up(std::move(host), std::move(types), deadline);
  if (!found) co_return failed(found);
  dns::AddressAnswer answer{*found, {}};
  for (const auto& value : found->values) {
    const auto address = IpAddress::parse(value);
    CHECK_OR_BUG(address);
    answer.addresses.push_back(*address);
  }
  co_return answer;
}

Task<Result<dns::TextAnswer>> Resolver::text(std::string name, Instant deadline) {
  std::vector<std::string> types{"TXT"};
  auto found = co_await look_up(std::move(name), std::move(types), deadline);
  if (!found) co_return failed(found);
  co_return dns::TextAnswer{*found, std::move(found->values)};
}

Task<Result<dns::NameAnswer>> Resolver::pointers(IpAddress address, Instant deadline) {
  std::vector<std::string> types{"PTR"};
  auto found = co_await look_up(to_string(address), std::move(types), deadline);
  if (!found) co_return failed(found);
  dns::NameAnswer answer{*found, {}};
  for (const auto& value : found->values) answer.names.push_back(canonical(value));
  co_return answer;
}

Task<Result<dns::TlsaAnswer>> Resolver::tlsa(std::string name, Instant deadline) {
  std::vector<std::string> types{"TLSA"};
  auto found = co_await look_up(std::move(name), std::move(types), deadline);
  if (!found) co_return failed(found);
  dns::TlsaAnswer answer{*found, {}};
  for (const auto& value : found->values) {
    std::istringstream words(value);
    unsigned usage = 0, selector = 0, matching = 0;
    std::string digits;
    words >> usage >> selector >> matching >> digits;
    const auto octets = from_hex(digits);
    CHECK_OR_BUG(octets);
    answer.records.push_back({static_cast<std::uint8_t>(usage), static_cast<std::uint8_t>(selector),
                              static_cast<std::uint8_t>(matching), *octets});
  }
  co_return answer;
}

}  // namespace facteur::sim
