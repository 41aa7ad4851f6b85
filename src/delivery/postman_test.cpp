#include <set>

#include "delivery/office_test.hpp"
#include "delivery/schedule.hpp"
#include "rfc_test.hpp"
#include "store/key.hpp"

using namespace facteur;
using namespace facteur::delivery;

namespace {

constexpr const char* zone = R"(
  elsewhere.example MX 10 mx.elsewhere.example
  mx.elsewhere.example A 192.0.2.1
  other.example A 192.0.2.2
)";

std::vector<Instant> times_of(const Office& office, std::string_view name) {
  std::vector<Instant> out;
  for (const auto& event : office.world.events.seen()) {
    if (event.name == name) out.push_back(event.when);
  }
  return out;
}

}  // namespace

TEST_RFC("5321 §4.5.4.1", "the list of attempts equals the schedule, over restarts, until five days have passed") {
  Office office(1);
  office.world.zone.add(zone);  // Nobody listens there.
  office.parameters.delay_notice = Duration::zero();
  office.start();
  office.send({"carl@elsewhere.example"});
  std::uint64_t seen = 0;
  while (!office.empty()) {
    REQUIRE(office.world.run_until(
        [&] { return office.empty() || office.world.events.count("delivery_recipient_deferred") > seen; }, 24h));
    seen = office.world.events.count("delivery_recipient_deferred");
    if (seen % 3 == 0 && !office.empty()) {
      office.world.run_for(7min);
      office.stop();
      office.start();
    }
  }
  const auto times = times_of(office, "delivery_recipient_deferred");
  const auto& retry = office.parameters.retry;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const auto planned = retry[std::min(i - 1, retry.size() - 1)];
    const auto waited = times[i] - times[i - 1];
    CAPTURE(i);
    CHECK(waited >= planned / 10 * 8);
    CHECK(waited <= planned / 10 * 12 + 2min);  // And the time the attempt itself took.
  }
  CHECK(times.size() > 25);
  const auto failed = times_of(office, "delivery_recipient_failed");
  REQUIRE(failed.size() == 1);
  CHECK(failed[0] - times[0] >= 24h * 5 - 10min);
  CHECK(failed[0] - times[0] <= 24h * 5 + 5h);
  REQUIRE(office.run_until_empty());
  CHECK(office.mailboxes->filed().size() == 1);
  CHECK(office.mailboxes->filed()[0].text.find("5.4.7") != std::string::npos);
}

