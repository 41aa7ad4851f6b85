#include "host/world.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>

#include "host/stage_test.hpp"
#include "tls/stream.hpp"

using namespace facteur;
using namespace facteur::host;

TEST_CASE("shards: hop changes the thread, posts keep their order, blocking work comes back") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      auto& shards = stage.world->shards;
      CHECK(shards.count() == 3);
      const auto home = std::this_thread::get_id();
      co_await world::hop(shards, 2);
      CHECK(shards.current() == 2);
      CHECK(std::this_thread::get_id() != home);
      std::vector<int> order;
      for (int i = 0; i < 100; ++i) shards.post(0, [&order, i] { order.push_back(i); });
      co_await world::hop(shards, 0);
      CHECK(std::this_thread::get_id() == home);
      REQUIRE(order.size() == 100);
      CHECK(std::ranges::is_sorted(order));

      std::set<std::thread::id> threads;
      auto where = [] { return std::this_thread::get_id(); };
      for (int i = 0; i < 20; ++i) threads.insert(co_await world::blocking(shards, world::Shards::Lane::log, where));
      CHECK(threads.size() == 1);
      CHECK(!threads.contains(home));
      auto fails = []() -> int { throw std::runtime_error("in the pool"); };
      std::string caught;
      try {
        static_cast<void>(co_await world::blocking(shards, world::Shards::Lane::pool, fails));
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      CHECK(caught == "in the pool");
      const auto pool = co_await world::blocking(shards, world::Shards::Lane::pool, where);
      CHECK(!threads.contains(pool));
      CHECK(std::this_thread::get_id() == home);
    }
  };
  Stage stage(3);
  stage.run(Scenario::run(stage));
}

TEST_CASE("chance: no two draws alike, whole ranges filled") {
  host::Random random;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) numbers.insert(random.number());
  CHECK(numbers.size() == 1000);
  std::string large(5000, '\0');
  random.fill(Room(large));
  CHECK(std::ranges::count(large, '\0') < 60);
}

