// Whole conversations over simulated streams: the real driver, reception, directory, mailboxes and queue on the real
// store; also with the power cut at every operation of the disk.
#include "server/smtp_service.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/base64.hpp"
#include "directory/store_authenticator.hpp"
#include "directory/store_directory.hpp"
#include "rfc_test.hpp"
#include "sim/world.hpp"
#include "store/embedded_engine.hpp"
#include "tls/stream.hpp"

namespace facteur::server {
namespace {

const IpAddress server_address = IpAddress::v4(192, 0, 2, 1);
const IpAddress client_address = IpAddress::v4(192, 0, 2, 2);

directory::Settings settings() {
  directory::Settings out;
  out.domains = {"t.example"};
  out.postmaster = "anne@t.example";
  out.cost = {8, 1, 1};
  return out;
}

store::EngineSizes small_store() {
  store::EngineSizes sizes;
  sizes.segment_bytes = 256 << 10;
  sizes.ballast_bytes = 0;
  sizes.low_space_bytes = 0;
  sizes.zero_fill = false;
  return sizes;
}

std::shared_ptr<const crypto::TlsServerContext> certificate() {
  static const auto context = [] {
    const auto made = crypto::make_self_signed({"mx.t.example"}, UtcTime{1'790'000'000'000}, 10);
    return *crypto::TlsServerContext::make({{*made}});
  }();
  return context;
}

// One life of a mail server, from boot to crash.
struct Life {
  explicit Life(sim::World& w, sim::Disk::Image image = {}, std::uint64_t crash_at = 0)
      : world(w),
        machine(w, {.addresses = {server_address}, .shards = 2, .utc = UtcTime{1'790'000'000'000}}, std::move(image)) {
    machine.disk.crash_at(crash_at);
    machine.disk.on_crash([this] { machine.halt(); });
    auto opened = store::open({.disk = machine.disk,
                               .shards = machine.shards,
                               .clock = machine.clock,
                               .random = machine.random,
                               .scope = observe::Scope(w.events),
                               .index = store::IndexKind::map,
                               .sizes = small_store(),
                               .expected_instance = {}});
    if (!opened) return;  // The crash came while it opened.
    engine = std::move(*opened);
    const observe::Scope scope(w.events);
    directory = std::make_unique<directory::StoreDirectory>(*engine, machine.shards, machine.random, settings());
    authenticator = std::make_unique<directory::StoreAuthenticator>(
        *directory, machine.shards, machine.clock, machine.random, scope, directory::AuthenticatorSettings{5min});
    mailboxes = mailbox::make_mailboxes(*engine, machine.shards, machine.clock, machine.random, scope);
    queue = queue::make_queue(*engine, machine.shards, machine.clock, machine.random, scope);
    reception::Parameters parameters;
    parameters.hostname = "mx.t.example";
    parameters.routing.hostname = "mx.t.example";
    parameters.routing.postmaster = "anne@t.example";
    reception = reception::make_reception({*engine, *mailboxes, *directory, *queue, machine.clock}, parameters);
    service = make_smtp_service({*reception, *authenticator, machine.clock, machine.random}, config::Limits{},
                                config::Smtp{});
    listen(25, ListenerParameters::Protocol::exchanger);
    listen(587, ListenerParameters::Protocol::submission);
    listen(24, ListenerParameters::Protocol::lmtp);
  }

  void listen(std::uint16_t port, ListenerParameters::Protocol protocol) {
    machine.shards.run(0, [&] {
      auto listener = machine.network.listen({server_address, port});
      REQUIRE(listener);
      tasks.start(accept(std::move(*listener), protocol));
    });
  }
  Task<void> accept(std::unique_ptr<world::Listener> listener, ListenerParameters::Protocol protocol) {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      bells.push_back(std::make_unique<Wakeup>());
      Connection connection{.stream = std::move(*stream),
                            .listener = {.protocol = protocol,
                                         .implicit_tls = false,
                                         .plaintext_login = plaintext_login,
                                         .hostname = "mx.t.example"},
                            .tls = certificate(),
                            .secured = nullptr,
                            .scope = observe::Scope(world.events),
                            .drain = bells.back().get()};
      tasks.start(service->serve(std::move(connection)));
    }
  }

