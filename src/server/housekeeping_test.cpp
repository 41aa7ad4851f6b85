// A server of some accounts over days of virtual time: what was deleted ends when its time has come, no earlier, one
// account after the other; also over restarts and a calendar that jumps.
#include "server/housekeeping.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "directory/store_directory.hpp"
#include "rfc_test.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

namespace facteur::server {
namespace {

// Remembers when each account was looked after.
struct Notes : observe::Sink {
  void record(const observe::Record& record) override {
    if (record.name == "housekeeping_account_finished") looked.push_back(record.fields.front().value);
    if (record.name == "removed_account_ended") ended.push_back(record.fields.front().value);
    if (record.name == "housekeeping_round_finished") ++rounds;
  }
  std::vector<std::string> looked, ended;
  int rounds = 0;
};

struct Stage {
  Stage()
      : world(5),
        machine(world, {.addresses = {IpAddress::v4(192, 0, 2, 1)}, .utc = UtcTime{1'790'000'000'000}}),
        engine(store::make_memory_engine({.shards = machine.shards, .clock = machine.clock})) {
    directory::Settings settings;
    settings.domains = {"t.example"};
    settings.cost = {8, 1, 1};
    directory = std::make_unique<directory::StoreDirectory>(*engine, machine.shards, machine.random, settings);
    mailboxes = mailbox::make_mailboxes(*engine, machine.shards, machine.clock, machine.random, observe::Scope(notes));
    begin();
  }
  ~Stage() { end(); }

  void begin() {
    drain = std::make_unique<Wakeup>();
    group = std::make_unique<TaskGroup>();
    housekeeping = std::make_unique<Housekeeping>(
        Housekeeping::Doors{*engine, *directory, *directory, *mailboxes, machine.clock, observe::Scope(notes)},
        config::Keeping{.deleted = 24h * 10, .tombstones = 24h * 5, .round = 24h});
    machine.shards.run(0, [&] { group->start(housekeeping->run(*drain)); });
  }
  void end() {
    machine.shards.run(0, [&] { drain->fire(); });
    REQUIRE(world.run_until([&] { return group->empty(); }));
  }
  template <class T>
  T run(Task<T> task) {
    struct Run {
      static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
    };
    std::optional<T> out;
    TaskGroup tasks;
    machine.shards.run(0, [&] { tasks.start(Run::to(std::move(task), out)); });
    REQUIRE(world.run_until([&] { return out.has_value(); }, 1h));
    return std::move(*out);
  }
  void pass(Duration time) { world.run_for(time); }

  mailbox::AccountId add(const std::string& name) {
    auto id = run(directory->add_account({name + "@t.example", {""}, "", {}, false}));
    REQUIRE(id);
    REQUIRE(run(mailboxes->create_account(*id)));
    return *id;
  }
  void deliver_and_expunge(mailbox::AccountId account) {
    mailbox::NewMessage message;
    message.octets = "Subject: x\r\n\r\ny\r\n";
    std::vector<mailbox::Placing> placings(1);
    placings[0].account = account;
    const auto placed = run(mailboxes->file(std::move(message), std::move(placings)));
    REQUIRE(placed);
    std::vector<mailbox::Uid> uids{placed->front().uid};
    REQUIRE(run(mailboxes->expunge(account, placed->front().mailbox, std::move(uids), true))->size() == 1);
  }
  std::size_t waiting(mailbox::AccountId account) { return run(mailboxes->deleted(account))->size(); }

  Notes notes;
  sim::World world;
  sim::Machine machine;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<directory::StoreDirectory> directory;
  std::unique_ptr<mailbox::Mailboxes> mailboxes;
  std::unique_ptr<Wakeup> drain;
  std::unique_ptr<Housekeeping> housekeeping;
  std::unique_ptr<TaskGroup> group;
};

}  // namespace

TEST_CASE("housekeeping: every account once a day, one after the other, and what was deleted ends in its time") {
  Stage s;
  std::vector<mailbox::AccountId> ids;
  for (const std::string name : {"a", "b", "c", "d"}) ids.push_back(s.add(name));
  s.pass(25h);
  s.notes.looked.clear();
  for (const auto id : ids) s.deliver_and_expunge(id);
  s.pass(6h);
  CHECK(s.notes.looked.size() <= 2);  // Spread over the day.
  s.pass(24h * 9);
  CHECK(s.notes.looked.size() >= 4 * 8);
  for (const auto id : ids) CHECK(s.waiting(id) == 1);
  s.pass(24h * 2);
  for (const auto id : ids) CHECK(s.waiting(id) == 0);
  CHECK(s.housekeeping->rounds() >= 10);
  CHECK(s.housekeeping->failures() == 0);
}

TEST_CASE("housekeeping: a removed account ends when its time has come, and can be restored until then") {
  Stage s;
  const auto anne = s.add("anne");
  const auto bert = s.add("bert");
  REQUIRE(s.run(s.directory->remove_account("anne@t.example", s.machine.clock.utc())));
  REQUIRE(s.run(s.directory->remove_account("bert@t.example", s.machine.clock.utc())));
  s.pass(24h * 8);
  CHECK(s.notes.ended.empty());
  REQUIRE(s.run(s.directory->restore_account(bert)));
  s.pass(24h * 4);
  CHECK(s.notes.ended == std::vector<std::string>{std::to_string(anne.value)});
  CHECK(!s.mailboxes->usage(anne));
  CHECK(s.mailboxes->usage(bert));
  CHECK(s.directory->list_removed()->empty());
}

TEST_CASE("housekeeping: a restart goes on where the round was; it does not begin anew") {
  Stage s;
  for (const std::string name : {"a", "b", "c", "d", "e", "f", "g", "h"}) s.add(name);
  s.pass(26h);
  for (int restart = 0; restart < 24; ++restart) {  // Each lives for three hours.
    s.end();
    s.begin();
    s.pass(3h);
  }
  int counts[9] = {};
  for (const auto& id : s.notes.looked) ++counts[std::stoi(id)];
  for (int id = 1; id <= 8; ++id) {
    CAPTURE(id);
    CHECK(counts[id] >= 3);
    CHECK(counts[id] <= 5);
  }
}

TEST_CASE("housekeeping: a calendar that jumps ahead ends nothing early") {
  Stage s;
  const auto anne = s.add("anne");
  s.deliver_and_expunge(anne);
  s.machine.clock.step_wall(24h * 365 * 10);
  s.pass(24h * 3);
  CHECK(s.waiting(anne) == 1);
  s.machine.clock.step_wall(-24h * 365 * 20);
  s.pass(24h * 3);
  CHECK(s.waiting(anne) == 1);
}

}  // namespace facteur::server