TEST_CASE("RELIABILITY R11: a calendar that jumps by hours or years returns nothing and holds nothing up") {
  const UtcTime began = Office(2).machine.clock.utc();
  const auto at = [began](std::int64_t seconds) { return UtcTime{seconds * 1000} - began; };
  const Duration jumps[] = {24h * 3650,       -24h * 3650, 1h, -1h, at(0), at(2'147'483'647) /* 2038-01-19 */,
                            at(4'294'967'295) /* 2106 */};
  for (const Duration jump : jumps) {
    CAPTURE(jump.count());
    Office office(2);
    office.world.zone.add(zone);
    office.start();
    office.send({"carl@elsewhere.example"});
    REQUIRE(office.run_until_seen("delivery_recipient_deferred", 2));
    office.machine.clock.step_wall(jump);
    office.send({"dora@elsewhere.example"});  // Accepted under the wrong date.
    REQUIRE(office.run_until_seen("delivery_recipient_deferred", 4, 6h));
    office.stop();
    office.start();
    REQUIRE(office.run_until_seen("delivery_recipient_deferred", 6, 6h));
    office.machine.clock.step_wall(-jump);  // Somebody has seen it.
    CHECK(office.world.events.count("delivery_recipient_failed") == 0);
    Peer peer(office.world, peer_address);
    REQUIRE(office.run_until_empty(6h));
    CHECK(peer.messages.size() == 2);
    CHECK(office.world.events.count("delivery_recipient_failed") == 0);
  }
}

TEST_CASE("postman: local mail is filed once, with its mark in the same commit, whenever the process is killed") {
  for (std::uint64_t steps = 0; steps < 60; ++steps) {
    Office office(3);
    office.start();
    office.send({"anne@example.org", "bob+x@example.org"}, "carl@elsewhere.example");
    for (std::uint64_t i = 0; i < steps; ++i) office.world.timeline.step();
    office.stop();
    office.world.run_for(1s);  // What is in the log's queue gets there; nobody is left to hear of it.
    office.start();
    REQUIRE(office.run_until_empty(1h));
    REQUIRE(office.mailboxes->filed().size() == 2);
    CHECK(office.mailboxes->filed()[0].text.starts_with("Return-Path: <carl@elsewhere.example>\r\nDelivered-To: "));
  }
}

TEST_CASE("postman: mailbox trouble: temporary waits, a full mailbox returns") {
  Office office(4);
  office.mailboxes->failures[1] = Failure{Failure::Kind::temporary, "F-7097", "Busy", ""};
  office.mailboxes->failures[2] = Failure{Failure::Kind::refused, "F-7096", "The mailbox is full", ""};
  office.start();
  office.send({"anne@example.org", "bob@example.org"}, "anne@example.org");
  REQUIRE(office.run_until_seen("delivery_recipient_failed", 1));
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 2));
  office.mailboxes->failures.erase(1);
  REQUIRE(office.run_until_empty());
  REQUIRE(office.mailboxes->filed().size() == 2);  // The letter to anne, and the report to her about bob.
  std::string all = office.mailboxes->filed()[0].text + office.mailboxes->filed()[1].text;
  CHECK(all.find("5.2.2") != std::string::npos);
}

TEST_RFC("5321 §4.5.5", "a report that cannot be delivered is never reported") {
  Office office(5);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  peer.accept_recipient = [](const std::string&) { return smtp::Reply{550, "5.1.1", "Nobody"}; };
  office.start();
  office.send({"gone@elsewhere.example"}, "alsogone@elsewhere.example");
  REQUIRE(office.run_until_empty());
  CHECK(office.world.events.count("delivery_recipient_failed") == 2);  // The letter, then its report. No third.
  CHECK(office.mailboxes->filed().empty());
  office.send({"gone@elsewhere.example"}, "");
  REQUIRE(office.run_until_empty());
  CHECK(office.world.events.count("delivery_recipient_failed") == 3);
}

TEST_CASE("postman: no reports to senders elsewhere who did not log in (R13)") {
  Office office(6);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  peer.accept_recipient = [](const std::string& address) {
    return address.starts_with("gone") ? smtp::Reply{550, "5.1.1", "Nobody"} : smtp::Reply{250, "", ""};
  };
  office.start();
  const auto stranger = [](queue::Entry& entry) { entry.authenticated = false; };
  for (int i = 0; i < 50; ++i) office.send({"gone@elsewhere.example"}, "forged@elsewhere.example", stranger);
  REQUIRE(office.run_until_empty());
  CHECK(peer.messages.empty());
  CHECK(office.mailboxes->filed().empty());
  office.send({"gone@elsewhere.example"}, "anne@example.org", stranger);  // One of ours: it stays here.
  REQUIRE(office.run_until_empty());
  CHECK(office.mailboxes->filed().size() == 1);
}

TEST_CASE("postman: what strangers' letters came to is told to the postmaster, some an hour") {
  Office office(16);
  office.world.zone.add(zone);
  office.parameters.postmaster = "bob@example.org";
  office.parameters.postmaster_reports = 3;
  Peer peer(office.world, peer_address);
  peer.accept_recipient = [](const std::string&) { return smtp::Reply{550, "5.1.1", "Nobody"}; };
  office.start();
  const auto stranger = [](queue::Entry& entry) { entry.authenticated = false; };
  for (int i = 0; i < 10; ++i) office.send({"gone@elsewhere.example"}, "forged@elsewhere.example", stranger);
  REQUIRE(office.run_until_empty());
  CHECK(office.mailboxes->filed().size() == 3);
  CHECK(office.mailboxes->filed()[0].account == store::AccountId(2));
  CHECK(peer.messages.empty());
  office.world.run_for(61min);
  office.send({"gone@elsewhere.example"}, "forged@elsewhere.example", stranger);
  office.send({"gone@elsewhere.example"}, "", stranger);  // The null sender: nobody is told.
  REQUIRE(office.run_until_empty());
  CHECK(office.mailboxes->filed().size() == 4);
}

TEST_CASE("postman: full and closed mailboxes wait; a report for a full one is given up at once") {
  Office office(17);
  office.directory.quotas[1] = 100;
  office.directory.disabled = {2};
  office.start();
  office.send({"anne@example.org"}, "carl@elsewhere.example");
  office.send({"bob@example.org"}, "carl@elsewhere.example");
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 4));
  CHECK(office.mailboxes->filed().empty());
  CHECK(office.world.events.count("delivery_recipient_failed") == 0);
  office.send({"anne@example.org"}, "");
  REQUIRE(office.run_until_seen("delivery_recipient_failed", 1, 1min));
  office.directory.quotas.clear();
  office.directory.disabled.clear();
  REQUIRE(office.run_until_empty());
  CHECK(office.mailboxes->filed().size() == 2);
}

