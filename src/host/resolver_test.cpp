// The resolver against a real authoritative server with signed and unsigned zones, and against false ones.
#include "host/resolver.hpp"

#include <algorithm>
#include <optional>

#include "host/name_server_test.hpp"

using namespace facteur;
using namespace facteur::host;

namespace {

constexpr const char* records = R"(@ MX 10 mx1
@ MX 20 MX2
@ TXT "v=spf1 " "-all"
mx1 A 192.0.2.1
mx1 AAAA 2001:db8::1
mx2 A 192.0.2.2
www CNAME web
web CNAME mx1
void CNAME gone
loop1 CNAME loop2
loop2 CNAME loop1
nomail MX 0 .
odd MX 10 no\032host
text TXT only
_25._tcp.mx1 TLSA 3 1 1 0123abcd
*.wild MX 5 mx1
short 1 TXT one
)";

std::string large_text() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "large TXT \"" + std::to_string(i) + " " + std::string(200, 'x') + "\"\n";
  return text;
}

// Asks nobody but the stubs.
WorldOptions asking(std::initializer_list<ResolverOptions::Stub> stubs, std::string anchors = {}) {
  WorldOptions options;
  options.resolver.rest = ResolverOptions::Rest::refuse;
  options.resolver.stubs = stubs;
  options.resolver.trust_anchor_file = std::move(anchors);
  return options;
}

// As Stage::run, for the worlds whose resolver options a test made.
void run(WorldOptions options, std::function<Task<void>(Stage&)> scenario) {
  options.resolver.zone = "unused.invalid. 300 IN TXT unused";  // Stage would refuse all of DNS otherwise.
  Stage stage(1, std::move(options));
  stage.run(scenario(stage));
}

Task<void> check_records(Stage& stage, bool secure) {
  dns::Resolver& dns = *stage.world->resolver;
  const auto mx = co_await dns.mx("Example.TEST.", stage.soon());
  REQUIRE_MESSAGE(mx, mx.error().cause);
  REQUIRE(mx->records.size() == 2);
  const bool first = mx->records[0].preference == 10;
  CHECK(mx->records[first ? 0 : 1].host == "mx1.example.test");
  CHECK(mx->records[first ? 1 : 0].host == "mx2.example.test");
  CHECK(mx->secure == secure);
  CHECK(mx->ttl_s <= 300);
  CHECK(mx->ttl_s >= 295);
  const auto wild = co_await dns.mx("any.wild.example.test", stage.soon());
  REQUIRE(wild);
  CHECK(wild->records.size() == 1);
  CHECK(wild->secure == secure);
  const auto null = co_await dns.mx("nomail.example.test", stage.soon());  // RFC 7505 §3.
  REQUIRE(null);
  REQUIRE(null->records.size() == 1);
  CHECK(null->records[0].host.empty());
  const auto odd = co_await dns.mx("odd.example.test", stage.soon());  // RFC 5321 §5.1: there, and of no use.
  REQUIRE(!odd);
  CHECK(odd.error().code == "F-1119");
  CHECK(odd.error().cause == "odd.example.test");
  const auto both = co_await dns.addresses("mx1.example.test", stage.soon());
  REQUIRE(both);
  CHECK(both->addresses == std::vector{*IpAddress::parse("2001:db8::1"), IpAddress::v4(192, 0, 2, 1)});
  CHECK(both->secure == secure);
  const auto four = co_await dns.addresses("mx2.example.test", stage.soon());
  REQUIRE(four);
  CHECK(four->addresses == std::vector{IpAddress::v4(192, 0, 2, 2)});
  CHECK(four->secure == secure);
  const auto alias = co_await dns.addresses("www.example.test", stage.soon());
  REQUIRE(alias);
  CHECK(alias->addresses == both->addresses);
  CHECK(alias->secure == secure);
  const auto text = co_await dns.text("example.test", stage.soon());
  REQUIRE(text);
  CHECK(text->texts == std::vector<std::string>{"v=spf1 -all"});
  const auto tlsa = co_await dns.tlsa("_25._tcp.mx1.example.test", stage.soon());
  REQUIRE(tlsa);
  REQUIRE(tlsa->records.size() == 1);
  CHECK(tlsa->records[0].usage == 3);
  CHECK(tlsa->records[0].data == "\x01\x23\xab\xcd");
  CHECK(tlsa->secure == secure);
}

