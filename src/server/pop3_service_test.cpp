// POP3 from the socket to the mailbox, in the simulated world.
#include "server/pop3_service.hpp"

#include <map>

#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "message/structure.hpp"
#include "rfc_test.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

namespace facteur::server {
namespace {

constexpr store::AccountId anne{7};
constexpr std::uint16_t port = 110;

// One account, "anne" with the password "secret", which is her shared secret too.
class OneAccount : public directory::Authenticator {
 public:
  Task<Result<std::optional<store::AccountId>>> check_password(std::string login, observe::Secret password,
                                                               IpAddress) override {
    const bool good = login == "anne" && password.value == "secret";
    co_return good ? std::optional(anne) : std::nullopt;
  }
  Task<Result<directory::GuessCost>> may_attempt(std::string, IpAddress) override {
    co_return directory::GuessCost{7s, 9s};
  }
  Task<void> attempt_finished(std::string, IpAddress, std::optional<store::AccountId> account,
                              directory::GuessCost cost) override {
    CHECK(cost.login == 7s);
    CHECK(cost.network == 9s);
    finished.push_back(account.has_value());
    co_return;
  }
  Result<directory::ScramVerifier> scram_verifier(std::string_view, std::string_view) override {
    return directory::ScramVerifier{};
  }
  Result<std::optional<directory::SharedSecret>> shared_secret(std::string_view login) override {
    if (login != "anne") return std::optional<directory::SharedSecret>();
    return std::optional(directory::SharedSecret{anne, observe::Secret{"secret"}});
  }
  bool any_shared_secret() const override { return true; }

  std::vector<bool> finished;
};

// Of which a test says how many mapped pages have become unreadable.
struct Pages : sim::Disk {
  Pages() : sim::Disk(1) {}
  std::uint64_t unreadable_pages() const override { return lost; }
  std::uint64_t lost = 0;
};

struct Stage {
  sim::World world{1};
  sim::Machine machine{world, {}};
  Pages pages;
  std::unique_ptr<store::Engine> engine;
  std::unique_ptr<mailbox::Mailboxes> mailboxes;
  OneAccount accounts;
  config::Limits limits;
  std::unique_ptr<Service> service;
  world::Listener* listener = nullptr;
  std::vector<std::unique_ptr<Wakeup>> drains;
  TaskGroup tasks;

  Stage() {
    engine = store::make_memory_engine({.shards = machine.shards, .clock = machine.clock, .pages = &pages});
    mailboxes = mailbox::make_mailboxes(*engine, machine.shards, machine.clock, machine.random,
                                        observe::Scope(world.events), message::make_structure);
    finish(mailboxes->create_account(anne));
    service = make_pop3_service({*mailboxes, accounts, machine.clock, machine.random}, limits, make_maildrop_locks());
    machine.shards.run(0, [this] {
      auto made = machine.network.listen(Endpoint{IpAddress::loopback(), port});
      REQUIRE(made);
      listener = made->get();
      tasks.start(listen(std::move(*made)));
    });
  }
  ~Stage() {
    machine.shards.run(0, [this] {
      listener->close();
      for (const auto& bell : drains) bell->fire();
    });
    world.run_until([this] { return tasks.empty(); }, 20min);
  }

  Task<void> listen(std::unique_ptr<world::Listener> made) {
    for (;;) {
      auto stream = co_await made->accept();
      if (!stream) break;
      tasks.start(serve(std::move(*stream)));
    }
  }
  Task<void> serve(std::unique_ptr<world::Stream> stream) {
    ListenerParameters parameters;
    parameters.protocol = ListenerParameters::Protocol::pop3;
    parameters.plaintext_login = true;
    parameters.hostname = "pop.example.org";
    drains.push_back(std::make_unique<Wakeup>());
    Connection connection{.stream = std::move(stream),
                          .listener = std::move(parameters),
                          .tls = nullptr,
                          .secured = nullptr,
                          .scope = observe::Scope(world.events),
                          .drain = drains.back().get()};
    co_await service->serve(std::move(connection));
  }

  template <class T>
  static Task<void> keep(Task<T> task, std::optional<T>& into) {
    into.emplace(co_await std::move(task));
  }
  // Runs a task on shard 0 to its end.
  template <class T>
  T finish(Task<T> task) {
    std::optional<T> result;
    machine.shards.run(0, [&] { tasks.start(keep(std::move(task), result)); });
    REQUIRE(world.run_until([&] { return result.has_value(); }, 10min));
    return std::move(*result);
  }

