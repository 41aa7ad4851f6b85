// A whole server in the simulated world: budgets, drain, reload, bugs, monitoring, the operator's commands.
#include "server/assembly.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "directory/store_directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "message/structure.hpp"
#include "rfc_test.hpp"
#include "server/control.hpp"
#include "server/listener.hpp"
#include "server/metrics_service.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

using namespace facteur;
using namespace facteur::server;

namespace {

namespace json = boost::json;
const IpAddress server_address = IpAddress::v4(192, 0, 2, 1);

constexpr std::string_view base_configuration =
    "hostname = \"mx.example.org\"\ndomains = [\"example.org\"]\npostmaster = \"anne@example.org\"\n"
    "[server]\nmetrics = \"192.0.2.1:9125\"\n"
    "[limits]\nconnections_per_address = 2\ndrain_timeout = \"5s\"\n"
    "[directory]\nargon2_memory = \"8 MiB\"\nargon2_passes = 1\n"
    "[[listener]]\nprotocol = \"exchanger\"\nport = 25\n"
    "[[listener]]\nprotocol = \"imap\"\nport = 993\ntls = \"implicit\"\n";

// A machine with one server, and others to call it from.
struct Stage {
  explicit Stage(std::string configuration = std::string(base_configuration), unsigned shards = 2)
      : text(std::move(configuration)),
        world(11),
        machine(world, {.addresses = {server_address}, .shards = shards}),
        client(world, {.addresses = {IpAddress::v4(192, 0, 2, 7), IpAddress::v4(192, 0, 2, 8)}}),
        engine(store::make_memory_engine({.shards = machine.shards, .clock = machine.clock})) {
    auto loaded = config::parse({{"facteur.toml", text}});
    REQUIRE(to_string(loaded.problems) == "");
    Doors doors{.clock = machine.clock,
                .network = machine.network,
                .disk = machine.disk,
                .random = machine.random,
                .shards = machine.shards,
                .resolver = machine.resolver,
                .read_file = [this](const std::string& path) -> Result<std::string> {
                  if (files.contains(path)) return files[path];
                  return failure(Failure::Kind::permanent, "test", "no such file");
                },
                .metrics = [] { return std::string("facteur_up 1\n"); }};
    server = std::make_unique<Server>(std::move(doors), world.events, *engine, "0123",
                                      std::make_shared<const config::Config>(std::move(loaded.config)),
                                      [this] { return config::parse({{"facteur.toml", text}}); });
  }
  ~Stage() {
    if (server) stop();
  }

  template <class T>
  T finish(Task<T> task, sim::Machine& where, Duration limit = 24h) {
    struct Run {
      static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
    };
    std::optional<T> out;
    TaskGroup group;
    where.shards.run(0, [&] { group.start(Run::to(std::move(task), out)); });
    REQUIRE(world.run_until([&] { return out.has_value(); }, limit));
    return std::move(*out);
  }
  Result<void> start() { return finish(server->start(), machine); }
  void stop() {
    struct Run {
      static Task<bool> now(Server& server) {
        co_await server.stop();
        co_return true;
      }
    };
    finish(Run::now(*server), machine);
    server.reset();
  }

  std::unique_ptr<world::Stream> connect(std::uint16_t port, IpAddress from = IpAddress::v4(192, 0, 2, 7)) {
    auto stream = finish(connecting(port, from), client);
    return stream ? std::move(*stream) : nullptr;
  }
  Task<Result<std::unique_ptr<world::Stream>>> connecting(std::uint16_t port, IpAddress from) {
    co_return co_await client.network.connect({server_address, port}, client.clock.now() + 10s, &from);
  }
  // What comes until the peer ends, nothing comes for `quiet`, or `until` was seen.
  std::string read(world::Stream& stream, std::string until = "\n", Duration quiet = 10s) {
    return finish(reading(stream, std::move(until), quiet), client);
  }
  Task<std::string> reading(world::Stream& stream, std::string until, Duration quiet) {
    std::string out;
    char room[512];
    while (until.empty() || out.find(until) == std::string::npos) {
      auto count = co_await stream.read(Room(room), client.clock.now() + quiet);
      if (!count || *count == 0) break;
      out.append(room, *count);
    }
    co_return out;
  }
  void write(world::Stream& stream, std::string text_to_send) {
    REQUIRE(finish(writing(stream, std::move(text_to_send)), client));
  }
  Task<bool> writing(world::Stream& stream, std::string octets) {
    auto written = co_await stream.write(octets, client.clock.now() + 10s);
    co_return written.has_value();
  }
  json::value ask(const json::object& request) {
    return json::parse(finish(server->command(json::serialize(request)), machine));
  }

