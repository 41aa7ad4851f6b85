#include "delivery/office_test.hpp"
#include "rfc_test.hpp"
#include "store/key.hpp"

using namespace facteur;
using namespace facteur::delivery;

namespace {
constexpr const char* zone = R"(
  elsewhere.example MX 10 mx.elsewhere.example
  mx.elsewhere.example A 192.0.2.1
)";
}

TEST_CASE("remote: a letter arrives whole at the exchanger, once, and leaves the queue") {
  Office office(1);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.start();
  office.send({"carl@elsewhere.example", "dora@elsewhere.example"});
  REQUIRE(office.run_until_empty(5min));
  REQUIRE(peer.messages.size() == 1);
  CHECK(peer.messages[0].sender == "anne@example.org");
  CHECK(peer.messages[0].recipients == std::vector<std::string>{"carl@elsewhere.example", "dora@elsewhere.example"});
  CHECK(peer.messages[0].content.starts_with("Received: by mx.example.org\r\nSubject: "));
  CHECK(peer.messages[0].content.ends_with("Hello\r\n.dot\r\n"));
  CHECK(office.postman->status().delivered == 2);
}

TEST_CASE("remote: several letters to one destination share connections, at most five at once") {
  Office office(2);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.start();
  for (int i = 0; i < 60; ++i) office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_empty(5min));
  CHECK(peer.messages.size() == 60);
  CHECK(peer.most_open <= 5);
  CHECK(peer.connections < 60);
}

TEST_CASE("remote: a peer that closes a connection after some letters, without a word, delays none") {
  Office office(20);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  peer.most_messages = 3;
  office.start();
  for (int i = 0; i < 60; ++i) office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_empty(1min));
  CHECK(peer.messages.size() == 60);
  CHECK(peer.connections >= 20);
  CHECK(office.world.events.count("delivery_recipient_deferred") == 0);
}

TEST_CASE("remote: a connection that carried several letters waits a moment for the next one, then says goodbye") {
  Office office(21);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.parameters.keep_connection = 10s;
  office.start();
  const auto send = [&](std::size_t count) {
    const auto before = peer.messages.size();
    for (std::size_t i = 0; i < count; ++i) office.send({"carl@elsewhere.example"});
    REQUIRE(office.world.run_until([&] { return peer.messages.size() == before + count; }, 1min));
    office.world.run_for(5s);
  };
  send(1);
  CHECK(peer.open == 0);  // One letter: nothing says that more will come.
  send(60);
  const auto before = peer.connections;
  for (int i = 0; i < 5; ++i) {
    CHECK(peer.open > 0);
    send(1);
  }
  CHECK(peer.connections == before);
  office.world.run_for(6s);
  CHECK(peer.open == 0);
  CHECK(office.postman->status().connections == 0);
}

TEST_CASE("remote: a connection that waits for letters gives its place to another destination") {
  Office office(22);
  office.world.zone.add(zone);
  office.world.zone.add("other.example A 192.0.2.2\n");
  office.parameters.concurrency = 1;
  office.parameters.keep_connection = 1h;
  Peer peer(office.world, peer_address);
  Peer other(office.world, IpAddress::v4(192, 0, 2, 2));
  office.start();
  for (int i = 0; i < 5; ++i) office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_empty(1min));
  CHECK(peer.open == 1);
  office.send({"dora@other.example"});
  REQUIRE(office.run_until_empty(1min));
  CHECK(peer.open == 0);
  CHECK(other.messages.size() == 1);
}

TEST_RFC("5321 §5.1", "all exchangers are tried in order, and if all are down the mail waits") {
  Office office(3);
  office.world.zone.add(R"(
    elsewhere.example MX 10 dead.elsewhere.example
    elsewhere.example MX 20 nowhere.elsewhere.example
    elsewhere.example MX 30 mx.elsewhere.example
    dead.elsewhere.example A 192.0.2.99
    mx.elsewhere.example A 192.0.2.1
  )");
  office.start();
  {
    Peer peer(office.world, peer_address);
    office.send({"carl@elsewhere.example"});
    REQUIRE(office.run_until_empty(5min));
    CHECK(peer.messages.size() == 1);
  }
  office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 1));
  CHECK_FALSE(office.empty());
  Peer again(office.world, peer_address);
  REQUIRE(office.run_until_empty(1h));
  CHECK(again.messages.size() == 1);
}