TEST_CASE("programs: input, output, status, deadline, and no descriptor of ours") {
  struct Scenario {
    static Task<Result<world::ProgramResult>> shell(Stage& stage, std::string script, Bytes input, Duration time) {
      std::vector<std::string> argv{"/bin/sh", "-c", std::move(script)};
      co_return co_await stage.world->programs.run(std::move(argv), input, stage.in(time));
    }
    static Task<void> run(Stage& stage) {
      const std::string input(300'000, 'x');
      auto counted = co_await shell(stage, "wc -c; echo error >&2; exit 7", input, 10s);
      REQUIRE(counted);
      CHECK(counted->status == 7);
      CHECK(counted->output == "300000\nerror\n");
      auto unread = co_await shell(stage, "exit 0", input, 10s);
      CHECK(unread->status == 0);
      auto flood = co_await shell(stage, "head -c 1000000 /dev/zero", "", 10s);
      CHECK(flood->output.size() == 64 * 1024);
      auto killed = co_await shell(stage, "kill -9 $$", "", 10s);
      CHECK(killed->status == 137);
      auto open_files = co_await shell(stage, "ls /proc/self/fd | wc -l", "", 10s);
      CHECK(open_files->output == "4\n");  // 0, 1, 2, and the folder that ls reads.
      const Instant begin = stage.world->clock.now();
      auto slow = co_await shell(stage, "sleep 30 & sleep 30", "", 100ms);
      CHECK(slow.error().kind == Failure::Kind::timed_out);
      CHECK(stage.world->clock.now() - begin < 2s);
      std::vector<std::string> missing{"/nonexistent/program"};
      const auto none = co_await stage.world->programs.run(missing, "", stage.soon());
      CHECK(none.error().kind == Failure::Kind::permanent);
      std::vector<std::string> relative{"sh"};
      const auto refused = co_await stage.world->programs.run(relative, "", stage.soon());
      CHECK(refused.error().code == "F-1100");
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("the resolver answers from a zone, follows its aliases, and asks nobody else") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      dns::Resolver& dns = *stage.world->resolver;
      const auto mx = co_await dns.mx("Example.ORG.", stage.soon());
      REQUIRE(mx);
      REQUIRE(mx->records.size() == 2);
      const bool first = mx->records[0].preference == 10;
      CHECK(mx->records[first ? 0 : 1].host == "mx1.example.org");
      CHECK(mx->records[first ? 1 : 0].host == "mx2.example.org");
      CHECK(mx->ttl_s == 300);
      CHECK(!mx->secure);
      const auto null = co_await dns.mx("null.example", stage.soon());  // RFC 7505 §3.
      REQUIRE(null->records.size() == 1);
      CHECK(null->records[0].host.empty());
      const auto addresses = co_await dns.addresses("mx1.example.org", stage.soon());
      REQUIRE(addresses);
      CHECK(addresses->addresses.size() == 2);
      const auto alias = co_await dns.addresses("www.example.org", stage.soon());
      REQUIRE(alias);
      CHECK(alias->addresses.size() == 2);
      const auto loop = co_await dns.addresses("loop.example.org", stage.soon());
      CHECK(loop.error().code == "F-1118");
      const auto text = co_await dns.text("example.org", stage.soon());
      REQUIRE(text->texts.size() == 1);
      CHECK(text->texts[0] == "v=spf1 -all");
      const auto tlsa = co_await dns.tlsa("_25._tcp.mx1.example.org", stage.soon());
      REQUIRE(tlsa->records.size() == 1);
      CHECK(tlsa->records[0].usage == 3);
      CHECK(tlsa->records[0].data == "\x01\x23\xab\xcd");
      const auto pointer = co_await dns.pointers(IpAddress::v4(192, 0, 2, 1), stage.soon());
      REQUIRE(pointer->names.size() == 1);
      CHECK(pointer->names[0] == "mx1.example.org");
      // No records of a type at a name that exists, and no name at all.
      const auto nothing = co_await dns.mx("mx1.example.org", stage.soon());
      REQUIRE(nothing);
      CHECK(nothing->records.empty());
      CHECK(nothing->name_exists);
      const auto missing = co_await dns.mx("gone.example", stage.soon());
      REQUIRE(missing);
      CHECK(!missing->name_exists);
      // From another shard, and from the cache.
      co_await world::hop(stage.world->shards, 1);
      const auto again = co_await dns.mx("example.org", stage.soon());
      const auto fresh = co_await dns.text("mx2.example.org", stage.soon());
      const unsigned where = stage.world->shards.current();
      co_await world::hop(stage.world->shards, 0);
      CHECK(where == 1);
      CHECK(again->records.size() == 2);
      CHECK(fresh->texts.empty());
    }
  };
  WorldOptions options;
  options.resolver.rest = ResolverOptions::Rest::not_exist;
  options.resolver.zone = R"(; Test names.
example.org. 300 IN MX 10 mx1.example.org.
example.org. 300 IN MX 20 mx2.example.org.
example.org. 300 IN TXT "v=spf1 " "-all"
mx1.example.org. 300 IN A 192.0.2.1
mx1.example.org. 300 IN AAAA 2001:db8::1
mx2.example.org. 300 IN A 192.0.2.2
www.example.org. 300 IN CNAME web.example.org.
web.example.org. 300 IN CNAME mx1.example.org.
loop.example.org. 300 IN CNAME loop.example.org.
null.example. 300 IN MX 0 .
_25._tcp.mx1.example.org. 300 IN TLSA 3 1 1 0123abcd
1.2.0.192.in-addr.arpa. 300 IN PTR mx1.example.org.
)";
  Stage stage(2, options);
  stage.run(Scenario::run(stage));
}

TEST_CASE("a resolver that refuses, and a zone that cannot be read") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      const auto refused = co_await stage.world->resolver->mx("example.org", stage.soon());
      CHECK(refused.error().kind == Failure::Kind::temporary);  // RFC 5321 §5.1: not an answer.
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
  WorldOptions bad;
  bad.resolver.zone = "example.org. MX ten nowhere\n";
  const auto world = World::open(bad);
  REQUIRE(!world);
  CHECK(world.error().text.find("ten nowhere") != std::string::npos);
}

TEST_CASE("signals arrive on shard 0") {
  struct Scenario {
    static Task<void> run(Stage& stage, std::vector<int>& seen) {
      ::raise(SIGHUP);
      for (int i = 0; i < 500 && seen.empty(); ++i) co_await stage.world->clock.sleep_until(stage.in(2ms));
      ::raise(SIGTERM);
      for (int i = 0; i < 500 && seen.size() < 2; ++i) co_await stage.world->clock.sleep_until(stage.in(2ms));
    }
  };
  std::vector<int> seen;
  WorldOptions options;
  options.on_signal = [&seen](int number) { seen.push_back(number); };
  Stage stage(1, options);
  stage.run(Scenario::run(stage, seen));
  CHECK(seen == std::vector<int>{SIGHUP, SIGTERM});
}

namespace {

// One TLS echo connection on loopback; what the client got.
struct Secure {
  std::shared_ptr<const crypto::TlsServerContext> server;
  std::shared_ptr<const crypto::TlsClientContext> client;
  std::optional<crypto::TlsSummary> seen{};
  bool once = false;  // Ends after the first echo.

