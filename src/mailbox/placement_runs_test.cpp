#include "mailbox/placement_runs.hpp"

#include <doctest/doctest.h>

#include <set>

#include "mailbox/account_state.hpp"
#include "mailbox/invariants.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/rows.hpp"
#include "mailbox/stage_test.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

bool waits(Stage& stage) {
  const auto runs = read_placement_runs(Stored(stage.engine->latest()), anne);
  REQUIRE(runs);
  return !runs->empty();
}

void check(Stage& stage) {
  const auto problems = check_account(Stored(stage.engine->latest()), anne);
  REQUIRE(problems);
  CHECK(*problems == std::vector<std::string>());
}

// All that a view shows.
std::string text_of(const View& view, bool numbers) {
  std::string text = std::to_string(view.uidnext().value);
  for (std::size_t i = 0; i < view.size(); ++i) {
    const Row row = view.row(i);
    text += " " + std::to_string(row.uid.value) + ":" + std::to_string(row.item.value) + ":" +
            std::to_string(row.thread.value) + ":" + std::to_string(row.flags.bits) + ":" + std::to_string(row.size);
    if (numbers) text += ":" + std::to_string(row.modseq.value) + ":" + std::to_string(row.mid.value);
  }
  return text;
}

struct Shown {
  std::string inbox, sent;
  std::uint32_t total, unread, deleted;
  friend bool operator==(const Shown&, const Shown&) = default;
};
Shown shown_now(Stage& stage, bool numbers = true) {
  const auto sent = stage.box(anne, "Sent");
  return {text_of(*stage.view(anne, "INBOX"), numbers), text_of(*stage.view(anne, "Sent"), numbers), sent.total,
          sent.unread, sent.deleted};
}

// Whatever happens from now on, nothing becomes durable any more: as after a crash.
void crash(Stage& stage) {
  stage.engine->fail_commits(1'000'000);
  stage.restart();
  stage.engine->fail_commits(0);
}

}  // namespace

TEST_CASE("placement runs: A record comes back as it was; damage of any kind is seen") {
  PlacementRun run{.kind = PlacementRun::Kind::move, .from = MailboxId(3), .to = MailboxId(4), .first = 100};
  run.first_uid = Uid(7);
  run.first_mid = MessageId(50);
  run.at = UtcTime{1234567};
  run.path = "a/b";
  run.carried = 2;
  for (const std::uint32_t uid : {1U, 2U, 3U, 9U, 50U, 51U}) run.add(Uid(uid));
  CHECK(run.uids.size() == 3);
  CHECK(run.count() == 6);
  CHECK(run.tombstone_modseq(5) == 105);
  CHECK(run.placement_modseq(0) == 106);
  CHECK(run.last() == 111);
  CHECK(run.waiting(3) == std::vector<Uid>{Uid(3), Uid(9), Uid(50)});
  CHECK(run.waiting(100).size() == 4);
  const std::string octets = encode(run);
  const auto again = decode_placement_run(octets);
  REQUIRE(again);
  CHECK(*again == run);
  for (std::size_t length = 0; length < octets.size(); ++length) {
    CHECK_FALSE(decode_placement_run(octets.substr(0, length)));
  }
  const Bytes body = Bytes(octets).substr(1, octets.size() - 5);
  for (std::size_t length = 0; length < body.size(); ++length) {
    CHECK_FALSE(decode_placement_run(sealed(1, body.substr(0, length))));
  }
  CHECK_FALSE(decode_placement_run(sealed(2, body)));
  run.carried = 6;  // Then there would be none.
  CHECK_FALSE(decode_placement_run(encode(run)));
  run.carried = 0;
  std::swap(run.uids[0], run.uids[1]);
  CHECK_FALSE(decode_placement_run(encode(run)));
  run.uids.clear();
  CHECK_FALSE(decode_placement_run(encode(run)));
}