TEST_RFC("7505 §3", "null MX, missing domains and mail for ourselves are final at the first attempt") {
  const std::pair<const char*, const char*> cases[] = {
      {"null.example", "5.1.10"}, {"missing.example", "5.1.2"}, {"loop.example", "5.4.6"}, {"looped.example", "5.4.6"},
      {"bare.example", "5.1.2"},  {"hollow.example", "5.4.4"},  {"zero.example", "5.4.6"}};
  for (const auto& [domain, status] : cases) {
    CAPTURE(domain);
    Office office(4);
    office.world.zone.add(R"(
      null.example MX 0 .
      loop.example MX 5 mx.example.org
      looped.example MX 5 cname.example
      cname.example A 10.0.0.1
      bare.example TXT nothing
      hollow.example MX 1 gone.example
      zero.example A 0.0.0.0
    )");
    office.start();
    office.send({std::string("carl@") + domain});
    REQUIRE(office.run_until_seen("delivery_recipient_failed", 1, 1min));
    const auto& seen = office.world.events.seen();
    const auto failed = std::ranges::find(seen, "delivery_recipient_failed", &sim::Events::Seen::name);
    CHECK(failed->field("status") == status);
    REQUIRE(office.run_until_empty(5min));
    REQUIRE(office.mailboxes->filed().size() == 1);  // The report.
    CHECK(office.mailboxes->filed()[0].text.find(status) != std::string::npos);
  }
}

TEST_RFC("5321 §6.1", "a DNS outage of four days returns nothing, and all arrives afterwards") {
  for (const auto weather : {sim::Zone::Weather::servfail, sim::Zone::Weather::timeout, sim::Zone::Weather::mixed}) {
    Office office(5);
    office.world.zone.add(zone);
    Peer peer(office.world, peer_address);
    office.start();
    office.world.zone.weather(weather);
    for (int i = 0; i < 50; ++i) office.send({"carl@elsewhere.example"});
    office.world.run_for(24h * 4 + 23h);
    CHECK(office.world.events.count("delivery_recipient_failed") == 0);
    office.world.zone.weather(sim::Zone::Weather::fair);
    REQUIRE(office.run_until_empty(12h));
    CHECK(peer.messages.size() == 50);
    CHECK(office.postman->status().failed == 0);
  }
}

TEST_CASE("remote: 4xx and 5xx for some recipients touch only these") {
  Office office(6);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  int refusals = 2;
  peer.accept_recipient = [&refusals](const std::string& address) -> smtp::Reply {
    if (address.starts_with("gone")) return {550, "5.1.1", "No such user"};
    if (address.starts_with("later") && refusals-- > 0) return {450, "4.2.1", "Later"};
    return {250, "2.1.5", ""};
  };
  office.start();
  office.send({"carl@elsewhere.example", "gone@elsewhere.example", "later@elsewhere.example"});
  REQUIRE(office.run_until_empty());
  REQUIRE(peer.messages.size() == 2);
  CHECK(peer.messages[0].recipients == std::vector<std::string>{"carl@elsewhere.example"});
  CHECK(peer.messages[1].recipients == std::vector<std::string>{"later@elsewhere.example"});
  CHECK(office.postman->status().failed == 1);
  REQUIRE(office.mailboxes->filed().size() == 1);
  const auto report = office.mailboxes->filed()[0].text;
  CHECK(report.find("Return-Path: <>") != std::string::npos);
  CHECK(report.find("gone@elsewhere.example") != std::string::npos);
  CHECK(report.find("550") != std::string::npos);
  CHECK(report.find("later@elsewhere.example") == std::string::npos);
}

TEST_CASE("remote: a connection that dies before the reply is never success") {
  Office office(7);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  peer.drop_after_content = true;
  office.start();
  office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 1));
  CHECK(peer.messages.size() == 1);
  CHECK_FALSE(office.empty());
  peer.drop_after_content = false;
  REQUIRE(office.run_until_empty());
  CHECK(peer.messages.size() == 2);  // RFC 1047: at most one double for each lost reply.
}

TEST_CASE("remote: a network that resets, stalls and refuses delays mail and loses none") {
  std::size_t doubles = 0;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    Office office(seed);
    office.world.zone.add(zone);
    office.world.internet.weather.reset_per_mille = 300;
    office.world.internet.weather.stalled_per_mille = 100;
    office.world.internet.weather.refused_per_mille = 200;
    office.world.internet.weather.most_octets_before = 800;
    Peer peer(office.world, peer_address);
    office.start();
    std::set<std::string> subjects;
    for (int i = 0; i < 10; ++i) office.send({"carl@elsewhere.example"});
    REQUIRE(office.run_until_empty());
    for (const auto& message : peer.messages) subjects.insert(message.content);
    CHECK(subjects.size() == 10);
    CHECK(office.postman->status().failed == 0);
    doubles += peer.messages.size() - subjects.size();
  }
  CHECK(doubles < 30);
}

TEST_CASE("remote: greetings 421 and 554 of one exchanger lead to the next") {
  for (const int code : {421, 554}) {
    Office office(8);
    office.world.zone.add(R"(
      elsewhere.example MX 10 busy.elsewhere.example
      elsewhere.example MX 20 mx.elsewhere.example
      busy.elsewhere.example A 192.0.2.7
      mx.elsewhere.example A 192.0.2.1
    )");
    Peer busy(office.world, IpAddress::v4(192, 0, 2, 7));
    busy.accept_client = [code] { return smtp::Reply{code, "", "No"}; };
    Peer peer(office.world, peer_address);
    office.start();
    office.send({"carl@elsewhere.example"});
    REQUIRE(office.run_until_empty(10min));
    CHECK(peer.messages.size() == 1);
  }
}

