#include "dns/exchangers.hpp"

#include <set>

#include "rfc_test.hpp"
#include "sim/world.hpp"

using namespace facteur;
using Kind = dns::Exchangers::Kind;

namespace {

dns::Exchangers ordered(std::vector<dns::Mx> records, std::vector<std::string> our_names = {}, std::uint64_t seed = 1,
                        bool exists = true) {
  sim::Random random(seed);
  dns::MxAnswer answer;
  answer.records = std::move(records);
  answer.name_exists = exists;
  return dns::order_exchangers("example.org", answer, our_names, random);
}

using Names = std::vector<std::string>;

Task<void> find(sim::Machine& machine, std::string domain, std::optional<Result<dns::Exchangers>>& out) {
  const Names ours{"us.example"};
  out = co_await dns::find_exchangers(machine.resolver, std::move(domain), ours, machine.random,
                                      machine.clock.now() + 10s);
}

Result<dns::Exchangers> found(sim::World& world, std::string domain) {
  sim::Machine machine(world, {});
  TaskGroup tasks;
  std::optional<Result<dns::Exchangers>> out;
  tasks.start(find(machine, std::move(domain), out));
  REQUIRE(world.run_until([&] { return out.has_value(); }));
  return std::move(*out);
}

}  // namespace

TEST_RFC("5321 §5.1", "exchangers are tried from the lowest preference on") {
  const auto set = ordered({{30, "c"}, {10, "a"}, {20, "b"}});
  CHECK(set.kind == Kind::hosts);
  CHECK(set.hosts == Names{"a", "b", "c"});
  CHECK_FALSE(set.implicit);
}

TEST_RFC("5321 §5.1", "equal preferences are shuffled, each order equally often") {
  std::map<Names, int> orders;
  for (std::uint64_t seed = 0; seed < 600; ++seed) ++orders[ordered({{5, "a"}, {5, "b"}, {5, "c"}}, {}, seed).hosts];
  CHECK(orders.size() == 6);
  for (const auto& [order, count] : orders) CHECK(count > 60);
}

TEST_RFC("7505 §3", "a null MX said twice is one, and never no hosts at all") {
  CHECK(ordered({{0, ""}, {0, ""}}).kind == Kind::null_mx);
  CHECK(ordered({{0, ""}, {10, "a"}, {0, ""}}).hosts == Names{"a"});
}

TEST_RFC("5321 §5.1", "without MX records the domain itself is the host") {
  const auto set = ordered({});
  CHECK(set.kind == Kind::hosts);
  CHECK(set.implicit);
  CHECK(set.hosts == Names{"example.org"});
}

TEST_RFC("5321 §5.1", "our own name cuts itself and all that are not better") {
  CHECK(ordered({{10, "a"}, {20, "US.example"}, {20, "b"}, {30, "c"}}, {"us.example"}).hosts == Names{"a"});
  CHECK(ordered({{10, "us.example"}, {20, "b"}}, {"us.example"}).kind == Kind::ourselves);
  CHECK(ordered({{10, "a"}, {10, "us.example"}}, {"us.example"}).kind == Kind::ourselves);
}

TEST_RFC("7505 §3", "a null MX means no mail, but only alone") {
  CHECK(ordered({{0, ""}}).kind == Kind::null_mx);
  CHECK(ordered({{0, ""}, {10, "a"}}).hosts == Names{"a"});
  CHECK(ordered({{0, ""}, {0, ""}, {10, "a"}}).hosts == Names{"a"});
}

TEST_CASE("exchangers: a name that does not exist, doubles, and very many") {
  CHECK(ordered({}, {}, 1, false).kind == Kind::no_such_domain);
  CHECK(ordered({{1, "a"}, {2, "a"}, {3, "b"}}).hosts == Names{"a", "b"});
  std::vector<dns::Mx> many;
  for (std::uint16_t i = 0; i < 1000; ++i) many.push_back({i, "mx" + std::to_string(i)});
  CHECK(ordered(many).hosts.size() == dns::most_exchangers);
}

TEST_CASE("exchangers: look-ups; an outage is a temporary failure, never an answer") {
  sim::World world(1);
  world.zone.add(
      "example.org MX 10 mx.example.org\nbroken.example SERVFAIL\nslow.example TIMEOUT\nnull.example MX 0 .");
  CHECK(found(world, "example.org")->hosts == Names{"mx.example.org"});
  CHECK(found(world, "missing.example")->kind == Kind::no_such_domain);
  CHECK(found(world, "null.example")->kind == Kind::null_mx);
  for (const auto* name : {"broken.example", "slow.example"}) {
    const auto failed = found(world, name);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().temporary());
  }
}

TEST_RFC("5321 §4.1.3", "address literals are reached without DNS") {
  sim::World world(1);
  world.zone.weather(sim::Zone::Weather::servfail);
  const auto four = found(world, "[192.0.2.7]");
  REQUIRE(four);
  CHECK(four->kind == Kind::literal);
  CHECK(four->address == IpAddress::v4(192, 0, 2, 7));
  CHECK(found(world, "[IPv6:2001:db8::1]")->address == IpAddress::parse("2001:db8::1"));
}