TEST_RFC("9051 §6.4.7", "COPY of many messages is one record, holds at once, and after a crash") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 600);
  stage.get(stage.mailboxes->store_flags(anne, inbox, range(1, 300), FlagChange::add, Flags::seen, {"k"}));
  stage.get(stage.mailboxes->store_flags(anne, inbox, range(10, 20), FlagChange::add, Flags::deleted, {}));
  const auto old = stage.view(anne, "Sent");
  auto some = range(5, 600);
  std::erase(some, Uid(100));
  auto asked = some;
  asked.emplace_back(9999);  // RFC 9051 §6.4.9: ignored.
  const auto copied = stage.get(stage.mailboxes->copy(anne, inbox, asked, sent));
  CHECK(copied.from == some);
  CHECK(copied.to == range(1, 595));
  CHECK(copied.uidvalidity == stage.box(anne, "Sent").uidvalidity);
  const auto view = stage.view(anne, "Sent");
  REQUIRE(view->size() == 595);
  CHECK(diff(*old, *view).appeared == range(1, 595));
  CHECK(view->row(0).flags == Flags{Flags::seen, {0}});
  CHECK(view->row(5).flags == Flags{Flags::seen, {0}});  // \Deleted is not copied.
  CHECK(view->row(400).flags == Flags{});
  CHECK(view->row(1).item == stage.view(anne, "INBOX")->row(5).item);
  CHECK(view->row(0).modseq > old->highest_modseq());
  CHECK(view->highest_modseq() == view->row(594).modseq);
  CHECK(stage.box(anne, "Sent").total == 595);
  CHECK(stage.box(anne, "Sent").unread == 300);
  check(stage);
  const Shown before = shown_now(stage);
  crash(stage);
  CHECK(shown_now(stage) == before);
  check(stage);
  // What asks for the records of messages finds them.
  const auto told = stage.get(stage.mailboxes->changes(anne, sent, old->highest_modseq()));
  REQUIRE(told);
  CHECK(told->appeared == range(1, 595));
  CHECK_FALSE(waits(stage));
  CHECK(shown_now(stage) == before);
  check(stage);
  stage.restart();
  CHECK(shown_now(stage) == before);
}

TEST_RFC("9051 §6.4.8", "MOVE of many messages is one record, and holds at once") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 700);
  const auto before = stage.view(anne, "INBOX");
  const auto moved = stage.get(stage.mailboxes->move(anne, inbox, range(101, 500), sent));
  CHECK(moved.from == range(101, 500));
  CHECK(moved.to == range(1, 400));
  const auto after = stage.view(anne, "INBOX");
  CHECK(diff(*before, *after).vanished == range(101, 500));
  CHECK(stage.view(anne, "Sent")->row(399).item == before->row(499).item);
  CHECK(stage.box(anne, "INBOX").total == 300);
  check(stage);
  const Shown shown = shown_now(stage);
  stage.shards.run();
  CHECK_FALSE(waits(stage));
  CHECK(shown_now(stage) == shown);
  check(stage);
  const auto told = stage.get(stage.mailboxes->changes(anne, inbox, before->highest_modseq()));
  REQUIRE(told);
  CHECK(told->vanished == range(101, 500));
  // All of them and those that are there already: the latter are left where they are (RFC 8474 §4).
  stage.get(stage.mailboxes->copy(anne, sent, range(1, 2), inbox));
  stage.get(stage.mailboxes->move(anne, inbox, range(1, 702), sent));
  CHECK(stage.box(anne, "INBOX").total == 0);
  CHECK(stage.box(anne, "Sent").total == 700);
  stage.shards.run();
  check(stage);
}

TEST_RFC("9051 §6.4.3", "EXPUNGE of many messages is one record; undelete finds them all") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 600);
  stage.get(stage.mailboxes->copy(anne, inbox, range(1, 300), sent));
  stage.get(stage.mailboxes->store_flags(anne, inbox, range(1, 500), FlagChange::add, Flags::deleted, {}));
  const auto before = stage.view(anne, "INBOX");
  CHECK(stage.get(stage.mailboxes->expunge(anne, inbox, std::nullopt)) == range(1, 500));
  CHECK(diff(*before, *stage.view(anne, "INBOX")).vanished == range(1, 500));
  CHECK(stage.box(anne, "INBOX").total == 100);
  CHECK(stage.box(anne, "INBOX").deleted == 0);
  check(stage);
  crash(stage);
  CHECK(stage.box(anne, "INBOX").total == 100);
  const auto deleted = stage.get(stage.mailboxes->deleted(anne));
  CHECK(deleted.size() == 200);  // The others are in the other mailbox.
  CHECK(deleted.front().path == "INBOX");
  CHECK(deleted.front().uid == Uid(301));
  CHECK_FALSE(waits(stage));
  check(stage);
  std::vector<Uid> ids;
  for (const auto& entry : deleted) ids.push_back(entry.id);
  CHECK(stage.get(stage.mailboxes->undelete(anne, ids)).size() == 200);
  CHECK(stage.box(anne, "INBOX").total == 300);
  // POP3 takes what it names, marked or not.
  CHECK(stage.get(stage.mailboxes->expunge(anne, inbox, range(501, 800), true)) == range(501, 800));
  stage.shards.run();
  CHECK(stage.box(anne, "INBOX").total == 0);
  check(stage);
}