TEST_RFC("3461 §4.1", "NOTIFY decides which reports are sent") {
  using Notify = smtp::RcptParameters;
  const auto reports = [](std::uint8_t notify, bool fails, Duration run) {
    Office office(7);
    office.world.zone.add(zone);
    Peer peer(office.world, peer_address);
    peer.accept_recipient = [&](const std::string&) {
      return fails ? smtp::Reply{550, "5.1.1", "Nobody"} : smtp::Reply{450, "4.2.1", "Later"};
    };
    office.start();
    office.send({"carl@elsewhere.example"}, "anne@example.org",
                [notify](queue::Entry& entry) { entry.recipients[0].notify = notify; });
    office.world.run_for(run);
    return office.mailboxes->filed().size();
  };
  CHECK(reports(0, true, 1h) == 1);
  CHECK(reports(Notify::failure, true, 1h) == 1);
  CHECK(reports(Notify::success, true, 1h) == 0);
  CHECK(reports(Notify::never, true, 1h) == 0);
  CHECK(reports(0, false, 3h) == 0);  // The notice of delay comes after four hours, once.
  CHECK(reports(0, false, 24h) == 1);
  CHECK(reports(Notify::delay, false, 24h) == 1);
  CHECK(reports(Notify::failure, false, 24h) == 0);
  CHECK(reports(Notify::never, false, 24h) == 0);
}

TEST_RFC("3461 §4.1", "NOTIFY=SUCCESS: a local copy is reported as delivered") {
  Office office(8);
  office.start();
  office.send({"bob@example.org"}, "anne@example.org",
              [](queue::Entry& entry) { entry.recipients[0].notify = smtp::RcptParameters::success; });
  REQUIRE(office.run_until_empty());
  REQUIRE(office.mailboxes->filed().size() == 2);
  CHECK(office.mailboxes->filed()[1].account == store::AccountId(1));
  CHECK(office.mailboxes->filed()[1].text.find("Action: delivered") != std::string::npos);
}

TEST_CASE("postman: killed between the remote 250 and the mark, at most one double for each recipient under way") {
  std::size_t doubles = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Office office(seed);
    office.world.zone.add(zone);
    Peer peer(office.world, peer_address);
    office.start();
    for (int i = 0; i < 5; ++i) office.send({"carl@elsewhere.example", "dora@elsewhere.example"});
    const auto kill_at = 1 + seed % 5;
    REQUIRE(office.world.run_until([&] { return peer.messages.size() >= kill_at; }, 1h));
    for (std::uint64_t i = 0; i < seed / 5; ++i) office.world.timeline.step();
    office.stop();
    const auto under_way = peer.messages.size();
    office.world.run_for(10s);
    const auto before = peer.messages.size();
    office.start();
    REQUIRE(office.run_until_empty(12h));
    std::map<std::string, int> copies;
    for (const auto& message : peer.messages) ++copies[message.content];
    CHECK(copies.size() == 5);
    for (const auto& [content, count] : copies) CHECK(count <= 2);
    CHECK(peer.messages.size() - 5 <= 5);
    CHECK(before >= under_way);
    doubles += peer.messages.size() - 5;
  }
  CHECK(doubles > 0);  // The window exists (RFC 1047); it must be met by this test.
}