  template <class T>
  T run(Task<T> task) {
    struct Keep {
      static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
    };
    std::optional<T> out;
    TaskGroup group;
    machine.shards.run(1, [&] { group.start(Keep::to(std::move(task), out)); });
    REQUIRE(world.run_until([&] { return out.has_value(); }));
    return std::move(*out);
  }
  void finish(Task<void> task) {
    TaskGroup group;
    machine.shards.run(1, [&] { group.start(std::move(task)); });
    REQUIRE(world.run_until([&] { return group.empty(); }));
  }
  directory::AccountId add(const std::string& address) {
    auto id = run(directory->add_account({address, {"secret"}, "", std::nullopt, true}));
    REQUIRE(id);
    REQUIRE(run(mailboxes->create_account(*id)));
    return *id;
  }
  // All messages of an INBOX, prefix and content.
  std::vector<std::string> inbox(directory::AccountId account) {
    std::vector<std::string> texts;
    const auto found = run(mailboxes->find(account, "INBOX"));
    REQUIRE(found);
    REQUIRE(*found);
    const auto view = run(mailboxes->view(account, (*found)->id));
    REQUIRE(view);
    for (std::size_t i = 0; i < (*view)->size(); ++i) {
      const auto text = run(mailboxes->text(account, (*view)->row(i)));
      REQUIRE(text);
      texts.push_back(text->prefix + text->content.text());
    }
    return texts;
  }
  std::vector<queue::Entry> queued() { return queue->list().value(); }

  sim::World& world;
  sim::Machine machine;
  std::unique_ptr<store::EmbeddedEngine> engine;
  std::unique_ptr<directory::StoreDirectory> directory;
  std::unique_ptr<directory::StoreAuthenticator> authenticator;
  std::unique_ptr<mailbox::Mailboxes> mailboxes;
  std::unique_ptr<queue::Queue> queue;
  std::unique_ptr<reception::Reception> reception;
  std::unique_ptr<Service> service;
  bool plaintext_login = true;
  std::vector<std::unique_ptr<Wakeup>> bells;  // One a connection.
  TaskGroup tasks;
};

// What a client says, and the code it hears in answer ("" for what is sent without waiting).
struct Line {
  std::string say;
  std::string hear;
};

// A client that follows a script and stops where the answer is another one.
struct Talk {
  std::vector<std::string> replies;  // Whole ones.
  bool done = false;
  bool as_written = false;  // Every answer was the expected one.

  Task<void> run(sim::Machine& machine, std::uint16_t port, std::vector<Line> script) {
    co_await speak(machine, port, std::move(script));
    done = true;
  }

 private:
  Task<void> speak(sim::Machine& machine, std::uint16_t port, std::vector<Line> script) {
    const auto until = [&machine] { return machine.clock.now() + 10min; };
    auto connected = co_await machine.network.connect({server_address, port}, until());
    if (!connected) co_return;
    stream_ = std::move(*connected);
    for (const auto& [say, hear] : script) {
      if (say == "(TLS)") {
        auto context = crypto::TlsClientContext::make({.ca_pem = {}, .verify = false});
        crypto::TlsClientParameters parameters{.host = "mx.t.example", .alpn = {}, .tlsa = {}};
        auto secured = co_await tls::connect(std::move(stream_), *context, std::move(parameters), until());
        if (!secured) co_return;
        stream_ = std::move(secured->stream);
        continue;
      }
      if (!say.empty()) {
        auto written = co_await stream_->write(say, until());
        if (!written) co_return;
      }
      for (std::size_t at = 0; at < hear.size(); at += 4) {
        auto reply = co_await listen(until());
        if (!reply) co_return;
        replies.push_back(*reply);
        if (!reply->starts_with(hear.substr(at, 3))) co_return;
      }
    }
    as_written = true;
    stream_->close();
  }

  Task<std::optional<std::string>> listen(Instant until) {
    std::string reply;
    for (;;) {
      const auto end = heard_.find("\r\n");
      if (end == std::string::npos) {
        std::string room(1000, '\0');
        auto count = co_await stream_->read(room, until);
        if (!count || *count == 0) co_return std::nullopt;
        heard_.append(room, 0, *count);
        continue;
      }
      const std::string line = heard_.substr(0, end + 2);
      heard_.erase(0, end + 2);
      reply += line;
      if (line.size() < 4 || line[3] != '-') co_return reply;
    }
  }