TEST_CASE("placement runs: Mail arrives and messages are marked while one waits; what needs records has it carried") {
  int waited = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Stage stage(seed);
    const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
    stage.deliver_many(anne, inbox, 400);
    stage.get(stage.mailboxes->copy(anne, inbox, range(1, 400), sent));
    waited += waits(stage) ? 1 : 0;
    stage.get(stage.mailboxes->store_flags(anne, sent, range(1, 300), FlagChange::add, Flags::deleted, {}));
    const auto placed = stage.deliver(anne, "From: a@example.net\r\nSubject: late\r\n\r\nx\r\n");
    CHECK(placed.uid == Uid(401));
    CHECK(stage.box(anne, "Sent").deleted == 300);
    check(stage);
    CHECK(stage.get(stage.mailboxes->expunge(anne, sent, std::nullopt)) == range(1, 300));
    CHECK(stage.view(anne, "Sent")->size() == 100);
    CHECK(stage.get(stage.mailboxes->copy(anne, sent, range(301, 302), inbox)).to.size() == 2);
    stage.get(stage.mailboxes->store_flags(anne, sent, range(301, 400), FlagChange::add, Flags::flagged, {}));
    CHECK(stage.view(anne, "INBOX")->row(399).flags.has(Flags::flagged));
    stage.shards.run();
    CHECK_FALSE(waits(stage));
    check(stage);
  }
  CHECK(waited > 4);
}

TEST_CASE("placement runs: A commit that fails leaves nothing, wherever it is; the rest is carried later") {
  int waited = 0, several = 0;
  const BulkSizes sizes{.run_from = 256, .carry_parts = 60};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    Stage stage(seed, {}, sizes);
    sim::Random chance(seed);
    const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
    stage.deliver_many(anne, inbox, 2300);
    const Shown nothing = shown_now(stage);
    stage.engine->fail_commits(1);
    CHECK_FALSE(stage.run(stage.mailboxes->copy(anne, inbox, range(1, 2200), sent)));
    CHECK_FALSE(waits(stage));
    CHECK(shown_now(stage) == nothing);
    const auto kind = seed % 4;
    const auto change = [&](Stage& on) {
      if (kind == 0 || kind == 3) on.get(on.mailboxes->copy(anne, inbox, range(1, 2200), sent));
      if (kind == 1) on.get(on.mailboxes->move(anne, inbox, range(1, 2200), sent));
      if (kind >= 2) on.get(on.mailboxes->expunge(anne, inbox, range(1, 2200), true));
      if (kind < 3) return;
      on.get(on.mailboxes->copy(anne, sent, range(200, 1200), inbox));
      on.get(on.mailboxes->expunge(anne, sent, range(1, 700), true));
    };
    Stage undisturbed(seed, {}, sizes);
    undisturbed.deliver_many(anne, inbox, 2300);
    change(undisturbed);
    // What is carried between two changes takes numbers, too: those are other ones.
    const Shown shown = shown_now(undisturbed, kind != 3);
    change(stage);
    for (auto steps = chance.between(0, 4); steps > 0; --steps) stage.shards.step();
    crash(stage);
    const auto runs = read_placement_runs(Stored(stage.engine->latest()), anne)->size();
    waited += runs > 0 ? 1 : 0;
    several += runs > 1 ? 1 : 0;
    check(stage);
    CHECK(shown_now(stage, kind != 3) == shown);
    stage.get(stage.mailboxes->store_flags(anne, inbox, {Uid(2300)}, FlagChange::add, Flags::seen, {}));
    CHECK_FALSE(waits(stage));
    check(stage);
    CHECK(shown_now(stage, kind != 3).sent == shown.sent);
    CHECK(stage.get(stage.mailboxes->deleted(anne)).size() == (kind == 2 ? 2200 : kind == 3 ? 199 : 0));
  }
  CHECK(waited > 8);
  CHECK(several > 2);
}

TEST_CASE("placement runs: A damaged message costs only itself, and is reported") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 300);
  const auto item = stage.view(anne, "INBOX")->row(9).item;
  store::Batch batch;
  batch.put(keys::item(anne, item), "rot");
  REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  CHECK(stage.get(stage.mailboxes->copy(anne, inbox, range(1, 300), sent)).to.size() == 300);
  stage.shards.run();
  CHECK_FALSE(waits(stage));
  const Stored stored(stage.engine->latest());
  const auto rows = scan_rows(stored, anne, sent, {});
  REQUIRE(rows);
  CHECK(rows->size() == 299);
  CHECK(stage.get(stage.mailboxes->check(anne, true)).left.empty());
  check(stage);
}

TEST_CASE("placement runs: fsck and repair carry what waits") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 300);
  stage.get(stage.mailboxes->copy(anne, inbox, range(1, 300), sent));
  crash(stage);
  const bool waited = waits(stage);
  const Shown before = shown_now(stage);
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  CHECK(waits(stage) == waited);
  store::Batch batch;
  batch.put(keys::message(anne, stage.view(anne, "INBOX")->row(3).mid), "rot");
  REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  const auto repaired = stage.get(stage.mailboxes->check(anne, true));
  CHECK(repaired.problems.size() == 1);
  CHECK(repaired.left.empty());
  CHECK_FALSE(waits(stage));
  CHECK(shown_now(stage) == before);
  check(stage);
}
