#include "tls/stream.hpp"

#include "memory_stream.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using facteur::tests::MemoryLink;

namespace {

struct Contexts {
  crypto::TlsCertificate certificate;
  std::shared_ptr<const crypto::TlsServerContext> server;
  std::shared_ptr<const crypto::TlsClientContext> verifying, opportunistic;

  static crypto::TlsServerContext::Options with(const crypto::TlsCertificate& one) { return {{one}}; }
};

const Contexts& contexts() {
  static const Contexts all = [] {
    Contexts made;
    // OpenSSL verifies against the machine's clock, so the certificate is dated by it.
    const UtcTime now{
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count()};
    made.certificate = *crypto::make_self_signed({"mx.example.org", "*.example.net"}, now, 10);
    made.server = *crypto::TlsServerContext::make(Contexts::with(made.certificate));
    made.verifying = *crypto::TlsClientContext::make({made.certificate.chain_pem, true});
    made.opportunistic = *crypto::TlsClientContext::make({"", false});
    return made;
  }();
  return all;
}

// Both sides of one connection.
struct Sides {
  MemoryLink link;
  std::vector<std::string> alpn{};
  std::optional<Result<tls::Secured>> server{}, client{};
  TaskGroup tasks{};

  Task<void> serve() { server = co_await tls::accept(link.first(), contexts().server, alpn, Instant::never()); }
  Task<void> reach(std::shared_ptr<const crypto::TlsClientContext> context, crypto::TlsClientParameters parameters) {
    client = co_await tls::connect(link.second(), std::move(context), std::move(parameters), Instant::never());
  }
  void shake(std::shared_ptr<const crypto::TlsClientContext> context, crypto::TlsClientParameters parameters) {
    tasks.start(serve());
    tasks.start(reach(std::move(context), std::move(parameters)));
    link.run();
  }
  void shake() { shake(contexts().verifying, {"mx.example.org", {}, {}}); }
  world::Stream& at_server() { return *(*server)->stream; }
  world::Stream& at_client() { return *(*client)->stream; }
};

Task<void> write_all(world::Stream& stream, std::vector<Bytes> pieces, std::optional<Result<void>>& outcome) {
  outcome = co_await stream.write(pieces, Instant::never());
}
Task<void> read_all(world::Stream& stream, std::string& to, std::size_t want, std::optional<Failure>& why) {
  char room[3000];
  while (to.size() < want) {
    const auto woken = co_await stream.readable(Instant::never());
    if (!woken) why = woken.error();
    if (!woken) co_return;
    const auto size = co_await stream.read(Room(room), Instant::never());
    if (!size) why = size.error();
    if (!size || *size == 0) co_return;
    to.append(room, *size);
  }
}
Task<void> wait_readable(world::Stream& stream, Wakeup* wakeup, std::optional<Result<bool>>& outcome) {
  outcome = co_await stream.readable(Instant::never(), wakeup);
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 + i / 251);
  return text;
}

}  // namespace

TEST_RFC("8446 §4", "both sides agree, and the client knows whom it speaks to") {
  Sides sides{MemoryLink()};
  sides.shake();
  REQUIRE(sides.server);
  REQUIRE(sides.client);
  REQUIRE(*sides.server);
  REQUIRE(*sides.client);
  const auto& server = (*sides.server)->summary;
  const auto& client = (*sides.client)->summary;
  CHECK(server.version == "TLSv1.3");
  CHECK(server.sni == "mx.example.org");
  CHECK(client.peer_verified);
  CHECK(client.peer_error.empty());
  CHECK(client.peer_subject == "CN=mx.example.org");
  CHECK(client.cipher == server.cipher);
  CHECK(client.exporter.size() == 32);  // RFC 9266 §4.2.
  CHECK(client.exporter == server.exporter);
  CHECK(!client.resumed);
}

