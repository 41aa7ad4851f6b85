#include "dns/exchangers.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "message/address.hpp"

namespace facteur::dns {

namespace {

// Equal preferences in an order of chance.
std::vector<Mx> sorted_and_shuffled(const std::vector<Mx>& records, world::Random& random) {
  std::vector<std::pair<std::uint64_t, const Mx*>> order;
  for (const auto& mx : records) order.emplace_back(std::uint64_t{mx.preference} << 48 | random.number() >> 16, &mx);
  std::ranges::sort(order);
  std::vector<Mx> out;
  for (const auto& [rank, mx] : order) out.push_back(*mx);
  return out;
}

}  // namespace

Exchangers order_exchangers(std::string_view domain, const MxAnswer& answer, std::span<const std::string> our_names,
                            world::Random& random) {
  Exchangers out;
  out.secure = answer.secure;
  if (!answer.name_exists) {
    out.kind = Exchangers::Kind::no_such_domain;
    return out;
  }
  if (answer.records.empty()) {
    // RFC 5321 §5.1: no MX records, so the domain itself is treated as its exchanger, with preference 0.
    out.implicit = true;
    out.hosts.emplace_back(domain);
    return out;
  }
  auto records = answer.records;
  // RFC 7505 §3: a null MX stands alone; beside others it means nothing. Said twice, it is still all there is.
  if (std::ranges::all_of(records, [](const Mx& mx) { return mx.host.empty(); })) {
    out.kind = Exchangers::Kind::null_mx;
    return out;
  }
  std::erase_if(records, [](const Mx& mx) { return mx.host.empty(); });
  records = sorted_and_shuffled(records, random);

  // RFC 5321 §5.1: if we are among them, only those with a lower preference may be tried, else mail goes in circles.
  const auto is_us = [our_names](const Mx& mx) {
    return std::ranges::any_of(our_names,
                               [&mx](const auto& name) { return ascii::equal_ignoring_case(name, mx.host); });
  };
  if (const auto us = std::ranges::find_if(records, is_us); us != records.end()) {
    const auto preference = us->preference;
    std::erase_if(records, [preference](const Mx& mx) { return mx.preference >= preference; });
    if (records.empty()) {
      out.kind = Exchangers::Kind::ourselves;
      return out;
    }
  }
  for (auto& mx : records) {
    if (out.hosts.size() == most_exchangers) break;
    if (std::ranges::find(out.hosts, mx.host) == out.hosts.end()) out.hosts.push_back(std::move(mx.host));
  }
  return out;
}

Task<Result<Exchangers>> find_exchangers(Resolver& resolver, std::string domain, std::span<const std::string> our_names,
                                         world::Random& random, Instant deadline) {
  if (const auto parsed = message::Domain::parse(domain); parsed && parsed->is_literal()) {
    Exchangers out;
    out.kind = Exchangers::Kind::literal;
    out.address = parsed->ip();
    // RFC 5321 §4.1.3: a literal of another kind names no host we could reach.
    if (!out.address) out.kind = Exchangers::Kind::no_such_domain;
    co_return out;
  }
  auto answer = co_await resolver.mx(domain, deadline);
  if (!answer) {
    // Whatever the resolver calls it: no answer is no proof of absence (RFC 5321 §5.1).
    Failure why = std::move(answer.error());
    if (!why.temporary()) why.kind = Failure::Kind::temporary;
    co_return std::unexpected(std::move(why));
  }
  co_return order_exchangers(domain, *answer, our_names, random);
}

}  // namespace facteur::dns