  std::string text;
  std::map<std::string, std::string> files;
  sim::World world;
  sim::Machine machine;
  sim::Machine client;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<Server> server;
};

bool good(const json::value& reply) { return reply.at("ok").as_bool(); }

}  // namespace

TEST_RFC("5321 §3.8", "a connection too many gets 421, others go on, places come back") {
  Stage s;
  REQUIRE(s.start());
  auto first = s.connect(25);
  auto second = s.connect(25);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(s.read(*first).starts_with("220 mx.example.org"));
  CHECK(s.read(*second).starts_with("220 "));
  auto third = s.connect(25);
  REQUIRE(third);
  CHECK(s.read(*third, "").starts_with("421 4.7.0 mx.example.org Too many connections"));
  auto other = s.connect(25, IpAddress::v4(192, 0, 2, 8));
  REQUIRE(other);
  CHECK(s.read(*other).starts_with("220 "));
  s.write(*first, "QUIT\r\n");
  CHECK(s.read(*first, "").starts_with("221 "));
  first.reset();
  s.world.run_for(1s);
  auto again = s.connect(25);
  REQUIRE(again);
  CHECK(s.read(*again).starts_with("220 "));
}

TEST_CASE("RELIABILITY R7: when all places are taken, the oldest connection without login or message goes") {
  std::string few(base_configuration);
  few.replace(few.find("connections_per_address = 2"), 27, "connections_per_address = 100\nconnections = 12");
  few += "[[listener]]\nprotocol = \"imap\"\nport = 143\n[[listener]]\nprotocol = \"pop3\"\nport = 110\n";
  Stage s(few, 1);  // Each shard ends its own oldest: with one it is known which.
  REQUIRE(s.start());
  REQUIRE(good(s.ask({{"command", "account.add"}, {"address", "anne@example.org"}, {"password", "secret"}})));
  const auto hears = [&](world::Stream& stream, const std::string& what) {
    std::string got;
    while (!got.contains(what) || !got.ends_with("\r\n")) {
      const auto more = s.read(stream);
      if (more.empty()) return false;
      got += more;
    }
    return true;
  };
  // Two have handed a message over: they stay, though they are the oldest.
  std::vector<std::unique_ptr<world::Stream>> proven;
  for (int i = 0; i < 2; ++i) {
    proven.push_back(s.connect(25));
    REQUIRE(proven.back());
    CHECK(hears(*proven.back(), "220 "));
    s.write(*proven.back(), "EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<anne@example.org>\r\nDATA\r\n");
    CHECK(hears(*proven.back(), "354 "));
    s.write(*proven.back(), "From: a@b.example\r\n\r\nx\r\n.\r\n");
    CHECK(hears(*proven.back(), "250 2.0.0 Ok"));
  }
  struct Client {
    std::uint16_t port;
    std::unique_ptr<world::Stream> stream;
  };
  const auto words = [](std::uint16_t port) -> std::string {
    return port == 25 ? "421 4.3.2 " : port == 143 ? "* BYE [UNAVAILABLE] " : "-ERR [SYS/TEMP] ";
  };
  std::vector<Client> idle;
  for (int i = 0; i < 10; ++i) {
    const std::uint16_t port = std::array<std::uint16_t, 4>{25, 143, 110, 993}[static_cast<std::size_t>(i) % 4];
    idle.push_back({port, s.connect(port)});
    REQUIRE(idle.back().stream);
    if (port != 993) CHECK(hears(*idle.back().stream, port == 25 ? "220 " : "OK"));  // 993: within the handshake.
    s.world.run_for(1s);
  }
  // As many newcomers as there are idle ones: every one comes in, each for an older one.
  std::vector<Client> newcomers;
  for (int i = 0; i < 10; ++i) {
    newcomers.push_back({25, s.connect(25, IpAddress::v4(192, 0, 2, 8))});
    REQUIRE(newcomers.back().stream);
    CHECK(hears(*newcomers.back().stream, "220 "));
    s.world.run_for(100ms);
  }
  const auto lives = [&](world::Stream& stream) {
    return s.finish(s.writing(stream, "NOOP\r\n"), s.client) && hears(stream, "250 ");
  };
  // One for one: all who were idle have gone, with a word where one could be said; those who came last are there.
  for (auto& client : idle) {
    CAPTURE(client.port);
    const auto last = s.read(*client.stream, "", 100ms);
    if (client.port != 993) CHECK(last.starts_with(words(client.port)));
    const bool gone =
        !s.finish(s.writing(*client.stream, "NOOP\r\n"), s.client) || s.read(*client.stream, "\n", 1s).empty();
    CHECK(gone);
  }
  CHECK(std::ranges::all_of(proven, [&](auto& stream) { return lives(*stream); }));
  CHECK(std::ranges::all_of(newcomers, [&](auto& client) { return lives(*client.stream); }));
  // The operator's look-ups need no place.
  auto metrics = s.connect(9125);
  REQUIRE(metrics);
  s.write(*metrics, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(s.read(*metrics).starts_with("HTTP/1.1 200"));
}

TEST_CASE("RELIABILITY R7: who makes room and does not read its farewell goes all the same") {
  std::string few(base_configuration);
  few.replace(few.find("connections_per_address = 2"), 27, "connections_per_address = 100\nconnections = 10");
  Stage s(few, 1);  // Each shard ends its own oldest: with one it is known which.
  REQUIRE(s.start());
  std::vector<std::unique_ptr<world::Stream>> deaf;
  for (int i = 0; i < 10; ++i) {
    deaf.push_back(s.connect(25));
    REQUIRE(deaf.back());
    // Asks a lot, and reads nothing of it.
    std::string many = "EHLO a.example\r\n";
    for (int k = 0; k < 20'000; ++k) many += "HELP\r\n";
    struct Push {
      static Task<bool> at(Stage& stage, world::Stream& stream, std::string octets) {
        auto written = co_await stream.write(octets, stage.client.clock.now() + 1s);
        co_return written.has_value();
      }
    };
    (void)s.finish(Push::at(s, *deaf.back(), std::move(many)), s.client);
  }
  // They stay, so each needs a place of its own.
  std::vector<std::unique_ptr<world::Stream>> newcomers;
  for (int i = 0; i < 10; ++i) {
    newcomers.push_back(s.connect(25, IpAddress::v4(192, 0, 2, 8)));
    REQUIRE(newcomers.back());
    CHECK(s.read(*newcomers.back()).starts_with("220 "));
    s.world.run_for(2s);
  }
  std::size_t gone = 0;
  for (auto& stream : deaf) {
    (void)s.read(*stream, "", 5s);  // What lay in the buffers still comes; then the end.
    if (!s.finish(s.writing(*stream, "NOOP\r\n"), s.client) || s.read(*stream, "\n", 5s).empty()) ++gone;
  }
  CHECK(gone == 10);
}

TEST_CASE("a stopping server says 421 to idle clients, takes no more, and ends within its time") {
  Stage s;
  REQUIRE(s.start());
  auto idle = s.connect(25);
  REQUIRE(idle);
  CHECK(s.read(*idle).starts_with("220 "));
  const Instant before = s.machine.clock.now();
  s.stop();
  CHECK(s.machine.clock.now() - before < 10s);
  CHECK(s.read(*idle, "").starts_with("421 "));
  CHECK(!s.connect(25));
}

TEST_CASE("the drain deadline closes a client that never ends") {
  Stage s;
  REQUIRE(s.start());
  auto stuck = s.connect(25);
  REQUIRE(stuck);
  CHECK(s.read(*stuck).starts_with("220 "));
  s.write(*stuck, "EHLO c.example\r\n");
  s.read(*stuck, "250 ");
  s.write(*stuck, "MAIL FROM:<>\r\nRCPT TO:<postmaster@example.org>\r\nDATA\r\n");
  s.stop();
  CHECK(s.world.events.count("server_stopped") == 1);
}

TEST_CASE("a handshake that never comes ends at its deadline and harms nobody") {
  Stage s;
  REQUIRE(s.start());
  auto silent = s.connect(993);
  auto noise = s.connect(993);
  REQUIRE(silent);
  REQUIRE(noise);
  s.write(*noise, "GET / HTTP/1.1\r\n\r\n");
  CHECK(s.read(*silent, "", 60s).empty());
  s.world.run_for(1s);
  CHECK(s.world.events.count("tls_handshake_failed") == 2);
  CHECK(s.connect(25));
}

TEST_CASE("the monitoring port: metrics, health, and nothing else") {
  Stage s;
  REQUIRE(s.start());
  const auto get = [&](const std::string& request) {
    auto stream = s.connect(9125);
    REQUIRE(stream);
    s.write(*stream, request);
    return s.read(*stream, "");
  };
  CHECK(get("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(get("GET /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nfacteur_up 1\n"));
  CHECK(get("HEAD /metrics HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n"));
  CHECK(get("GET /secret HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(get("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
  CHECK(get("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(get(std::string(10000, 'x')).starts_with("HTTP/1.1 400 "));
  s.engine->set_health(store::Engine::Health::read_only);
  CHECK(get("GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503 "));
}

TEST_CASE("a bad configuration changes nothing and says all; a good one is in force at once") {
  Stage s;
  REQUIRE(s.start());
  const std::string before = s.text;
  s.text += "[queue]\nretries = 5\nexpiry = \"never\"\n";
  auto problems = s.finish(s.server->reload(), s.machine);
  CHECK(problems.find("facteur.toml:20: there is no option queue.retries; did you mean queue.retry?") !=
        std::string::npos);
  CHECK(problems.find("facteur.toml:21: queue.expiry: must be a duration") != std::string::npos);
  CHECK(s.server->config()->queue.expiry == 120h);

  auto old = s.connect(25);
  REQUIRE(old);
  CHECK(s.read(*old).starts_with("220 mx.example.org"));
  s.text = before;
  s.text.replace(s.text.find("\"example.org\"]"), 13, "\"example.org\", \"new.example\"");
  s.text.replace(s.text.find("port = 25\n"), 10, "port = 2525\n");
  s.text.replace(s.text.find("[limits]\n"), 9, "[limits]\nmessage_size = \"1 MiB\"\n");
  CHECK(s.finish(s.server->reload(), s.machine).empty());
  CHECK(s.server->config()->domains.size() == 2);
  CHECK(!s.connect(25));
  auto moved = s.connect(2525);
  REQUIRE(moved);
  CHECK(s.read(*moved).starts_with("220 "));
  s.write(*moved, "EHLO c.example\r\n");
  CHECK(s.read(*moved, "250 ").find("250-SIZE 1048576\r\n") != std::string::npos);
  s.write(*old, "NOOP\r\n");
  CHECK(s.read(*old).starts_with("250 "));  // It goes on over the listener that is closed now.
  CHECK(good(s.ask({{"command", "account.add"}, {"address", "carl@new.example"}, {"password", "x"}})));

  s.text.replace(s.text.find("[server]\n"), 9, "[server]\ndata = \"/elsewhere\"\n");
  CHECK(s.finish(s.server->reload(), s.machine) == "server.data cannot change while the server runs\n");
}

TEST_CASE("certificates: one is made and kept; files replace it without a restart; bad ones leave the old in force") {
  Stage s;
  REQUIRE(s.start());
  CHECK(s.world.events.count("self_signed_certificate_made") == 1);
  const std::string made = s.machine.disk.content("keys/self-signed.crt");
  CHECK(crypto::summarize_certificate(made)->dns_names.front() == "mx.example.org");

  const auto mine = crypto::make_self_signed({"mx.example.org"}, s.machine.clock.utc());
  s.files["/c"] = mine->chain_pem;
  s.files["/k"] = "no key";
  s.text += "[[tls.certificate]]\ncertificate = \"/c\"\nkey = \"/k\"\n";
  CHECK(!s.finish(s.server->reload(), s.machine).empty());
  CHECK(s.world.events.count("certificates_reloaded") == 0);
  s.files["/k"] = mine->key_pem;
  CHECK(s.finish(s.server->reload(), s.machine).empty());
  CHECK(s.world.events.count("certificates_reloaded") == 1);
  CHECK(s.finish(s.server->reload(), s.machine).empty());
  CHECK(s.world.events.count("certificates_reloaded") == 1);  // Nothing new.

  // A renewed file is taken up by itself, within the minute.
  const auto renewed = crypto::make_self_signed({"mx.example.org"}, s.machine.clock.utc());
  s.files["/c"] = renewed->chain_pem;
  s.files["/k"] = renewed->key_pem;
  s.world.run_for(60s);
  CHECK(s.world.events.count("certificates_reloaded") == 2);
  s.files.erase("/k");
  s.world.run_for(60s);
  CHECK(s.world.events.count("certificates_not_reloaded") == 1);  // Said once.
  s.stop();

  observe::Scope scope(s.world.events);
  Certificates again(s.machine.disk, s.machine.clock, {}, scope);
  config::Config config;
  config.hostname = "mx.example.org";
  CHECK(again.load(config));
  CHECK(s.world.events.count("self_signed_certificate_made") == 1);  // The one on the disk.
  config.hostname = "other.example.org";
  CHECK(again.load(config));
  CHECK(s.world.events.count("self_signed_certificate_made") == 2);
}

TEST_CASE("undelete: a removed account, and all of a domain, come back by command") {
  Stage s;
  REQUIRE(s.start());
  const auto ask = [&](json::object request) { return s.ask(request); };
  CHECK(good(ask({{"command", "domain.add"}, {"name", "new.example"}})));
  for (const auto* address : {"anne@new.example", "bert@new.example"}) {
    CHECK(good(ask({{"command", "account.add"}, {"address", address}, {"password", "x"}})));
    CHECK(good(ask({{"command", "account.remove"}, {"address", address}})));
  }
  CHECK(ask({{"command", "undelete.list"}}).at("result").at("accounts").as_array().size() == 2);

  const auto refused = ask({{"command", "account.add"}, {"address", "anne@new.example"}, {"password", "x"}});
  CHECK(refused.at("code").as_string() == directory::account_was_removed);
  CHECK(refused.at("error").as_string().find("--reattach") != json::string::npos);
  const auto back = ask({{"command", "account.add"}, {"address", "anne@new.example"}, {"reattach", true}});
  REQUIRE(good(back));
  CHECK(back.at("result").at("id").as_int64() == 1);
  CHECK(good(ask({{"command", "account.remove"}, {"address", "anne@new.example"}})));
  CHECK(good(ask({{"command", "undelete.restore"}, {"address", "anne@new.example"}})));
  CHECK(!good(ask({{"command", "undelete.restore"}, {"address", "anne@new.example"}})));  // Which messages?
  CHECK(!good(ask({{"command", "undelete.restore"}, {"address", "nobody@new.example"}})));
  CHECK(ask({{"command", "undelete.restore"}, {"address", "anne@new.example"}, {"all", true}})
            .at("result")
            .at("messages")
            .as_int64() == 0);
  CHECK(!good(ask({{"command", "account.add"}, {"address", "carl@new.example"}, {"reattach", true}})));

  CHECK(good(ask({{"command", "account.remove"}, {"address", "anne@new.example"}})));
  CHECK(good(ask({{"command", "domain.remove"}, {"name", "new.example"}})));
  const auto told = ask({{"command", "domain.add"}, {"name", "new.example"}});
  CHECK(told.at("result").at("removed_accounts").as_array().size() == 2);
  CHECK(good(ask({{"command", "domain.remove"}, {"name", "new.example"}})));
  const auto whole = ask({{"command", "domain.add"}, {"name", "new.example"}, {"reattach", true}});
  CHECK(whole.at("result").at("restored_accounts").as_array().size() == 2);
  CHECK(ask({{"command", "account.list"}}).at("result").as_array().size() == 2);
}

TEST_CASE("undelete: messages of an account are listed, found by their text, and restored by folder and by id") {
  Stage s;
  const auto ask = [&](json::object request) { return s.ask(request); };
  // Before the server begins: two services must not write to one account.
  directory::Settings settings;
  settings.domains = {"example.org"};
  settings.cost = {8, 1, 1};
  directory::StoreDirectory before(*s.engine, s.machine.shards, s.machine.random, settings);
  REQUIRE(s.finish(before.add_account({"anne@example.org", {""}, "", {}, false}), s.machine));
  const auto boxes = mailbox::make_mailboxes(*s.engine, s.machine.shards, s.machine.clock, s.machine.random,
                                             observe::Scope(s.world.events),
                                             [](Bytes p, Bytes c) { return message::make_structure(p, c); });
  const mailbox::AccountId anne{1};
  REQUIRE(s.finish(boxes->create_account(anne), s.machine));
  for (const std::string name : {"Work", "Work/Old", "Else"}) {
    mailbox::NewMessage message;
    message.octets = "From: x@example.org\r\nSubject: About " + name + "\r\n\r\nbody\r\n";
    std::vector<mailbox::Placing> placings(1);
    placings[0].account = anne;
    placings[0].path = name;
    placings[0].create = true;
    REQUIRE(s.finish(boxes->file(std::move(message), std::move(placings)), s.machine));
  }
  for (const std::string name : {"Work/Old", "Work", "Else"}) REQUIRE(s.finish(boxes->remove(anne, name), s.machine));

  REQUIRE(s.start());

  const json::object of_anne{{"command", "undelete.list"}, {"address", "anne@example.org"}};
  const auto count = [&](std::string name, std::string value) {
    json::object request = of_anne;
    request[name] = value;
    return ask(std::move(request)).at("result").at("messages").as_array().size();
  };
  CHECK(count("folder", "") == 3);
  CHECK(count("folder", "Work") == 2);
  CHECK(count("match", "about else") == 1);
  CHECK(count("match", "nothing") == 0);
  const auto all = ask(of_anne).at("result").at("messages").as_array();
  CHECK(all[2].at("subject").as_string() == "About Else");

  json::object restore{{"command", "undelete.restore"}, {"address", "anne@example.org"}};
  json::object by_id = restore;
  by_id["ids"] = json::array{std::to_string(all[2].at("id").as_int64())};
  CHECK(ask(by_id).at("result").at("messages").as_int64() == 1);
  CHECK(!good(ask(by_id)));  // It is back already.
  restore["folder"] = "Work";
  CHECK(ask(restore).at("result").at("messages").as_int64() == 2);
  CHECK(count("folder", "") == 0);
  const auto again = mailbox::make_mailboxes(*s.engine, s.machine.shards, s.machine.clock, s.machine.random,
                                             observe::Scope(s.world.events));
  for (const std::string name : {"Work", "Work/Old", "Else"}) {
    CAPTURE(name);
    const auto box = s.finish(again->find(anne, name), s.machine);
    REQUIRE(box);
    REQUIRE(*box);
    CHECK((**box).total == 1);
  }
}

TEST_CASE("the operator's commands") {
  Stage s;
  REQUIRE(s.start());
  const auto ask = [&](json::object request) { return s.ask(request); };
  CHECK(good(ask({{"command", "account.add"}, {"address", "anne@example.org"}, {"password", "x"}})));
  const auto again = ask({{"command", "account.add"}, {"address", "Anne@example.org"}, {"password", "x"}});
  CHECK(!good(again));
  CHECK(again.at("error").as_string() == "anne@example.org exists already");
  CHECK(good(ask({{"command", "account.quota"}, {"address", "anne@example.org"}, {"quota", 1000}})));
  CHECK(!good(ask({{"command", "account.quota"}, {"address", "anne@example.org"}, {"quota", -1}})));
  CHECK(!good(ask({{"command", "account.passwd"}, {"address", "anne@example.org"}, {"password", ""}})));
  CHECK(good(ask({{"command", "account.passwd"}, {"address", "anne@example.org"}, {"password", "y"}})));
  CHECK(good(ask({{"command", "account.name"}, {"address", "anne@example.org"}, {"name", "Anne"}})));
  CHECK(good(ask({{"command", "account.add_address"}, {"account", "anne@example.org"}, {"address", "a@example.org"}})));
  CHECK(good(ask({{"command", "account.enable"}, {"address", "anne@example.org"}, {"enabled", false}})));
  const auto accounts = ask({{"command", "account.list"}}).at("result").as_array();
  REQUIRE(accounts.size() == 1);
  CHECK(accounts[0].at("quota").as_int64() == 1000);
  CHECK(accounts[0].at("name").as_string() == "Anne");
  CHECK(!accounts[0].at("enabled").as_bool());
  CHECK(accounts[0].at("addresses").as_array().size() == 2);
  CHECK(json::serialize(accounts).find("argon2") == std::string::npos);
  CHECK(good(ask({{"command", "account.rename"}, {"address", "a@example.org"}, {"to", "b@example.org"}})));
  CHECK(good(ask({{"command", "account.remove_address"}, {"account", "b@example.org"}, {"address", "a@example.org"}})));

  CHECK(good(
      ask({{"command", "alias.set"}, {"address", "team@example.org"}, {"targets", json::array{"b@example.org"}}})));
  CHECK(ask({{"command", "alias.list"}}).at("result").as_array().size() == 1);
  CHECK(good(ask({{"command", "alias.remove"}, {"address", "team@example.org"}})));
  CHECK(good(ask({{"command", "domain.add"}, {"name", "new.example"}})));
  CHECK(good(ask({{"command", "domain.catch_all"}, {"name", "new.example"}, {"address", "b@example.org"}})));
  CHECK(ask({{"command", "domain.list"}}).at("result").as_array().size() == 2);
  CHECK(good(ask({{"command", "domain.remove"}, {"name", "new.example"}})));
  CHECK(!good(ask({{"command", "domain.remove"}, {"name", "example.org"}})));

  CHECK(ask({{"command", "queue.list"}}).at("result").as_array().empty());
  CHECK(good(ask({{"command", "queue.retry"}})));
  CHECK(!good(ask({{"command", "queue.show"}, {"id", "nonsense!"}})));
  CHECK(!good(ask({{"command", "queue.delete"}, {"id", "d1z9kzbazems"}})));
  const auto status = ask({{"command", "status"}}).at("result");
  CHECK(status.at("running").as_bool());
  CHECK(status.at("accounts").as_int64() == 1);
  CHECK(status.at("queued").as_int64() == 0);
  CHECK(status.at("messages").as_int64() == 0);
  CHECK(status.at("instance").as_string() == "0123");
  CHECK(good(ask({{"command", "reload"}})));
  CHECK(good(ask({{"command", "account.remove"}, {"address", "b@example.org"}})));
  CHECK(!good(ask({{"command", "no.such"}})));
  CHECK(!good(ask({{"command", 5}})));
  for (const auto* bad : {"", "[]", "{", "null", "\"x\"", "{\"command\":\"status\"", "\xff"}) {
    CHECK(!good(json::parse(s.finish(s.server->command(bad), s.machine))));
  }
  std::string deep(100000, '[');
  CHECK(!good(json::parse(s.finish(s.server->command(deep), s.machine))));
}

namespace {

// Fails as only our own errors do, for every second connection.
class Buggy : public Service {
 public:
  Task<void> serve(Connection connection) override {
    if (++count_ % 2 == 1) throw Bug("the test's bug");
    static_cast<void>(co_await connection.stream->write("fine\r\n", Instant::never()));
  }

 private:
  int count_ = 0;
};

}  // namespace

TEST_CASE("a bug ends its session, is reported, and nobody else notices") {
  Stage s;
  ConnectionBudget budget({100, 100});
  ShardListeners listeners({s.machine.clock, s.machine.network, s.machine.random, budget, [] { return nullptr; }},
                           observe::Scope(s.world.events));
  ListenerPlan plan;
  plan.name = "buggy";
  plan.endpoint = {server_address, 99};
  plan.service = std::make_shared<Buggy>();
  s.machine.shards.run(0, [&] { REQUIRE(listeners.listen(std::make_shared<const ListenerPlan>(plan))); });
  for (int i = 0; i < 6; ++i) {
    auto stream = s.connect(99);
    REQUIRE(stream);
    CHECK(s.read(*stream, "") == (i % 2 == 0 ? "" : "fine\r\n"));
  }
  s.world.run_for(1s);
  CHECK(s.world.events.count("session_bug_caught") == 3);
  CHECK(budget.open() == 0);
  struct Run {
    static Task<bool> drain(ShardListeners& all) {
      co_await all.drain(Instant::never());
      co_return true;
    }
  };
  s.finish(Run::drain(listeners), s.machine);
}

TEST_CASE("control requests: any segmentation, several on one connection; too long or cut ones end it") {
  Stage s;
  ConnectionBudget budget({100, 100});
  ShardListeners listeners({s.machine.clock, s.machine.network, s.machine.random, budget, [] { return nullptr; }},
                           observe::Scope(s.world.events));
  struct Echo {
    static Task<ControlMessage> answer(ControlMessage request, Conversation&) {
      co_return ControlMessage{"<" + request.json + ">", request.octets + request.octets};
    }
  };
  std::shared_ptr<Service> service = make_control_service({s.machine.clock, Echo::answer});
  ListenerPlan plan;
  plan.name = "control";
  plan.endpoint = {server_address, 98};
  plan.service = service;
  s.machine.shards.run(0, [&] { REQUIRE(listeners.listen(std::make_shared<const ListenerPlan>(plan))); });
  const std::string one = store::Key().string("hello").take();
  const std::string reply = store::Key().string("<hello>").take();
  auto stream = s.connect(98);
  REQUIRE(stream);
  for (const char c : one) s.write(*stream, std::string(1, c));
  CHECK(s.read(*stream, "hello>") == reply);
  s.write(*stream, one);
  CHECK(s.read(*stream, "hello>") == reply);
  // Octets behind the JSON, both ways.
  const std::string with_octets = framed(ControlMessage{"big", "abc"});
  for (const char c : with_octets) s.write(*stream, std::string(1, c));
  CHECK(s.read(*stream, "abcabc") == framed(ControlMessage{"<big>", "abcabc"}));
  s.write(*stream, store::Key().u32(longest_control_request + 1).take());
  CHECK(s.read(*stream, "").empty());
  for (std::size_t size = 0; size < one.size(); ++size) {
    auto cut = s.connect(98);
    REQUIRE(cut);
    if (size > 0) s.write(*cut, one.substr(0, size));
    cut->end();
    CHECK(s.read(*cut, "").empty());
  }
  struct Run {
    static Task<bool> drain(ShardListeners& all) {
      co_await all.drain(Instant::never());
      co_return true;
    }
  };
  s.finish(Run::drain(listeners), s.machine);
}

TEST_CASE("RELIABILITY R7: the budget counts networks too: /24 and /56") {
  ConnectionBudget budget({100, 2, 3});
  const auto at = [](std::string_view text) { return *IpAddress::parse(text); };
  for (const auto& [first, same, other] : {std::array{"192.0.2.", "192.0.2.9", "192.0.3.1"},
                                           std::array{"2001:db8:0:00", "2001:db8:0:ff::1", "2001:db8:0:100::1"}}) {
    std::vector<ConnectionBudget::Ticket> held;
    for (int i = 1; i <= 3; ++i) {
      const auto address = std::string(first) + std::to_string(i) + (std::string(first).contains(':') ? "::1" : "");
      auto ticket = budget.admit(at(address));
      REQUIRE(ticket);
      held.push_back(std::move(*ticket));
    }
    const auto refused = budget.admit(at(same));
    REQUIRE(!refused);
    CHECK(refused.error() == ConnectionBudget::Refusal::crowded);
    CHECK(!budget.admit_beyond(at(same)));
    CHECK(budget.admit(at(other)));
    held.pop_back();
    CHECK(budget.admit(at(same)));
  }
  CHECK(budget.open() == 0);
}

TEST_CASE("the budget counts IPv6 by /64, and never loopback") {
  ConnectionBudget budget({5, 2});
  const auto at = [](std::string_view text) { return *IpAddress::parse(text); };
  auto a = budget.admit(at("2001:db8::1"));
  auto b = budget.admit(at("2001:db8::2"));
  CHECK(!budget.admit(at("2001:db8::3")));
  {
    auto c = budget.admit(at("2001:db8:0:1::3"));
    CHECK(c);
    CHECK(budget.open() == 3);
  }
  CHECK(budget.open() == 2);
  auto d = budget.admit(IpAddress::loopback());
  auto e = budget.admit(IpAddress::loopback());
  auto f = budget.admit(IpAddress::loopback());
  CHECK(f);
  CHECK(!budget.admit(at("192.0.2.1")));  // All together.
  CHECK(budget.admit(at("192.0.2.1")).error() == ConnectionBudget::Refusal::full);
  CHECK(budget.admit_beyond(at("192.0.2.1")));
  a = std::unexpected(ConnectionBudget::Refusal::full);
  CHECK(budget.admit(at("192.0.2.1")));
}