  explicit Secure(UtcTime now) {
    const auto certificate = *crypto::make_self_signed({"mx.example.org"}, now, 2);
    server = *crypto::TlsServerContext::make({{certificate}});
    client = *crypto::TlsClientContext::make({certificate.chain_pem, true});
  }

  Task<void> echo(Stage& stage, world::Listener& listener) {
    auto plain = co_await listener.accept();
    std::vector<std::string> alpn{"imap"};
    auto secured = co_await tls::accept(std::move(*plain), server, std::move(alpn), stage.soon());
    if (!secured) co_return;
    seen = secured->summary;
    std::string room(10'000, '\0');
    for (;;) {
      const auto ready = co_await secured->stream->readable(stage.soon());
      if (!ready) co_return;
      const auto size = co_await secured->stream->read(Room(room), stage.soon());
      if (!size || *size == 0) co_return;
      const auto sent = co_await secured->stream->write(Bytes(room).substr(0, *size), stage.soon());
      if (!sent || once) co_return secured->stream->end();
    }
  }
};

}  // namespace

TEST_CASE("TLS over loopback: megabytes there and back") {
  struct Scenario {
    static Task<void> send(world::Stream& stream, const std::string& text, Instant deadline) {
      const auto sent = co_await stream.write(Bytes(text), deadline);
      CHECK(sent);
    }
    static Task<void> run(Stage& stage) {
      Secure secure(stage.world->clock.utc());
      auto listener = std::move(*stage.world->network.listen({IpAddress::loopback(), 0}));
      TaskGroup tasks;
      tasks.start(secure.echo(stage, *listener));
      auto plain = co_await stage.world->network.connect(listener->local(), stage.soon());
      crypto::TlsClientParameters parameters{"mx.example.org", {"imap"}, {}};
      auto secured = co_await tls::connect(std::move(*plain), secure.client, std::move(parameters), stage.soon());
      REQUIRE(secured);
      CHECK(secured->summary.peer_verified);
      CHECK(secured->summary.alpn == "imap");
      std::string text(3'000'000, '\0'), back, room(5000, '\0');
      for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + i / 4096);
      tasks.start(send(*secured->stream, text, stage.soon()));
      while (back.size() < text.size()) {
        const auto size = co_await secured->stream->read(Room(room), stage.soon());
        REQUIRE(size);
        back.append(room, 0, *size);
      }
      CHECK(back == text);
      secured->stream->end();
      co_await tasks.finished();
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("openssl s_client speaks with us: TLS 1.2 and 1.3, SNI, ALPN; older versions are refused") {
  struct Scenario {
    static Task<world::ProgramResult> client(Stage& stage, Secure& secure, std::vector<std::string> more) {
      auto listener = std::move(*stage.world->network.listen({IpAddress::loopback(), 0}));
      TaskGroup tasks;
      tasks.start(secure.echo(stage, *listener));
      std::vector<std::string> argv{"/usr/bin/openssl",           "s_client", "-connect",
                                    to_string(listener->local()), "-brief",   "-ign_eof"};
      argv.insert(argv.end(), more.begin(), more.end());
      auto result = co_await stage.world->programs.run(std::move(argv), "NOOP octets\n", stage.soon());
      REQUIRE_MESSAGE(result, result.error().cause);
      co_return std::move(*result);
    }
    static Task<void> run(Stage& stage) {
      Secure secure(stage.world->clock.utc());
      secure.once = true;
      std::vector<std::string> modern{"-servername", "mx.example.org", "-alpn", "imap"};
      auto seen = co_await client(stage, secure, modern);
      CHECK(seen.output.find("Protocol version: TLSv1.3") != std::string::npos);
      CHECK(seen.output.find("NOOP octets") != std::string::npos);
      CHECK(secure.seen->sni == "mx.example.org");
      CHECK(secure.seen->alpn == "imap");
      std::vector<std::string> older{"-tls1_2"};
      seen = co_await client(stage, secure, older);
      CHECK(seen.output.find("Protocol version: TLSv1.2") != std::string::npos);
      CHECK(seen.output.find("NOOP octets") != std::string::npos);
      CHECK(secure.seen->version == "TLSv1.2");
      secure.seen.reset();
      std::vector<std::string> oldest{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"};
      seen = co_await client(stage, secure, oldest);
      CHECK(!secure.seen);  // RFC 8996 §5.
      CHECK(seen.output.find("NOOP") == std::string::npos);
      std::vector<std::string> browser{"-alpn", "http/1.1"};
      seen = co_await client(stage, secure, browser);
      CHECK(seen.output.find("no application protocol") != std::string::npos);
    }
  };
  if (::access("/usr/bin/openssl", X_OK) != 0) {
    MESSAGE("skipped: no openssl here");
    return;
  }
  Stage stage;
  stage.run(Scenario::run(stage));
}