// That there is nothing is an answer too, and as secure as others.
Task<void> check_nothing(Stage& stage, bool secure) {
  dns::Resolver& dns = *stage.world->resolver;
  const auto no_data = co_await dns.mx("text.example.test", stage.soon());
  REQUIRE(no_data);
  CHECK(no_data->records.empty());
  CHECK(no_data->name_exists);
  CHECK(no_data->secure == secure);
  const auto no_name = co_await dns.mx("missing.example.test", stage.soon());
  REQUIRE(no_name);
  CHECK(no_name->records.empty());
  CHECK(!no_name->name_exists);
  CHECK(no_name->secure == secure);
  const auto no_address = co_await dns.addresses("missing.example.test", stage.soon());
  REQUIRE(no_address);
  CHECK(!no_address->name_exists);
  CHECK(no_address->addresses.empty());
  const auto dangling = co_await dns.addresses("void.example.test", stage.soon());
  REQUIRE(dangling);
  CHECK(dangling->addresses.empty());
  CHECK(!dangling->name_exists);
  const auto endless = co_await dns.addresses("loop1.example.test", stage.soon());
  REQUIRE(!endless);
  CHECK(endless.error().temporary());
}

}  // namespace

TEST_CASE(
    "the resolver asks a real server: all record types, aliases, wildcards, nothing, and large answers over TCP") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      co_await check_records(stage, false);
      co_await check_nothing(stage, false);
      dns::Resolver& dns = *stage.world->resolver;
      const auto large = co_await dns.text("large.example.test", stage.soon());
      REQUIRE_MESSAGE(large, large.error().cause);
      CHECK(large->texts.size() == 60);
      const auto names = co_await dns.pointers(IpAddress::v4(192, 168, 7, 9), stage.soon());
      REQUIRE(names);
      CHECK(names->names == std::vector<std::string>{"mx1.example.test"});
      const auto six = co_await dns.pointers(*IpAddress::parse("2001:db8::1"), stage.soon());
      REQUIRE(six);
      CHECK(six->names == std::vector<std::string>{"mx1.example.test"});
      const auto elsewhere = co_await dns.mx("elsewhere.test", stage.soon());
      REQUIRE(!elsewhere);
      CHECK(elsewhere.error().temporary());
    }
  };
  NameServer server;
  server.zone("example.test", records + large_text());
  server.zone("168.192.in-addr.arpa", "9.7 PTR mx1.example.test.\n");
  server.zone("8.b.d.0.1.0.0.2.ip6.arpa", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mx1.example.test.\n");
  server.start();
  run(asking({{"example.test", {server.at}},
              {"168.192.in-addr.arpa", {server.at}},
              {"8.b.d.0.1.0.0.2.ip6.arpa", {server.at}}}),
      &Scenario::run);
}

TEST_RFC("4035 §4.3", "a zone signed below a trust anchor is secure, with NSEC and with NSEC3") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      co_await check_records(stage, true);
      co_await check_nothing(stage, true);
    }
  };
  for (const auto& options : {std::vector<std::string>{}, std::vector<std::string>{"-n", "-t", "0"}}) {
    NameServer server;
    server.zone("example.test", records);
    const std::string anchors = server.trust(server.sign("example.test", options));
    server.start();
    run(asking({{"example.test", {server.at}}}, anchors), &Scenario::run);
  }
}

TEST_RFC("4035 §4.3", "a zone delegated unsigned by a signed one is insecure, and its answers count") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      const auto mx = co_await stage.world->resolver->mx("example.test", stage.soon());
      REQUIRE_MESSAGE(mx, mx.error().cause);
      CHECK(mx->records.size() == 2);
      CHECK(!mx->secure);
      const auto above = co_await stage.world->resolver->text("signed.test", stage.soon());
      REQUIRE_MESSAGE(above, above.error().cause);
      CHECK(above->secure);
    }
  };
  NameServer server;
  server.zone("test", "signed TXT here\nexample NS ns.example\nns.example A 127.0.0.1\n");
  server.zone("example.test", records);
  const std::string anchors = server.trust(server.sign("test"));
  server.start();
  run(asking({{"test", {server.at}}, {"example.test", {server.at}}}, anchors), &Scenario::run);
}

