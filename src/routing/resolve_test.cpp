#include "fake_directory_test.hpp"
#include "rfc_test.hpp"
#include "routing/routing.hpp"

using namespace facteur;
using routing::Destination;
using routing::NextHop;

namespace {

struct Fixture {
  directory::FakeDirectory directory;
  routing::Parameters parameters;

  Fixture() {
    directory.users = {{"anne@example.org", 1}, {"bob@example.org", 2}};
    parameters.hostname = "mx.example.org";
    parameters.postmaster = "anne@example.org";
    parameters.our_addresses = {IpAddress::v4(192, 0, 2, 1)};
  }

  routing::Resolution resolve(std::string_view text, bool may_relay = false) {
    auto address = message::Address::parse(text);
    if (!address) {  // <Postmaster>
      address.emplace();
      address->local = text;
    }
    auto resolution = routing::resolve(directory, parameters, *address, may_relay);
    REQUIRE(resolution);
    return std::move(*resolution);
  }

  std::string show(std::string_view text, bool may_relay = false) {
    const auto resolution = resolve(text, may_relay);
    std::string out;
    for (const auto& to : resolution.destinations) {
      if (!out.empty()) out += ' ';
      if (to.kind == Destination::Kind::account) {
        out += '#' + std::to_string(to.account.value) + (to.detail.empty() ? "" : "+" + to.detail);
      } else {
        out += to.address.text() + "@" + to.hop.key();
      }
    }
    if (out.empty()) out = resolution.enhanced;
    return out;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "routing: accounts, details, unknown users") {
  CHECK(show("anne@example.org") == "#1");
  CHECK(show("ANNE@Example.ORG") == "#1");
  CHECK(show("anne+lists@example.org") == "#1+lists");
  CHECK(show("nobody@example.org") == "5.1.1");
  CHECK(resolve("nobody@example.org").why->kind == Failure::Kind::permanent);
}

TEST_RFC("5321 §3.6", "never an open relay") {
  Fixture f;
  CHECK(f.show("eve@elsewhere.example") == "5.7.1");
  CHECK(f.resolve("eve@elsewhere.example").why->kind == Failure::Kind::refused);
  CHECK(f.show("eve@elsewhere.example", true) == "eve@elsewhere.example@mx:elsewhere.example");
  CHECK(f.show("eve%elsewhere.example@example.org") == "5.1.1");  // The percent hack is a local part like others.
  CHECK(f.show("\"eve@elsewhere.example\"@example.org") == "5.1.1");
  CHECK(f.show("eve@sub.example.org") == "5.7.1");
  f.parameters.relay_domains = {"backup.example", ".wide.example"};
  CHECK(f.show("eve@backup.example") == "eve@backup.example@mx:backup.example");
  CHECK(f.show("eve@sub.backup.example") == "5.7.1");
  CHECK(f.show("eve@a.wide.example") == "eve@a.wide.example@mx:a.wide.example");
  CHECK(f.show("eve@wide.example") == "5.7.1");
}

TEST_RFC("5321 §4.5.1", "postmaster is always served") {
  Fixture f;
  CHECK(f.show("postmaster") == "#1");  // Without a domain.
  CHECK(f.show("PostMaster@example.org") == "#1");
  CHECK(f.show("postmaster@mx.example.org") == "#1");
  CHECK(f.show("postmaster@[192.0.2.1]") == "#1");
  CHECK(f.show("anne@mx.example.org") == "5.1.1");
  CHECK(f.show("postmaster@[192.0.2.2]") == "5.7.1");
  f.directory.users["postmaster@example.org"] = 9;
  CHECK(f.show("postmaster@example.org") == "#9");
  f.parameters.postmaster = "postmaster@mx.example.org";  // Configured to itself: refused, no endless loop.
  CHECK(f.show("postmaster@mx.example.org") == "5.1.1");
}

TEST_RFC("5321 §3.9", "aliases are expanded, doubles and loops are cut") {
  Fixture f;
  f.directory.aliases["team@example.org"] = {"anne@example.org", "bob@example.org", "anne@example.org",
                                             "carl@elsewhere.example"};
  const auto team = f.resolve("team@example.org");
  CHECK(team.expanded);
  CHECK(team.destinations.size() == 3);
  CHECK(team.unresolved.empty());

  f.directory.aliases["a@example.org"] = {"b@example.org"};
  f.directory.aliases["b@example.org"] = {"a@example.org"};
  CHECK(f.show("a@example.org") == "5.4.6");
  f.directory.aliases["b@example.org"] = {"a@example.org", "bob@example.org"};
  CHECK(f.show("a@example.org") == "#2");
  f.directory.aliases["self@example.org"] = {"self@example.org"};
  CHECK(f.show("self@example.org") == "5.4.6");
}

TEST_CASE_FIXTURE(Fixture, "routing: a member that leads nowhere is named, the others go on") {
  directory.aliases["team@example.org"] = {"gone@example.org", "bob@example.org"};
  const auto team = resolve("team@example.org");
  CHECK(team.destinations.size() == 1);
  CHECK(team.unresolved == std::vector<std::string>{"gone@example.org"});
  directory.aliases["dead@example.org"] = {"gone@example.org"};
  CHECK(resolve("dead@example.org").destinations.empty());
  CHECK(resolve("dead@example.org").why);
}

TEST_CASE_FIXTURE(Fixture, "routing: an alias as wide as the world stays bounded") {
  std::vector<std::string> all;
  for (int i = 0; i < 3000; ++i) all.push_back("u" + std::to_string(i) + "@elsewhere.example");
  directory.aliases["all@example.org"] = all;
  CHECK(resolve("all@example.org").destinations.size() == 1000);
  for (int i = 0; i < 8000; ++i)
    directory.aliases["c" + std::to_string(i) + "@example.org"] = {"c" + std::to_string(i + 1) + "@example.org"};
  CHECK(resolve("c0@example.org").destinations.empty());
}

TEST_CASE_FIXTURE(Fixture, "routing: static routes, the nearest first, then the smarthost") {
  parameters.routes = {{{"*"}, {NextHop::Kind::server, "any.example", 25, false}},
                       {{".corp.example"}, {NextHop::Kind::server, "corp.example", 24, true}},
                       {{"x.corp.example", "y.example"}, {NextHop::Kind::server, "10.0.0.1", 2525, false}}};
  CHECK(routing::next_hop(parameters, "x.corp.example").key() == "smtp:10.0.0.1:2525");
  CHECK(routing::next_hop(parameters, "z.corp.example").key() == "lmtp:corp.example:24");
  CHECK(routing::next_hop(parameters, "corp.example").key() == "smtp:any.example:25");
  parameters.routes.clear();
  parameters.smarthost = NextHop{NextHop::Kind::smarthost, "relay.example", 587, false};
  CHECK(routing::next_hop(parameters, "corp.example").key() == "smarthost:relay.example:587");
  CHECK(show("eve@elsewhere.example") == "5.7.1");  // A smarthost opens nothing.
}

TEST_CASE_FIXTURE(Fixture, "routing: a directory that cannot be read is a temporary failure") {
  directory.broken = true;
  const auto resolution = routing::resolve(directory, parameters, *message::Address::parse("anne@example.org"), true);
  REQUIRE_FALSE(resolution);
  CHECK(resolution.error().temporary());
}