TEST_CASE("what is written arrives, in any segmentation and through a narrow link") {
  const std::string text = pattern(100'000);
  for (const std::size_t segment : {1u, 2u, 7u, 1000u, 20'000u, 65'536u}) {
    for (const std::size_t capacity : {700u, 1u << 20}) {
      Sides sides{MemoryLink(segment, capacity)};
      sides.shake();
      REQUIRE(*sides.server);
      std::optional<Result<void>> up, down;
      std::string server_got, client_got;
      std::optional<Failure> why;
      // Pieces of many sizes, empty ones included; both directions at once.
      const Bytes all(text);
      sides.tasks.start(
          write_all(sides.at_client(), {all.substr(0, 10), "", all.substr(10, 20'000), all.substr(20'010)}, up));
      sides.tasks.start(write_all(sides.at_server(), {all}, down));
      sides.tasks.start(read_all(sides.at_server(), server_got, text.size(), why));
      sides.tasks.start(read_all(sides.at_client(), client_got, text.size(), why));
      sides.link.run();
      CHECK(server_got == text);
      CHECK(client_got == text);
      REQUIRE(up);
      REQUIRE(down);
      CHECK(*up);
      CHECK(*down);
      CHECK(sides.tasks.empty());
    }
  }
}

TEST_CASE("a header and a body leave in one write, and small pieces in one record") {
  Sides sides{MemoryLink()};
  sides.shake();
  const std::size_t before = sides.link.writes(1);
  std::optional<Result<void>> outcome;
  sides.tasks.start(write_all(sides.at_client(), {"* 1 FETCH ", "(FLAGS ", "())\r\n"}, outcome));
  CHECK(sides.link.writes(1) == before + 1);
  CHECK(sides.link.in_flight(1).size() < 22 + 40);  // One record: 5 octets of header, 1 of type, 16 of tag.
}

TEST_CASE("readable() returns at once when decrypted octets wait, and not for a ticket or half a record") {
  Sides sides{MemoryLink()};
  sides.shake();
  std::optional<Result<bool>> outcome;
  // The server's session tickets are on the way to the client: no reason to wake anybody.
  sides.tasks.start(wait_readable(sides.at_client(), nullptr, outcome));
  sides.link.run();
  CHECK(!outcome);
  std::optional<Result<void>> written;
  sides.tasks.start(write_all(sides.at_server(), {"+OK hello\r\n"}, written));
  const std::string record = std::exchange(sides.link.in_flight(0), "");
  for (std::size_t i = 0; i + 1 < record.size(); ++i) {
    sides.link.in_flight(0) += record[i];
    sides.link.run();
    CHECK(!outcome);
  }
  sides.link.in_flight(0) += record.back();
  sides.link.run();
  REQUIRE(outcome);
  CHECK(**outcome == false);
  // One octet is taken; the rest waits inside TLS and nothing is in flight.
  std::string got;
  std::optional<Failure> why;
  char one = 0;
  auto read_one = [](world::Stream& stream, char& to) -> Task<void> {
    const auto size = co_await stream.read(Room(&to, 1), Instant::never());
    CHECK(*size == 1);
  };
  sides.tasks.start(read_one(sides.at_client(), one));
  CHECK(one == '+');
  outcome.reset();
  sides.tasks.start(wait_readable(sides.at_client(), nullptr, outcome));
  REQUIRE(outcome);  // Without run(): nothing was waited for.
  sides.tasks.start(read_all(sides.at_client(), got, 10, why));
  CHECK(got == "OK hello\r\n");
}

TEST_CASE("a wakeup ends the wait of an encrypted stream, which works on") {
  Sides sides{MemoryLink()};
  sides.shake();
  Wakeup wakeup;
  std::optional<Result<bool>> outcome;
  sides.tasks.start(wait_readable(sides.at_server(), &wakeup, outcome));
  sides.link.run();
  CHECK(!outcome);
  wakeup.fire();
  sides.link.run();
  REQUIRE(outcome);
  CHECK(**outcome == true);
  std::optional<Result<void>> written;
  std::string got;
  std::optional<Failure> why;
  sides.tasks.start(write_all(sides.at_client(), {"NOOP\r\n"}, written));
  sides.tasks.start(read_all(sides.at_server(), got, 6, why));
  sides.link.run();
  CHECK(got == "NOOP\r\n");
}

TEST_RFC("8446 §6.1", "close_notify is the end; a connection that is only cut is a failure") {
  for (const bool cut : {false, true}) {
    Sides sides{MemoryLink()};
    sides.shake();
    std::string got;
    std::optional<Failure> why;
    sides.tasks.start(read_all(sides.at_server(), got, 100, why));
    std::optional<Result<void>> written;
    sides.tasks.start(write_all(sides.at_client(), {"QUIT\r\n"}, written));
    sides.link.run();
    sides.at_client().end();
    if (cut) sides.link.in_flight(1).clear();  // The goodbye is lost, the end of the stream below is not.
    sides.link.run();
    CHECK(got == "QUIT\r\n");
    CHECK(why.has_value() == cut);
    if (cut) CHECK(why->code == "F-1051");
    // Our side is still open.
    written.reset();
    sides.tasks.start(write_all(sides.at_server(), {"+OK bye\r\n"}, written));
    REQUIRE(written);
    CHECK(*written);
    // The client's is not.
    written.reset();
    sides.tasks.start(write_all(sides.at_client(), {"more"}, written));
    CHECK(!*written);
  }
}

TEST_CASE("damaged octets end the connection with an alert") {
  Sides sides{MemoryLink()};
  sides.shake();
  std::string got;
  std::optional<Failure> why;
  std::optional<Result<void>> written;
  sides.tasks.start(write_all(sides.at_client(), {"LOGIN"}, written));
  sides.link.in_flight(1)[8] = static_cast<char>(sides.link.in_flight(1)[8] ^ 1);
  sides.tasks.start(read_all(sides.at_server(), got, 5, why));
  sides.link.run();
  CHECK(got.empty());
  REQUIRE(why);
  CHECK(why->kind == Failure::Kind::closed);
  CHECK(!sides.link.in_flight(0).empty());
}

TEST_CASE("the deadline of a handshake, and plaintext where a hello is expected") {
  Sides silent{MemoryLink()};
  silent.tasks.start(silent.serve());
  silent.link.run();
  CHECK(!silent.server);
  silent.link.expire();
  REQUIRE(silent.server);
  CHECK((*silent.server).error().kind == Failure::Kind::timed_out);

  Sides plain{MemoryLink()};
  plain.link.in_flight(1) = "EHLO client.example\r\n";
  plain.tasks.start(plain.serve());
  plain.link.run();
  REQUIRE(plain.server);
  CHECK((*plain.server).error().kind == Failure::Kind::closed);
}

TEST_CASE("a handshake cut at every octet fails, and never hangs") {
  std::size_t whole = 0;
  {
    Sides sides{MemoryLink()};
    sides.tasks.start(sides.reach(contexts().verifying, {"mx.example.org", {}, {}}));
    whole = sides.link.in_flight(1).size();
  }
  REQUIRE(whole > 100);
  for (std::size_t cut = 0; cut < whole; cut += 7) {
    Sides sides{MemoryLink()};
    sides.tasks.start(sides.reach(contexts().verifying, {"mx.example.org", {}, {}}));
    sides.link.in_flight(1).resize(cut);
    auto other = sides.link.second();
    other->end();
    sides.tasks.start(sides.serve());
    sides.link.run();
    REQUIRE(sides.server);
    CHECK((*sides.server).error().kind == Failure::Kind::closed);
  }
}

TEST_RFC("6125 §6.4", "the name of the certificate counts where the context verifies") {
  struct Case {
    const char* host;
    bool good;
  };
  for (const auto& [host, good] :
       {Case{"mx.example.org", true}, Case{"a.example.net", true}, Case{"a.b.example.net", false},
        Case{"example.org", false}, Case{"127.0.0.1", false}}) {
    Sides strict{MemoryLink()};
    strict.shake(contexts().verifying, {host, {}, {}});
    REQUIRE(strict.client);
    CHECK(strict.client->has_value() == good);
    if (!good) CHECK(strict.client->error().kind == Failure::Kind::refused);

    // RFC 7435: opportunistic security takes what it gets, and knows what it was.
    Sides lax{MemoryLink()};
    lax.shake(contexts().opportunistic, {host, {}, {}});
    REQUIRE(lax.client);
    REQUIRE(*lax.client);
    CHECK(!(*lax.client)->summary.peer_verified);
    CHECK(!(*lax.client)->summary.peer_error.empty());
  }
}

TEST_RFC("7301 §3.2", "a client that offers only foreign protocols gets no_application_protocol") {
  struct Case {
    std::vector<std::string> ours, theirs;
    bool good;
    const char* agreed;
  };
  const std::vector<Case> cases = {{{"imap"}, {"imap"}, true, "imap"},
                                   {{"imap"}, {}, true, ""},
                                   {{}, {"h2"}, true, ""},
                                   {{"imap"}, {"h2", "http/1.1"}, false, ""},
                                   {{"h2", "http/1.1"}, {"http/1.1", "h2"}, true, "h2"}};
  for (const auto& [ours, theirs, good, agreed] : cases) {
    Sides sides{MemoryLink(), ours};
    sides.shake(contexts().verifying, {"mx.example.org", theirs, {}});
    REQUIRE(sides.server);
    REQUIRE(sides.client);
    CHECK(sides.server->has_value() == good);
    CHECK(sides.client->has_value() == good);
    if (good) CHECK((*sides.server)->summary.alpn == agreed);
    if (good) CHECK((*sides.client)->summary.alpn == agreed);
  }
}

TEST_RFC("7672 §3.1.1", "with DANE-EE the record alone decides") {
  const std::string fingerprint = crypto::summarize_certificate(contexts().certificate.chain_pem)->sha256;
  Sides good{MemoryLink()};
  good.shake(contexts().opportunistic, {"other.example", {}, {{3, 0, 1, fingerprint}}});
  REQUIRE(*good.client);
  CHECK((*good.client)->summary.peer_verified);

  Sides bad{MemoryLink()};
  bad.shake(contexts().opportunistic, {"mx.example.org", {}, {{3, 0, 1, std::string(32, 'x')}}});
  REQUIRE(!*bad.client);
  CHECK(bad.client->error().kind == Failure::Kind::refused);

  // RFC 7672 §3.1.3, §2.2: records that cannot be used leave encryption without authentication.
  Sides unusable{MemoryLink()};
  unusable.shake(contexts().opportunistic, {"mx.example.org", {}, {{1, 0, 1, fingerprint}}});
  REQUIRE(*unusable.client);
  CHECK(!(*unusable.client)->summary.peer_verified);
}

TEST_CASE("several certificates: the name asked for chooses, an unknown one gets the first") {
  const UtcTime now{1'790'000'000'000};
  const auto a = *crypto::make_self_signed({"a.example"}, now), b = *crypto::make_self_signed({"b.example"}, now),
             c = *crypto::make_self_signed({"*.c.example"}, now);
  const auto server = *crypto::TlsServerContext::make({{a, b, c}});
  const std::pair<const char*, const char*> cases[] = {{"a.example", "CN=a.example"},
                                                       {"B.EXAMPLE", "CN=b.example"},
                                                       {"x.c.example", "CN=*.c.example"},
                                                       {"x.y.c.example", "CN=a.example"},
                                                       {"", "CN=a.example"}};
  for (const auto& [host, subject] : cases) {
    MemoryLink link;
    std::optional<Result<tls::Secured>> at_server, at_client;
    TaskGroup tasks;
    auto serve = [](MemoryLink& on, auto context, auto& to) -> Task<void> {
      to = co_await tls::accept(on.first(), context, {}, Instant::never());
    };
    auto reach = [](MemoryLink& on, std::string name, auto& to) -> Task<void> {
      crypto::TlsClientParameters parameters{name, {}, {}};
      to = co_await tls::connect(on.second(), contexts().opportunistic, parameters, Instant::never());
    };
    tasks.start(serve(link, server, at_server));
    tasks.start(reach(link, host, at_client));
    link.run();
    REQUIRE(*at_client);
    CHECK((*at_client)->summary.peer_subject == subject);
  }
}

TEST_CASE("certificates and keys that do not fit are refused with their position") {
  const UtcTime now{1'790'000'000'000};
  const auto a = *crypto::make_self_signed({"a.example"}, now), b = *crypto::make_self_signed({"b.example"}, now);
  CHECK(!crypto::TlsServerContext::make({}));
  const auto mixed = crypto::TlsServerContext::make({{a, {a.chain_pem, b.key_pem}}});
  REQUIRE(!mixed);
  CHECK(mixed.error().text == "Certificate 2: the key does not belong to the first certificate of the chain");
  CHECK(!crypto::TlsServerContext::make({{{"", a.key_pem}}}));
  CHECK(!crypto::TlsServerContext::make({{{a.chain_pem, "nothing"}}}));
  for (std::size_t cut = 0; cut < a.chain_pem.size() - 2; cut += 11) {
    CHECK(!crypto::TlsServerContext::make({{{a.chain_pem.substr(0, cut), a.key_pem}}}));
  }
  const auto summary = crypto::summarize_certificate(a.chain_pem);
  REQUIRE(summary);
  CHECK(summary->dns_names == std::vector<std::string>{"a.example"});
  CHECK(summary->not_before.milliseconds == now.milliseconds - 3'600'000);
  CHECK(summary->not_after.milliseconds == now.milliseconds + 3650ll * 86'400'000);
  CHECK(!crypto::summarize_certificate("x"));
}