namespace {

// The failure that a question for the MX of example.test ends with.
Task<void> ask_bogus(Stage& stage) {
  const auto mx = co_await stage.world->resolver->mx("example.test", stage.soon());
  REQUIRE(!mx);
  CHECK(mx.error().code == "F-1116");
  CHECK(mx.error().kind == Failure::Kind::temporary);
  CHECK(mx.error().cause.starts_with("example.test: "));
  CHECK(mx.error().cause.size() > std::string("example.test: bogus").size());
  MESSAGE(mx.error().cause);
}

}  // namespace

TEST_RFC("4035 §4.3", "a bogus answer is no answer but a temporary failure that says why") {
  SUBCASE("signatures expired") {
    NameServer server;
    server.zone("example.test", records);
    const auto anchors = server.trust(server.sign("example.test", {"-i", "20200101", "-e", "20200201"}));
    server.start();
    run(asking({{"example.test", {server.at}}}, anchors), &ask_bogus);
  }
  SUBCASE("records changed after they were signed") {
    NameServer server;
    server.zone("example.test", records);
    const auto anchors = server.trust(server.sign("example.test"));
    server.falsify("example.test", "10 mx1.example.test.", "10 evil.example.test.");
    server.start();
    run(asking({{"example.test", {server.at}}}, anchors), &ask_bogus);
  }
  SUBCASE("signed with another key than the one we trust") {
    NameServer other, server;
    other.zone("example.test", records);
    server.zone("example.test", records);
    server.sign("example.test");
    const auto anchors = server.trust(other.sign("example.test"));
    server.start();
    run(asking({{"example.test", {server.at}}}, anchors), &ask_bogus);
  }
  SUBCASE("not signed at all, though the anchor says it is") {
    NameServer other, server;
    other.zone("example.test", records);
    server.zone("example.test", records);
    const auto anchors = server.trust(other.sign("example.test"));
    server.start();
    run(asking({{"example.test", {server.at}}}, anchors), &ask_bogus);
  }
}

TEST_CASE("servers that refuse, fail, talk nonsense, cut off or stay silent are temporary failures, never answers") {
  struct Scenario {
    static Task<void> fails(Stage& stage, const char* name) {
      const auto mx = co_await stage.world->resolver->mx(name, stage.in(4s));
      REQUIRE_MESSAGE(!mx, name);
      CHECK_MESSAGE(mx.error().temporary(), name);
      const auto addresses = co_await stage.world->resolver->addresses(name, stage.in(4s));
      REQUIRE_MESSAGE(!addresses, name);
      CHECK_MESSAGE(addresses.error().temporary(), name);
    }
    static Task<void> run(Stage& stage) {
      for (const char* name : {"refused.test", "servfail.test", "notimp.test", "formerr.test", "nonsense.test",
                               "other-id.test", "truncated.test", "broken.test", "lame.test"}) {
        co_await fails(stage, name);
      }
      const Instant begun = stage.world->clock.now();
      const auto silent = co_await stage.world->resolver->mx("silent.test", stage.in(1s));
      REQUIRE(!silent);
      CHECK(silent.error().kind == Failure::Kind::timed_out);
      CHECK(stage.world->clock.now() - begun < 2s);
    }
  };
  const auto rcode = [](int code) { return [code](std::string q) { return FalseServer::echo(std::move(q), code); }; };
  FalseServer refused(rcode(5)), servfail(rcode(2)), notimp(rcode(4)), formerr(rcode(1));
  FalseServer nonsense([](std::string q) { return q.substr(0, 2) + std::string(40, '\xff'); });
  FalseServer other_id([](std::string q) {
    q[0] = static_cast<char>(q[0] ^ 1);
    return FalseServer::echo(std::move(q), 0);
  });
  FalseServer truncated([](std::string q) { return FalseServer::echo(std::move(q), 0, true); });
  FalseServer silent([](std::string) { return std::string(); });
  NameServer server;
  server.zone("example.test", records);
  server.broken_zone("broken.test");
  server.start();
  run(asking({{"refused.test", {refused.at}},
              {"servfail.test", {servfail.at}},
              {"notimp.test", {notimp.at}},
              {"formerr.test", {formerr.at}},
              {"nonsense.test", {nonsense.at}},
              {"other-id.test", {other_id.at}},
              {"truncated.test", {truncated.at}},
              {"silent.test", {silent.at}},
              {"broken.test", {server.at}},
              {"lame.test", {server.at}}}),
      &Scenario::run);
  CHECK(silent.asked > 0);
  CHECK(truncated.asked > 0);
}