  std::unique_ptr<world::Stream> stream_;
  std::string heard_;
};

struct Stage {
  explicit Stage(std::uint64_t seed = 3) : world(seed), client(world, {.addresses = {client_address}}), life(world) {
    anne = life.add("anne@t.example");
    bob = life.add("bob@t.example");
  }
  Talk talk(std::uint16_t port, std::vector<Line> script) {
    Talk talk;
    TaskGroup group;
    client.shards.run(0, [&] { group.start(talk.run(client, port, std::move(script))); });
    CHECK(world.run_until([&] { return talk.done; }, 1h));
    return talk;
  }

  sim::World world;
  sim::Machine client;
  Life life;
  directory::AccountId anne, bob;
};

const std::string login = "AUTH PLAIN " + to_base64(std::string("\0anne@t.example\0secret", 22)) + "\r\n";

}  // namespace

TEST_RFC("5321 §3.3", "mail for a user here is in the mailbox when the client hears 250") {
  Stage stage;
  const auto talk =
      stage.talk(25, {{"", "220"},
                      {"EHLO client.example\r\n", "250"},
                      {"MAIL FROM:<x@remote.example>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n", "250 250 354"},
                      {"Subject: hello\r\n\r\n..dots\r\n.\r\n", "250"},
                      {"QUIT\r\n", "221"}});
  CHECK(talk.as_written);
  const auto inbox = stage.life.inbox(stage.bob);
  REQUIRE(inbox.size() == 1);
  CHECK(inbox[0].starts_with(
      "Return-Path: <x@remote.example>\r\nDelivered-To: bob@t.example\r\nReceived: from client.example"));
  CHECK(inbox[0].ends_with("\r\nSubject: hello\r\n\r\n.dots\r\n"));
  CHECK(stage.world.events.count("message_accepted") == 1);
  CHECK(stage.world.run_until([&] { return stage.world.events.count("smtp_session_finished") == 1; }));
}

TEST_RFC("5321 §7.9", "relaying is for logins only; a submission goes to mailbox and queue in one go") {
  Stage stage;
  CHECK(stage
            .talk(25, {{"", "220"},
                       {"EHLO c\r\n", "250"},
                       {"MAIL FROM:<anne@t.example>\r\nRCPT TO:<x@remote.example>\r\nDATA\r\n", "250 550 554"}})
            .as_written);
  CHECK(stage.talk(587, {{"", "220"}, {"EHLO c\r\n", "250"}, {"MAIL FROM:<anne@t.example>\r\n", "530"}}).as_written);
  const auto talk = stage.talk(
      587, {{"", "220"},
            {"EHLO c\r\n", "250"},
            {login, "235"},
            {"MAIL FROM:<anne@t.example>\r\nRCPT TO:<x@remote.example>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n",
             "250 250 250 354"},
            {"Subject: out\r\nBcc: x@remote.example\r\n\r\ntext\r\n.\r\n", "250"}});
  CHECK(talk.as_written);
  REQUIRE(stage.life.queued().size() == 1);
  CHECK(stage.life.queued()[0].recipients[0].address == "x@remote.example");
  CHECK(talk.replies.back().contains(queue::to_string(stage.life.queued()[0].id)));
  REQUIRE(stage.life.inbox(stage.bob).size() == 1);
  CHECK_FALSE(stage.life.inbox(stage.bob)[0].contains("Bcc"));
}