TEST_CASE("remote: static routes by SMTP and LMTP, and a smarthost by name") {
  Office office(9);
  office.world.zone.add("relay.example A 192.0.2.8");
  office.routing.routes = {{{"corp.example"}, {routing::NextHop::Kind::server, "192.0.2.9", 24, true}}};
  office.routing.smarthost = routing::NextHop{routing::NextHop::Kind::smarthost, "relay.example", 587, false};
  office.parameters.smarthost_tls_required = false;
  Peer lmtp(office.world, IpAddress::v4(192, 0, 2, 9), 24, true);
  Peer relay(office.world, IpAddress::v4(192, 0, 2, 8), 587);
  office.start();
  office.send({"carl@corp.example", "dora@corp.example", "eve@anywhere.example"});
  REQUIRE(office.run_until_empty(10min));
  REQUIRE(lmtp.messages.size() == 1);
  CHECK(lmtp.messages[0].recipients.size() == 2);
  REQUIRE(relay.messages.size() == 1);
  CHECK(relay.messages[0].recipients == std::vector<std::string>{"eve@anywhere.example"});
}

TEST_CASE("remote: a smarthost that must have TLS and has none gets nothing, and nothing is returned") {
  Office office(10);
  office.world.zone.add("relay.example A 192.0.2.8");
  office.routing.smarthost = routing::NextHop{routing::NextHop::Kind::smarthost, "relay.example", 587, false};
  Peer relay(office.world, IpAddress::v4(192, 0, 2, 8), 587);
  office.start();
  office.send({"eve@anywhere.example"});
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 3));
  CHECK(relay.messages.empty());
  CHECK(office.postman->status().failed == 0);
}

TEST_CASE("remote: what cannot be reached by SMTPUTF8 or may not be relayed is returned, not changed") {
  Office office(18);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.start();
  // S2: a message with a bare LF inside, as an import could have brought it, never leaves.
  office.send({"carl@elsewhere.example"}, "anne@example.org",
              [](queue::Entry& entry) { entry.prefix = "X: a\nMAIL FROM:<x>\r\n"; });
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.empty());
  CHECK(office.postman->status().failed == 1);
}

TEST_RFC("6152 §3", "a server without 8BITMIME gets 7-bit mail, or what must not be converted comes back with 5.6.3") {
  Office office(19);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  peer.hidden = {"8BITMIME"};
  office.start();
  office.text = "Subject: x\r\n\r\nd\xc3\xa9j\xc3\xa0 vu\r\n";
  office.send({"carl@elsewhere.example"}, "anne@example.org", [](queue::Entry& entry) { entry.body_8bit = true; });
  REQUIRE(office.run_until_empty(1h));
  REQUIRE(peer.messages.size() == 1);
  CHECK(peer.messages[0].content ==
        "Received: by mx.example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\nd=C3=A9j=C3=A0 vu\r\n");
  office.text =
      "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nd\xc3\xa9j\xc3\xa0\r\n--s\r\n\r\nsig\r\n--s--\r\n";
  office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.size() == 1);
  CHECK(office.postman->status().failed == 1);
  REQUIRE(office.mailboxes->filed().size() == 1);
  CHECK(office.mailboxes->filed()[0].text.find("Status: 5.6.3\r\n") != std::string::npos);
  // Where 8BITMIME is offered, nothing is changed, declared or not.
  peer.hidden.clear();
  office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_empty(1h));
  REQUIRE(peer.messages.size() == 2);
  CHECK(peer.messages[1].content.ends_with(office.text));
}

TEST_RFC("6531 §3.2", "to a server without SMTPUTF8, what needs it comes back with 5.6.7, the rest is ordinary mail") {
  Office office(20);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  peer.hidden = {"SMTPUTF8"};
  office.start();
  const auto international = [](queue::Entry& entry) { entry.smtputf8 = true; };
  office.text = "Subject: plain\r\n\r\nd\xc3\xa9j\xc3\xa0\r\n";
  office.send({"carl@elsewhere.example"}, "anne@example.org", international);
  REQUIRE(office.run_until_empty(1h));
  REQUIRE(peer.messages.size() == 1);
  CHECK(peer.messages[0].content.ends_with(office.text));
  office.text = "Subject: d\xc3\xa9j\xc3\xa0\r\n\r\nx\r\n";
  office.send({"carl@elsewhere.example"}, "anne@example.org", international);
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.size() == 1);
  REQUIRE(office.mailboxes->filed().size() == 1);
  CHECK(office.mailboxes->filed()[0].text.find("Status: 5.6.7\r\n") != std::string::npos);
}