  void deliver(std::string content) {
    mailbox::NewMessage message;
    message.octets = std::move(content);
    mailbox::Placing placing;
    placing.account = anne;
    placing.prefix = "Return-Path: <x@example.net>\r\n";
    std::vector<mailbox::Placing> placings;
    placings.push_back(std::move(placing));
    REQUIRE(finish(mailboxes->file(std::move(message), std::move(placings))));
  }
  std::shared_ptr<const mailbox::View> inbox() {
    auto found = finish(mailboxes->find(anne, "INBOX"));
    REQUIRE((found && *found));
    auto view = finish(mailboxes->view(anne, (*found)->id));
    REQUIRE(view);
    return *view;
  }
};

class Client {
 public:
  explicit Client(Stage& stage) : stage_(stage) {
    stage_.machine.shards.run(0, [this] { tasks_.start(connect()); });
    greeting = line();
  }
  ~Client() {
    close();
    stage_.world.run_until([this] { return tasks_.empty(); }, 20min);
  }
  void close() {
    stage_.machine.shards.run(0, [this] {
      if (stream_) stream_->close();
    });
    stage_.world.run_for(1s);
  }
  bool ended() {
    stage_.world.run_until([this] { return ended_; }, 20min);
    return ended_;
  }

  // The next line of the server.
  std::string line() { return take("\r\n"); }
  std::string say(const std::string& command) {
    send(command);
    return line();
  }
  // A reply of several lines.
  std::string all(const std::string& command) {
    send(command);
    return take("\r\n.\r\n");
  }
  std::string login() {
    say("USER anne");
    return say("PASS secret");
  }
  void ask(const std::string& command) { send(command); }
  const std::string& received() const { return received_; }
  std::string greeting;

 private:
  void send(std::string command) {
    command += "\r\n";
    stage_.machine.shards.run(0, [&] { tasks_.start(write(std::move(command))); });
  }
  std::string take(std::string_view end) {
    stage_.world.run_until([&] { return ended_ || received_.find(end) != std::string::npos; }, 20min);
    const auto at = received_.find(end);
    if (at == std::string::npos) return std::exchange(received_, {});
    std::string text = received_.substr(0, at + end.size());
    received_.erase(0, at + end.size());
    return text;
  }
  Task<void> connect() {
    auto stream = co_await stage_.machine.network.connect(Endpoint{IpAddress::loopback(), port}, Instant::never());
    REQUIRE(stream);
    stream_ = std::move(*stream);
    tasks_.start(read());
  }
  Task<void> read() {
    std::string room(16 * 1024, '\0');
    for (;;) {
      auto count = co_await stream_->read(Room(room), Instant::never());
      if (!count || *count == 0) break;
      received_.append(room, 0, *count);
    }
    ended_ = true;
  }
  Task<void> write(std::string octets) { static_cast<void>(co_await stream_->write(Bytes(octets), Instant::never())); }