TEST_RFC("3207 §4", "STARTTLS, then a login; in the clear it is refused") {
  Stage stage;
  stage.life.plaintext_login = false;
  const auto talk =
      stage.talk(587, {{"", "220"},
                       {"EHLO c\r\n", "250"},
                       {login, "538"},
                       {"STARTTLS\r\n", "220"},
                       {"(TLS)", ""},
                       {"MAIL FROM:<anne@t.example>\r\n", "503"},
                       {"EHLO c\r\n", "250"},
                       {"AUTH PLAIN " + to_base64(std::string("\0anne@t.example\0wrong", 21)) + "\r\n", "535"},
                       {login, "235"},
                       {"MAIL FROM:<anne@t.example>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n", "250 250 354"},
                       {"From: anne@t.example\r\n\r\nx\r\n.\r\n", "250"},
                       {"QUIT\r\n", "221"}});
  CHECK(talk.as_written);
  REQUIRE(stage.life.inbox(stage.bob).size() == 1);
  CHECK(stage.life.inbox(stage.bob)[0].contains("with ESMTPSA (TLSv1.3)"));
}

TEST_RFC("2033 §4.2", "LMTP over a stream: each recipient its own reply") {
  Stage stage;
  const auto talk = stage.talk(
      24,
      {{"", "220"},
       {"LHLO c\r\n", "250"},
       {"MAIL FROM:<>\r\nRCPT TO:<anne@t.example>\r\nRCPT TO:<nobody@t.example>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n",
        "250 250 550 250 354"},
       {"x\r\n.\r\n", "250 250"}});
  CHECK(talk.as_written);
  CHECK(stage.life.inbox(stage.anne).size() == 1);
  CHECK(stage.life.inbox(stage.bob).size() == 1);
}

TEST_RFC("5321 §4.5.3.2.7", "who says nothing is sent away; who hangs up leaves nothing; a server that stops says so") {
  Stage stage;
  const auto before = stage.client.clock.now();
  const auto silent = stage.talk(25, {{"", "220"}, {"EHLO c\r\nNO", "250 421"}});
  CHECK(silent.as_written);
  CHECK(stage.client.clock.now() - before >= 5min);
  CHECK(stage.client.clock.now() - before <= 5min + 5s);
  CHECK(stage
            .talk(25, {{"", "220"},
                       {"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n", "250 250 250 354"},
                       {"half a mess", ""}})
            .as_written);
  CHECK(stage.world.run_until([&] { return stage.world.events.count("smtp_session_finished") == 2; }));
  CHECK(stage.life.inbox(stage.bob).empty());

  Talk waiting;
  TaskGroup group;
  stage.client.shards.run(
      0, [&] { group.start(waiting.run(stage.client, 25, {{"", "220"}, {"EHLO c\r\n", "250 421"}})); });
  stage.world.run_for(10s);
  stage.life.machine.shards.run(0, [&] {
    for (const auto& bell : stage.life.bells) bell->fire();
  });
  CHECK(stage.world.run_until([&] { return waiting.done; }, 1min));
  CHECK(waiting.as_written);
}

TEST_CASE("RELIABILITY S8: guessing addresses gets slower and then ends") {
  Stage stage;
  std::vector<Line> script{{"", "220"}, {"EHLO c\r\nMAIL FROM:<>\r\n", "250 250"}};
  for (int i = 0; i < 49; ++i) script.push_back({"RCPT TO:<guess" + std::to_string(i) + "@t.example>\r\n", "550"});
  script.push_back({"RCPT TO:<last@t.example>\r\n", "550 421"});
  const auto before = stage.client.clock.now();
  CHECK(stage.talk(25, script).as_written);
  CHECK(stage.client.clock.now() - before >= 5min);
}

TEST_CASE("one connection carries many messages, in weather of every kind, and each 250 is one copy") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Stage stage(seed);
    stage.world.internet.weather.most_segment = 1 + seed * 37;
    stage.world.internet.weather.reset_per_mille = 300;
    std::size_t acknowledged = 0;
    std::size_t sent = 0;
    for (int connection = 0; connection < 4; ++connection) {
      std::vector<Line> script{{"", "220"}, {"EHLO c\r\n", "250"}};
      for (int i = 0; i < 5; ++i) {
        ++sent;
        script.push_back({"MAIL FROM:<>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n", "250 250 354"});
        script.push_back({"Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(500, 'x') + "\r\n.\r\n", "250"});
      }
      const auto talk = stage.talk(25, script);
      for (const auto& reply : talk.replies) acknowledged += reply.contains("taken as") ? 1 : 0;
    }
    stage.world.run_for(10min);
    const auto stored = stage.life.inbox(stage.bob).size();
    // A reply may be lost on its way; a message without its commit is never acknowledged.
    CHECK(stored >= acknowledged);
    CHECK(stored <= sent);
  }
}