TEST_CASE("answers are kept for their TTL and no longer; a second server answers when the first does not") {
  struct Scenario {
    static Task<void> run(Stage& stage, NameServer& server, FalseServer& silent) {
      dns::Resolver& dns = *stage.world->resolver;
      const auto before = co_await dns.text("short.example.test", stage.soon());
      REQUIRE_MESSAGE(before, before.error().cause);
      CHECK(before->texts == std::vector<std::string>{"one"});
      CHECK(before->ttl_s == 1);
      const auto kept = co_await dns.text("example.test", stage.soon());
      REQUIRE(kept);
      server.stop();
      server.zone("example.test", "short 1 TXT two\n@ TXT changed\n");
      server.start();
      co_await stage.world->clock.sleep_until(stage.in(2100ms));
      const auto after = co_await dns.text("short.example.test", stage.soon());
      REQUIRE_MESSAGE(after, after.error().cause);
      CHECK(after->texts == std::vector<std::string>{"two"});
      const auto still = co_await dns.text("example.test", stage.soon());
      REQUIRE(still);
      CHECK(still->texts == std::vector<std::string>{"v=spf1 -all"});
      CHECK(still->ttl_s < kept->ttl_s - 1);
      // Which of the two is asked first is drawn by lot: ask until the silent one was, and have an answer every time.
      for (int i = 0; i < 60 && silent.asked == 0; ++i) {
        const auto answer = co_await dns.text("nothing" + std::to_string(i) + ".example.test", stage.soon());
        REQUIRE_MESSAGE(answer, answer.error().cause);
      }
      CHECK(silent.asked > 0);
    }
  };
  NameServer server;
  FalseServer silent([](std::string) { return std::string(); });
  server.zone("example.test", records);
  server.start();
  auto options = asking({{"example.test", {silent.at, server.at}}});
  run(std::move(options), [&](Stage& stage) { return Scenario::run(stage, server, silent); });
}

TEST_CASE("a server that was away answers again soon after it is back") {
  struct Scenario {
    static Task<void> run(Stage& stage, NameServer& server) {
      dns::Resolver& dns = *stage.world->resolver;
      const auto away = co_await dns.mx("example.test", stage.in(3s));
      REQUIRE(!away);
      CHECK(away.error().temporary());
      server.start();
      Duration waited = 0s;
      std::optional<Result<dns::MxAnswer>> back;
      for (; waited < 15s; waited += 250ms) {
        back = co_await dns.mx("example.test", stage.in(2s));
        if (*back) break;
        CHECK(back->error().temporary());
        co_await stage.world->clock.sleep_until(stage.in(250ms));
      }
      REQUIRE_MESSAGE(*back, back->error().cause);
      CHECK((*back)->records.size() == 2);
    }
  };
  NameServer server;
  server.zone("example.test", records);
  run(asking({{"example.test", {server.at}}}), [&](Stage& stage) { return Scenario::run(stage, server); });
}

TEST_CASE("everything forwarded to one server: secure below the anchor, and what it refuses fails for now") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      co_await check_records(stage, true);
      const auto elsewhere = co_await stage.world->resolver->mx("elsewhere.test", stage.in(5s));
      REQUIRE(!elsewhere);
      CHECK(elsewhere.error().temporary());
    }
  };
  NameServer server;
  server.zone("example.test", records);
  const std::string anchors = server.trust(server.sign("example.test"));
  server.start();
  WorldOptions options;
  options.resolver.rest = ResolverOptions::Rest::forward;
  options.resolver.forwarders = {server.at};
  options.resolver.trust_anchor_file = anchors;
  run(std::move(options), &Scenario::run);
}

TEST_CASE("a trust anchor that cannot be read is refused at start") {
  WorldOptions options = asking({}, "/nonexistent/anchor");
  const auto world = World::open(std::move(options));
  REQUIRE(!world);
  CHECK(world.error().kind == Failure::Kind::permanent);
}