TEST_CASE("postman: one damaged record among 1,000 is left alone, the others are delivered") {
  Office office(9);
  office.start();
  queue::QueueId damaged;
  for (int i = 0; i < 1000; ++i) {
    const auto id =
        office.send({"bob@example.org"}, "anne@example.org", [](queue::Entry& entry) { entry.held = true; });
    if (i == 500) damaged = id;
  }
  struct Local {
    static Task<void> rot(store::Engine& engine, queue::QueueId id, bool& done) {
      store::Batch batch;
      batch.put(store::Key('Q').u32(0).u64(id.value).u8(0), "rubbish");
      auto written = co_await engine.commit(std::move(batch));
      done = written.has_value();
    }
    static Task<void> release(queue::Queue& queue) {
      const auto entries = queue.list();
      for (const auto& entry : *entries) {
        auto released = co_await queue.hold(entry.id, false);
        CHECK(released);
      }
    }
  };
  bool done = false;
  TaskGroup tasks;
  tasks.start(Local::rot(*office.engine, damaged, done));
  REQUIRE(office.world.run_until([&] { return done; }));
  tasks.start(Local::release(*office.queue));
  REQUIRE(office.run_until_empty(1h));
  CHECK(office.mailboxes->filed().size() == 999);
  CHECK(office.queue->quarantined().size() == 1);
}

TEST_CASE("postman: a sender of thousands does not keep another one waiting") {
  Office office(10);
  office.world.zone.add(zone);
  office.parameters.active_messages = 5000;
  Peer peer(office.world, peer_address);
  office.start();
  const auto held = [](queue::Entry& entry) { entry.held = true; };
  for (int i = 0; i < 300; ++i) office.send({"carl@elsewhere.example"}, "bulk@example.org", held);
  office.stop();
  office.start();
  struct Local {
    static Task<void> release(queue::Queue& queue) {
      const auto entries = queue.list();
      for (const auto& entry : *entries) co_await queue.hold(entry.id, false);
    }
  };
  TaskGroup tasks;
  tasks.start(Local::release(*office.queue));
  REQUIRE(office.world.run_until([&] { return peer.messages.size() >= 20; }, 1h));
  office.send({"dora@elsewhere.example"}, "anne@example.org");
  const auto before = peer.messages.size();
  REQUIRE(office.world.run_until(
      [&] { return !peer.messages.empty() && peer.messages.back().sender == "anne@example.org"; }, 1h));
  CHECK(peer.messages.size() - before < 40);
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.size() == 301);
}

TEST_CASE("postman: hold, release, retry and remove") {
  Office office(11);
  office.world.zone.add(zone);
  office.start();
  const auto run = [&](Task<Result<void>> task) {
    struct Local {
      static Task<void> keep(Task<Result<void>> one, std::optional<Result<void>>& out) {
        out = co_await std::move(one);
      }
    };
    TaskGroup tasks;
    std::optional<Result<void>> out;
    tasks.start(Local::keep(std::move(task), out));
    REQUIRE(office.world.run_until([&] { return out.has_value(); }));
    CHECK(*out);
  };
  const auto id = office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 1));
  office.world.run_for(1s);
  run(office.queue->hold(id, true));
  office.world.run_for(24h);
  CHECK(office.world.events.count("delivery_recipient_deferred") == 1);
  run(office.queue->hold(id, false));
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 2, 2min));
  office.world.run_for(1s);
  run(office.queue->retry({}));
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 3, 2min));
  run(office.queue->remove(id));
  CHECK(office.empty());
  office.world.run_for(24h);
  CHECK(office.world.events.count("delivery_recipient_deferred") == 3);
  CHECK(office.postman->status().waiting == 0);
}

TEST_CASE("postman: more mail than may be active waits in the store") {
  Office office(12);
  office.parameters.active_messages = 3;
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.start();
  std::size_t most = 0;
  for (int i = 0; i < 40; ++i) {
    office.send({"carl@elsewhere.example"});
    most = std::max(most, office.postman->status().active);
  }
  REQUIRE(office.run_until_empty(1h));
  CHECK(most <= 3);
  CHECK(peer.messages.size() == 40);
}

TEST_CASE("postman: while the store cannot write, results are kept and nothing is sent twice") {
  Office office(13);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.start();
  peer.accept_content = [&](const Peer::Message&) {
    office.engine->fail_commits(5);
    return smtp::Reply{250, "2.0.0", ""};
  };
  office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_seen("queue_settle_failed", 5));
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.size() == 1);
}