TEST_RFC("5321 §6.1", "power cut at every operation of the disk: what was acknowledged is there, whole, everywhere") {
  const std::vector<Line> script{
      {"", "220"},
      {"EHLO c\r\n", "250"},
      {login, "235"},
      {"MAIL FROM:<anne@t.example>\r\nRCPT TO:<bob@t.example>\r\nRCPT TO:<x@remote.example>\r\nDATA\r\n",
       "250 250 250 354"},
      {"Subject: one\r\n\r\n" + std::string(3000, 'x') + "\r\n.\r\n", "250"},
      {"MAIL FROM:<anne@t.example>\r\nRCPT TO:<anne@t.example>\r\nRCPT TO:<bob@t.example>\r\nDATA\r\n",
       "250 250 250 354"},
      {"Subject: two\r\n\r\n" + std::string(100000, 'y') + "\r\n.\r\n", "250"},
      {"MAIL FROM:<anne@t.example>\r\nRCPT TO:<y@remote.example>\r\nDATA\r\n", "250 250 354"},
      {"Subject: three\r\n\r\nz\r\n.\r\n", "250"}};
  // The image every life begins with: two accounts, no mail.
  sim::Disk::Image prepared;
  directory::AccountId anne, bob;
  {
    Stage stage;
    anne = stage.anne;
    bob = stage.bob;
    stage.life.finish(stage.life.mailboxes->finished());
    stage.life.finish(stage.life.engine->close());
    prepared = stage.life.machine.disk.image();
  }
  std::size_t cuts = 0;
  // Ten times each: what the crash keeps of what was not synced is drawn from the seed.
  for (std::uint64_t run = 10; run < 3000; ++run) {
    const std::uint64_t operation = run / 10;
    sim::World world(run);
    sim::Machine client(world, {.addresses = {client_address}});
    Talk talk;
    sim::Disk::Image survived;
    bool crashed = false;
    {
      TaskGroup group;
      Life life(world, prepared.clone(), operation);
      if (life.engine) {
        client.shards.run(0, [&] { group.start(talk.run(client, 587, script)); });
        world.run_until([&] { return talk.done || life.machine.disk.crashed(); }, 1h);
      }
      crashed = life.machine.disk.crashed();
      life.machine.halt();
      survived = life.machine.disk.crash();
    }
    if (!crashed && run % 10 == 9) break;
    if (!crashed) continue;
    ++cuts;
    std::size_t acknowledged = 0;
    for (const auto& reply : talk.replies) acknowledged += reply.contains("taken as") ? 1 : 0;
    Life next(world, std::move(survived));
    REQUIRE(next.engine);
    const auto for_bob = next.inbox(bob);
    const auto for_anne = next.inbox(anne);
    const auto queued = next.queued();
    const auto holds = [](const std::vector<std::string>& box, std::string_view subject, std::size_t size) {
      return std::ranges::count_if(box, [&](const std::string& text) {
        return text.contains("Subject: " + std::string(subject) + "\r\n") && text.size() > size;
      });
    };
    const auto waits = [&](std::string_view address) {
      return std::ranges::count_if(queued, [&](const queue::Entry& e) { return e.recipients[0].address == address; });
    };
    CAPTURE(operation);
    CHECK(holds(for_bob, "one", 3000) == waits("x@remote.example"));
    CHECK(holds(for_bob, "two", 100000) == holds(for_anne, "two", 100000));
    if (acknowledged >= 1) CHECK(holds(for_bob, "one", 3000) == 1);
    if (acknowledged >= 2) CHECK(holds(for_bob, "two", 100000) == 1);
    if (acknowledged >= 3) CHECK(waits("y@remote.example") == 1);
    CHECK(for_bob.size() <= 2);
    CHECK(queued.size() <= 2);
    for (const auto& entry : queued) {
      const auto content = next.engine->content(entry.content);
      REQUIRE(content);
      CHECK(content->has_value());
    }
  }
  CHECK(cuts > 100);
}

}  // namespace facteur::server
