// A server that speaks IMAP and nothing else, in a simulated world, and clients to talk to it: for tests of the
// service.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.hpp"
#include "mailbox/mailboxes.hpp"
#include "message/structure.hpp"
#include "sasl/mechanism.hpp"
#include "server/imap_service.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

namespace facteur::server::stage {

constexpr store::AccountId anne{7};
constexpr store::AccountId bob{8};

// Two accounts, "anne" and "bob", whose password is "secret".
class Accounts : public directory::Authenticator, public directory::Directory {
 public:
  std::uint64_t quota = 0;

  Task<Result<std::optional<store::AccountId>>> check_password(std::string login, observe::Secret password,
                                                               IpAddress) override {
    std::optional<store::AccountId> found;
    if (password.value == "secret" && login == "anne") found = anne;
    if (password.value == "secret" && login == "bob") found = bob;
    co_return found;
  }
  Task<Result<directory::GuessCost>> may_attempt(std::string, IpAddress) override { co_return directory::GuessCost(); }
  Task<void> attempt_finished(std::string, IpAddress, std::optional<store::AccountId>, directory::GuessCost) override {
    co_return;
  }
  Result<directory::ScramVerifier> scram_verifier(std::string_view login, std::string_view mechanism) override {
    const auto made = sasl::make_scram_verifier(*sasl::parse_mechanism(mechanism), "secret", "0123456789abcdef", 4096);
    directory::ScramVerifier verifier;
    if (login == "anne") verifier.account = anne;
    verifier.salt = made.salt;
    verifier.iterations = made.iterations;
    verifier.stored_key = made.stored_key;
    verifier.server_key = made.server_key;
    return verifier;
  }
  Result<std::optional<directory::SharedSecret>> shared_secret(std::string_view) override {
    return std::optional<directory::SharedSecret>();
  }
  bool any_shared_secret() const override { return false; }

  bool is_local_domain(std::string_view) const override { return false; }
  Result<directory::Target> resolve(std::string_view, std::string_view) const override { return directory::Target(); }
  Result<std::optional<directory::Account>> account(store::AccountId id) const override {
    directory::Account account;
    account.id = id;
    account.quota_bytes = quota;
    return std::optional(account);
  }
  Result<std::optional<directory::Account>> account_of_login(std::string_view) const override {
    return std::optional<directory::Account>();
  }
  Result<bool> may_send_as(store::AccountId, std::string_view, std::string_view) const override { return false; }
  std::vector<std::string> domains() const override { return {}; }
  Result<std::vector<directory::Account>> accounts(std::string_view) const override {
    return std::vector<directory::Account>();
  }
};

// Of which a test says how many mapped pages have become unreadable.
class Pages : public sim::Disk {
 public:
  Pages() : sim::Disk(1) {}
  std::uint64_t unreadable_pages() const override { return each ? lost++ : lost.load(); }
  std::atomic<bool> each = false;  // One more whenever somebody asks.
  mutable std::atomic<std::uint64_t> lost = 0;
};

class Client;

template <class T>
Task<void> keep(Task<T> task, std::optional<T>& into) {
  into.emplace(co_await std::move(task));
}

class Stage {
 public:
  explicit Stage(std::uint64_t seed = 1);
  ~Stage();

  sim::World world;
  sim::Machine machine;
  Pages pages;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<mailbox::Mailboxes> mailboxes;
  Accounts accounts;
  config::Limits limits;
  std::unique_ptr<Service> service;
  Wakeup drain;

  // Runs a task of the server's shard 0 to its end.
  template <class T>
  T finish(Task<T> task) {
    std::optional<T> value;
    TaskGroup group;
    machine.shards.run(0, [&] { group.start(keep(std::move(task), value)); });
    REQUIRE(world.run_until([&] { return value.has_value(); }, 10min));
    return std::move(*value);
  }

 private:
  friend class Client;
  Task<void> listen(std::unique_ptr<world::Listener> listener);
  Task<void> serve(std::unique_ptr<world::Stream> stream);

  TaskGroup tasks_;
  std::unique_ptr<world::Listener> listening_;
  world::Listener* listener_ = nullptr;
  std::vector<std::unique_ptr<Wakeup>> drains_;
};

// One connection of a client; all its calls run the world until what they wait for has come.
class Client {
 public:
  explicit Client(Stage& stage);
  ~Client();

  std::string greeting;
  std::string received;  // Not yet looked at.
  bool ended = false;

  void send(std::string octets);
  // Runs until `received` contains a whole line that begins with `start`; gives (and removes) all up to it, included.
  std::string until(const std::string& start);
  // Sends "tN command" and gives all that comes up to its tagged reply, included.
  std::string ask(const std::string& command);
  // What came unasked within this time.
  std::string listen(Duration time);
  void log_in(const std::string& name = "anne") { ask("LOGIN " + name + " secret"); }
  std::string append(const std::string& mailbox, const std::string& message, const std::string& options = "") {
    return ask("APPEND " + mailbox + " " + options + "{" + std::to_string(message.size()) + "+}\r\n" + message);
  }

 private:
  Task<void> read();
  Task<void> write(std::string octets);
  Task<void> connect();

  Stage& stage_;
  std::unique_ptr<world::Stream> stream_;
  TaskGroup tasks_;
  int tags_ = 0;
};

// Responses without their line ends, each with the literals in it.
std::vector<std::string> split_responses(Bytes text);

inline std::string message_of(const std::string& subject, const std::string& body = "hello\r\n") {
  return "From: anne@example.org\r\nTo: bob@example.org\r\nSubject: " + subject +
         "\r\nDate: Sat, 24 Mar 2007 23:00:00 +0200\r\n\r\n" + body;
}

}  // namespace facteur::server::stage