  Stage& stage_;
  std::unique_ptr<world::Stream> stream_;
  std::string received_;
  bool ended_ = false;
  TaskGroup tasks_;
};

TEST_CASE("RELIABILITY R5: of a message that becomes unreadable while it is sent no end comes") {
  Stage stage;
  std::string large;
  while (large.size() < 100'000) large += ".a line of the message\r\n";
  stage.deliver("Subject: large\r\n\r\n" + large);
  Client client(stage);
  client.login();
  client.ask("RETR 1");
  REQUIRE(stage.world.run_until([&] { return client.received().size() > 1000; }, 20min));
  REQUIRE(client.received().size() < large.size());
  stage.pages.lost = 1;
  CHECK(client.ended());
  CHECK(client.received().size() < large.size());
  CHECK_FALSE(client.received().ends_with("\r\n.\r\n"));

  Client again(stage);
  again.login();
  CHECK(again.all("RETR 1").size() > large.size());
}

TEST_RFC("1939 §5", "messages are listed and read with exact counts, and read ones are marked at QUIT") {
  Stage stage;
  stage.deliver("Subject: one\r\n\r\n.dot\r\n");
  stage.deliver("Subject: two\r\n\r\n" + std::string(300'000, 'x') + "\r\n");
  Client client(stage);
  CHECK(client.login() == "+OK 2 messages (300100 octets)\r\n");
  CHECK(client.say("STAT") == "+OK 2 300100\r\n");
  CHECK(client.all("RETR 1") == "+OK 52 octets\r\nReturn-Path: <x@example.net>\r\nSubject: one\r\n\r\n..dot\r\n.\r\n");
  CHECK(client.all("RETR 2").size() == std::string("+OK 300048 octets\r\n").size() + 300'048 + 3);
  CHECK(client.all("TOP 2 0") ==
        "+OK header and lines follow\r\nReturn-Path: <x@example.net>\r\nSubject: two\r\n\r\n.\r\n");
  const std::string ids = client.all("UIDL");
  CHECK(client.say("QUIT") == "+OK bye\r\n");
  CHECK(client.ended());
  const auto view = stage.inbox();
  REQUIRE(view->size() == 2);
  CHECK(view->row(0).flags.has(mailbox::Flags::seen));
  Client again(stage);
  again.login();
  CHECK(again.all("UIDL") == ids);
}

TEST_RFC("1939 §6", "deletions are done at QUIT, and not when the connection is lost") {
  Stage stage;
  for (int i = 0; i < 3; ++i) stage.deliver("Subject: x\r\n\r\n");
  {
    Client lost(stage);
    lost.login();
    lost.say("DELE 1");
    lost.close();
  }
  CHECK(stage.inbox()->size() == 3);
  Client client(stage);
  client.login();
  const std::string second = client.say("UIDL 2").substr(6);
  client.say("DELE 1");
  client.say("DELE 3");
  CHECK(client.say("QUIT") == "+OK bye, deleted messages are gone\r\n");
  CHECK(stage.inbox()->size() == 1);
  Client after(stage);
  after.login();
  CHECK(after.say("UIDL 1").substr(6) == second);
}

TEST_RFC("1939 §4", "one session for each mailbox, until it ends") {
  Stage stage;
  stage.deliver("Subject: x\r\n\r\n");
  Client first(stage);
  first.login();
  Client second(stage);
  CHECK(second.login().starts_with("-ERR [IN-USE] "));
  first.say("QUIT");
  CHECK(first.ended());
  CHECK(second.login() == "+OK 1 messages (44 octets)\r\n");
}

TEST_RFC("1939 §8", "what comes or goes during a session does not move its numbers") {
  Stage stage;
  stage.deliver("Subject: a\r\n\r\n");
  stage.deliver("Subject: b\r\n\r\n");
  Client client(stage);
  client.login();
  stage.deliver("Subject: c\r\n\r\n");
  const auto view = stage.inbox();
  std::vector<mailbox::Uid> first{view->row(0).uid};
  REQUIRE(stage.finish(stage.mailboxes->expunge(anne, view->mailbox(), first, true)));
  CHECK(client.say("STAT") == "+OK 2 88\r\n");
  CHECK(client.all("RETR 2").find("Subject: b") != std::string::npos);
  client.say("DELE 1");
  CHECK(client.say("QUIT").starts_with("+OK"));
  CHECK(stage.inbox()->size() == 2);
}

TEST_RFC("1939 §7", "APOP with the secret of an account that opted in") {
  Stage stage;
  Client client(stage);
  const auto start = client.greeting.find('<');
  REQUIRE(start != std::string::npos);
  const std::string challenge = client.greeting.substr(start, client.greeting.find('>') + 1 - start);
  const auto digest = [&](std::string_view secret) {
    return to_hex(crypto::md5(challenge + std::string(secret)).view());
  };
  CHECK(client.say("APOP anne " + digest("wrong")).starts_with("-ERR [AUTH]"));
  CHECK(client.say("APOP bert " + digest("")).starts_with("-ERR [AUTH]"));
  CHECK(client.say("APOP anne " + digest("secret")) == "+OK 0 messages (0 octets)\r\n");
  CHECK(stage.accounts.finished == std::vector<bool>{false, false, true});
}

TEST_RFC("1939 §3", "a silent client is left after ten minutes, a stopping server says so") {
  Stage stage;
  Client silent(stage);
  CHECK(silent.login().starts_with("+OK"));
  stage.world.run_for(9min);
  CHECK(silent.say("NOOP").starts_with("+OK"));
  stage.world.run_for(11min);
  CHECK(silent.ended());
  Client stopped(stage);
  CHECK(stopped.login().starts_with("+OK"));
  stage.machine.shards.run(0, [&] { stage.drains.back()->fire(); });
  CHECK(stopped.line() == "-ERR [SYS/TEMP] closing this connection: come again later\r\n");
  CHECK(stopped.ended());
}

}  // namespace
}  // namespace facteur::server