TEST_CASE("postman: while the store cannot write, each connection sends five letters and then waits") {
  Office office(23);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  bool busy = true;
  peer.accept_recipient = [&](const std::string&) {
    return busy ? smtp::Reply{450, "4.2.1", "Later"} : smtp::Reply{250, "", ""};
  };
  office.start();
  for (int i = 0; i < 60; ++i) office.send({"carl@elsewhere.example"});
  REQUIRE(office.run_until_seen("delivery_recipient_deferred", 60));
  office.world.run_for(2s);
  busy = false;
  office.engine->fail_commits(1'000'000);
  struct Local {
    static Task<void> retry(queue::Queue& queue) {
      auto told = co_await queue.retry({});
      CHECK(told);
    }
  };
  TaskGroup tasks;
  tasks.start(Local::retry(*office.queue));
  office.world.run_for(1h);
  CHECK(peer.messages.size() >= 5);
  CHECK(peer.messages.size() <= 25);
  CHECK(office.postman->status().delivered == 0);
  office.engine->fail_commits(0);
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.size() == 60);
  CHECK(office.postman->status().delivered == 60);
}

TEST_CASE("postman: an address that became an alias of several is followed to all of them") {
  Office office(14);
  office.start();
  office.directory.aliases["team@example.org"] = {"anne@example.org", "bob@example.org"};
  office.send({"team@example.org"}, "carl@elsewhere.example");
  REQUIRE(office.run_until_empty(1h));
  CHECK(office.mailboxes->filed().size() == 2);
}

TEST_CASE("postman: the same seed gives the same run") {
  const auto run = [](std::uint64_t seed) {
    Office office(seed);
    office.world.zone.add(zone);
    office.world.internet.weather.reset_per_mille = 200;
    Peer peer(office.world, peer_address);
    office.start();
    for (int i = 0; i < 10; ++i) office.send({"carl@elsewhere.example", "anne@example.org"});
    CHECK(office.run_until_empty());
    return office.world.hash();
  };
  for (std::uint64_t seed = 0; seed < 5; ++seed) CHECK(run(seed) == run(seed));
  CHECK(run(1) != run(2));
}

TEST_CASE("postman: drain lets what is being sent end, and waits for nobody who is silent") {
  for (const bool silent : {false, true}) {
    Office office(15);
    office.world.zone.add(zone);
    Peer peer(office.world, peer_address);
    if (silent) office.world.internet.fate = [](const Endpoint&, const Endpoint&) { return sim::Fate{{}, 100}; };
    office.start();
    office.send({"carl@elsewhere.example"});
    REQUIRE(office.world.run_until([&] { return peer.open > 0; }));
    office.drain->fire();
    const auto fired = office.world.timeline.now();
    REQUIRE(office.world.run_until([&] { return office.tasks->empty(); }));
    CHECK(office.world.timeline.now() - fired <= office.parameters.drain_timeout + 1s);
    CHECK(office.empty() == !silent);
  }
}

TEST_CASE("postman: a letter whose content is damaged on the disk goes to nobody, and its sender hears of it") {
  Office office(19);
  office.world.zone.add(zone);
  Peer peer(office.world, peer_address);
  office.start();
  const auto id = office.send({"carl@elsewhere.example", "bob@example.org"}, "anne@example.org",
                              [](queue::Entry& entry) { entry.held = true; });
  office.engine->corrupt((*office.queue->find(id))->content);
  struct Local {
    static Task<void> release(queue::Queue& queue, queue::QueueId held) {
      auto released = co_await queue.hold(held, false);
      CHECK(released);
    }
  };
  TaskGroup tasks;
  tasks.start(Local::release(*office.queue, id));
  REQUIRE(office.run_until_seen("delivery_recipient_failed", 2, 1min));
  REQUIRE(office.run_until_empty(1h));
  CHECK(peer.messages.empty());
  REQUIRE(office.mailboxes->filed().size() == 1);
  CHECK(office.mailboxes->filed()[0].account == store::AccountId(1));
  CHECK(office.mailboxes->filed()[0].text.find("5.3.0") != std::string::npos);
}
