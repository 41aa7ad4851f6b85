// The service of mailboxes over an engine in memory.
#include "mailbox/mailboxes.hpp"

#include "mailbox/flag_runs.hpp"
#include "mailbox/imports.hpp"
#include "mailbox/invariants.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/stage_test.hpp"
#include "message/structure.hpp"
#include "rfc_test.hpp"
#include "store/key.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

const std::string hello = "Message-ID: <1@example.org>\r\nSubject: hello\r\n\r\nHello.\r\n";

std::vector<std::string> paths(Stage& stage, AccountId account = anne) {
  std::vector<std::string> found;
  for (const auto& box : stage.get(stage.mailboxes->list(account))) {
    found.push_back(box.path + (box.selectable ? "" : " (no)"));
  }
  return found;
}

}  // namespace

TEST_CASE("mailbox: A delivered message is in the view, byte for byte, after a restart too") {
  Stage stage;
  const auto placed =
      stage.deliver(anne, hello, {.prefix = "Return-Path: <b@example.net>\r\n", .flag_bits = Flags::flagged});
  CHECK(placed.uid == Uid(1));
  for (int round = 0; round < 2; ++round) {
    const auto view = stage.view(anne, "inbox");
    CHECK(shown(*view) == "1:flagged");
    const Row row = view->row(0);
    CHECK(stage.text(anne, row) == "Return-Path: <b@example.net>\r\n" + hello);
    CHECK(row.size == hello.size() + 30);
    CHECK(row.item == placed.item);
    CHECK(row.received == stage.clock.utc());
    CHECK(view->first_unseen() == 0);
    CHECK(view->highest_modseq() >= row.modseq);
    CHECK(stage.box(anne, "INBOX").unread == 1);
    const auto usage = stage.mailboxes->usage(anne);
    REQUIRE(usage);
    CHECK(usage->messages == 1);
    CHECK(usage->bytes == row.size);
    stage.restart();
  }
}

TEST_CASE("mailbox: What an upload still holds in memory gets its structure record and its thread with the commit") {
  std::size_t made = 0;
  Stage stage(1, [&made](Bytes prefix, Bytes content) {
    ++made;
    return std::string(prefix) + '|' + std::string(content);
  });
  const auto file = [&](const std::string& text) {
    NewMessage message;
    message.upload = stage.engine->upload();
    REQUIRE(stage.run(message.upload->append(text)));
    message.upload->finish();
    if (!message.upload->whole()) message.head = text.substr(0, 1000);
    std::vector<Placing> placings(1);
    placings[0].account = anne;
    placings[0].prefix = "X: y\r\n";
    return stage.run(stage.mailboxes->file(std::move(message), std::move(placings)));
  };
  stage.engine->fail_commits(1);
  CHECK_FALSE(file(hello));
  CHECK(made == 1);  // Before the commit.
  REQUIRE(file(hello));
  REQUIRE(file("References: <1@example.org>\r\n\r\nYes.\r\n"));
  REQUIRE(file("References: <1@example.org>\r\n\r\n" + std::string(200'000, 'x') + "\r\n"));
  stage.shards.run();
  const auto view = stage.view(anne, "INBOX");
  REQUIRE(view->size() == 3);
  CHECK(stage.get(stage.mailboxes->structure(anne, view->row(0))) == "X: y\r\n|" + hello);
  CHECK(stage.get(stage.mailboxes->structure(anne, view->row(2))).ends_with("xx\r\n"));  // Made later.
  CHECK(view->row(1).thread == view->row(0).thread);
  CHECK(view->row(2).thread == view->row(0).thread);
}

TEST_CASE("mailbox: One filing reaches several accounts and other records, or nothing at all") {
  Stage stage;
  const auto file = [&] {
    store::Batch also;
    also.put("queue record", "yes");
    NewMessage message;
    message.octets = hello;
    std::vector<Placing> placings(3);
    placings[0].account = bert;
    placings[1].account = anne;
    placings[2].account = anne;
    placings[2].path = "Lists/Dev";
    placings[2].create = true;
    return stage.run(stage.mailboxes->file(std::move(message), std::move(placings), std::move(also)));
  };
  stage.engine->fail_commits(1);
  CHECK_FALSE(file());
  CHECK(stage.view(anne, "INBOX")->size() == 0);
  CHECK(paths(stage).size() == 6);
  CHECK_FALSE(stage.engine->latest().get("queue record")->has_value());

  const auto placed = file();
  REQUIRE(placed);
  CHECK(placed->size() == 3);
  CHECK(stage.view(bert, "INBOX")->size() == 1);
  CHECK(stage.view(anne, "INBOX")->size() == 1);
  CHECK(stage.view(anne, "Lists/Dev")->size() == 1);
  CHECK(stage.engine->latest().get("queue record")->has_value());
  CHECK((*placed)[1].item != (*placed)[2].item);
}

TEST_CASE("mailbox: Mail for an account that does not exist is refused, the others untouched") {
  Stage stage;
  NewMessage message;
  message.octets = hello;
  std::vector<Placing> placings(2);
  placings[0].account = anne;
  placings[1].account = AccountId(99);
  CHECK(stage.code(stage.mailboxes->file(std::move(message), std::move(placings))) == no_such_account);
  CHECK(stage.view(anne, "INBOX")->size() == 0);
  CHECK(stage.deliver(anne, hello).uid == Uid(1));
}

TEST_CASE("mailbox: Filings into the same accounts from several shards at once all arrive, in order of uid") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Stage stage(seed);
    TaskGroup group;
    struct Run {
      static Task<void> file(Stage& stage, int& failures) {
        NewMessage message;
        message.octets = hello;
        std::vector<Placing> placings(2);
        placings[0].account = anne;
        placings[1].account = bert;
        auto done = co_await stage.mailboxes->file(std::move(message), std::move(placings));
        if (!done) ++failures;
      }
      static Task<void> flag(Stage& stage, MailboxId mailbox, int& failures) {
        auto done = co_await stage.mailboxes->store_flags(anne, mailbox, range(1, 9), FlagChange::add, Flags::seen, {});
        if (!done) ++failures;
      }
    };
    const MailboxId inbox = stage.box(anne, "INBOX").id;
    int failures = 0;
    for (unsigned i = 0; i < 30; ++i) {
      stage.shards.on(i % 3, [&] {
        group.start(Run::file(stage, failures));
        group.start(Run::flag(stage, inbox, failures));
      });
    }
    stage.shards.run();
    CHECK(group.empty());
    CHECK(failures == 0);
    CHECK(stage.view(anne, "INBOX")->size() == 30);
    CHECK(stage.view(bert, "INBOX")->size() == 30);
    CHECK(stage.box(anne, "INBOX").total == 30);
  }
}

TEST_CASE("mailbox: What was imported under a name is not imported again, in this mailbox, even after it was removed") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  const auto import = [&](MailboxId mailbox, const std::vector<std::string>& sources) {
    std::vector<std::pair<NewMessage, Placing>> messages(sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      messages[i].first.octets = hello;
      messages[i].second.source = sources[i];
    }
    std::string out;
    for (const auto& placed : stage.get(stage.mailboxes->append(anne, mailbox, std::move(messages)))) {
      out += std::to_string(placed.uid.value) + " ";
    }
    return out;
  };
  CHECK(import(inbox, {"a", "b", "a", ""}) == "1 2 0 3 ");
  stage.restart();
  CHECK(import(inbox, {"a", "c", ""}) == "0 4 5 ");
  CHECK(import(inbox, {"b", "a"}) == "0 0 ");
  CHECK(stage.view(anne, "INBOX")->size() == 5);
  stage.get(stage.mailboxes->expunge(anne, inbox, std::vector<Uid>{Uid(1)}, true));
  CHECK(import(inbox, {"a"}) == "0 ");
  CHECK(import(stage.box(anne, "Sent").id, {"a"}) == "1 ");
  const std::vector<std::string> asked{"a", "z", "", "c"};
  const auto known = imported_before(stage.engine->latest(), anne, inbox, asked);
  REQUIRE(known);
  CHECK(*known == std::vector<bool>{true, false, false, true});
  // With a mailbox what it remembers goes, too.
  stage.get(stage.mailboxes->create(anne, "Work"));
  const MailboxId work = stage.box(anne, "Work").id;
  CHECK(import(work, {"a", "b"}) == "1 2 ");
  const auto remembered = [&] {
    int count = 0;
    const std::string first = keys::of('k', anne).u48(work.value).take();
    CHECK(stage.engine->latest().scan(first, store::behind(first), [&](Bytes, Bytes) { return ++count > 0; }));
    return count;
  };
  CHECK(remembered() == 2);
  CHECK(stage.code(stage.mailboxes->remove(anne, "Work")) == "-");
  CHECK(remembered() == 0);
}

TEST_RFC("9051 §6.3.4", "CREATE makes missing parents, ignores a separator at the end") {
  Stage stage;
  CHECK(stage.code(stage.mailboxes->create(anne, "Work/2026/")) == "-");
  CHECK(paths(stage) ==
        std::vector<std::string>{"Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash", "Work", "Work/2026"});
  CHECK(stage.code(stage.mailboxes->create(anne, "work/2026")) == mailbox_exists);
  CHECK(stage.code(stage.mailboxes->create(anne, "iNbOx")) == mailbox_exists);
  CHECK(stage.code(stage.mailboxes->create(anne, "Sent 2", Role::sent)) == role_taken);
  for (const std::string bad :
       {"", "/", "a//b", "/a", "a\r\nb", "a\x7f", "\xff", "\xc3", "\xed\xa0\x80", "a\xc2\x85"}) {
    CAPTURE(bad);
    CHECK(stage.code(stage.mailboxes->create(anne, bad)) == bad_mailbox_name);
  }
  CHECK(stage.code(stage.mailboxes->create(anne, std::string(1001, 'a'))) == bad_mailbox_name);
  std::string deep = "a";
  for (int i = 1; i < 50; ++i) deep += "/a";
  CHECK(stage.code(stage.mailboxes->create(anne, deep)) == "-");
  CHECK(stage.code(stage.mailboxes->create(anne, deep + "/a")) == bad_mailbox_name);
}

TEST_RFC("9051 §6.3.5", "DELETE keeps inferior names, INBOX stays") {
  Stage stage;
  stage.get(stage.mailboxes->create(anne, "a/b"));
  stage.deliver(anne, hello, {.path = "a"});
  const auto before = stage.box(anne, "a");
  CHECK(before.total == 1);
  CHECK(stage.code(stage.mailboxes->remove(anne, "INBOX")) == mailbox_is_inbox);
  CHECK(stage.code(stage.mailboxes->remove(anne, "nothing")) == no_such_mailbox);
  CHECK(stage.code(stage.mailboxes->remove(anne, "a")) == "-");
  const auto left = stage.box(anne, "a");
  CHECK_FALSE(left.selectable);
  CHECK(left.total == 0);
  CHECK(stage.code(stage.mailboxes->remove(anne, "a")) == mailbox_has_children);
  // Mail for it goes to INBOX; CREATE makes it selectable again, with a greater UIDVALIDITY.
  CHECK(stage.deliver(anne, hello, {.path = "a"}).mailbox == stage.box(anne, "INBOX").id);
  CHECK(stage.code(stage.mailboxes->create(anne, "a")) == "-");
  CHECK(stage.box(anne, "a").uidvalidity > before.uidvalidity);
  CHECK(stage.code(stage.mailboxes->remove(anne, "a/b")) == "-");
  CHECK(stage.code(stage.mailboxes->remove(anne, "a")) == "-");
  CHECK_FALSE(stage.get(stage.mailboxes->find(anne, "a")));
  CHECK(stage.code(stage.mailboxes->view(anne, before.id)) == no_such_mailbox);
  const auto again = stage.get(stage.mailboxes->create(anne, "a"));
  CHECK(again != before.id);
  CHECK(stage.box(anne, "a").uidvalidity > left.uidvalidity);
}

TEST_RFC("9051 §6.3.6", "RENAME takes inferior names along; INBOX gives its messages away") {
  Stage stage;
  stage.get(stage.mailboxes->create(anne, "a/b/c"));
  stage.deliver(anne, hello, {.path = "a/b"});
  const auto before = stage.box(anne, "a/b");
  CHECK(stage.code(stage.mailboxes->rename(anne, "a", "x/y")) == "-");
  CHECK(stage.box(anne, "x/y/b/c").id);
  CHECK(stage.box(anne, "x/y/b").id == before.id);
  CHECK(stage.box(anne, "x/y/b").uidvalidity == before.uidvalidity);
  CHECK_FALSE(stage.get(stage.mailboxes->find(anne, "a")));
  CHECK(stage.code(stage.mailboxes->rename(anne, "x", "x/y/z")) == bad_mailbox_name);
  CHECK(stage.code(stage.mailboxes->rename(anne, "x", "Sent")) == mailbox_exists);
  CHECK(stage.code(stage.mailboxes->rename(anne, "none", "some")) == no_such_mailbox);
  CHECK(stage.code(stage.mailboxes->rename(anne, "x", "X")) == "-");
  CHECK(stage.box(anne, "x").path == "X");

  stage.get(stage.mailboxes->create(anne, "INBOX/below"));
  stage.deliver(anne, hello);
  stage.deliver(anne, hello);
  CHECK(stage.code(stage.mailboxes->rename(anne, "inbox", "Old mail")) == "-");
  CHECK(stage.box(anne, "INBOX").total == 0);
  CHECK(stage.box(anne, "INBOX").uidnext == Uid(3));
  CHECK(stage.view(anne, "Old mail")->size() == 2);
  CHECK(stage.box(anne, "INBOX/below").id);
}

TEST_RFC("9051 §6.3.7", "names may be subscribed that do not exist") {
  Stage stage;
  CHECK(stage.code(stage.mailboxes->subscribe(anne, "later/maybe", true)) == "-");
  CHECK(stage.code(stage.mailboxes->subscribe(anne, "Sent", false)) == "-");
  stage.restart();
  CHECK(stage.get(stage.mailboxes->subscriptions(anne)) ==
        std::vector<std::string>{"Archive", "Drafts", "INBOX", "Junk", "Trash", "later/maybe"});
  CHECK_FALSE(stage.box(anne, "Sent").subscribed);
  CHECK(stage.box(anne, "INBOX").subscribed);
}

TEST_RFC("9051 §6.4.6", "STORE replaces, adds, removes flags and keywords") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 3);
  auto& boxes = *stage.mailboxes;
  stage.get(boxes.store_flags(anne, inbox, uids({1, 3, 9}), FlagChange::add, Flags::seen, {"$Work", "b"}));
  stage.get(boxes.store_flags(anne, inbox, uids({3}), FlagChange::remove, Flags::seen, {"B"}));
  stage.get(boxes.store_flags(anne, inbox, uids({2}), FlagChange::replace, Flags::draft | Flags::deleted, {"b"}));
  const auto names = boxes.keywords(anne);
  REQUIRE(names);
  CHECK(shown(*stage.view(anne, "INBOX"), *names) == "1:seen,$Work,b 2:draft,deleted,b 3:$Work");
  const auto box = stage.box(anne, "INBOX");
  CHECK(box.unread == 2);
  CHECK(box.deleted == 1);
  stage.restart();
  CHECK(shown(*stage.view(anne, "INBOX"), *names) == "1:seen,$Work,b 2:draft,deleted,b 3:$Work");
}

TEST_RFC("7162 §3.1.3", "UNCHANGEDSINCE leaves newer messages alone and names them") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 3);
  auto& boxes = *stage.mailboxes;
  const ModSeq known = stage.view(anne, "INBOX")->highest_modseq();
  stage.get(boxes.store_flags(anne, inbox, uids({2}), FlagChange::add, Flags::flagged, {}));
  const auto stored =
      stage.get(boxes.store_flags(anne, inbox, uids({1, 2, 3}), FlagChange::add, Flags::seen, {}, known));
  CHECK(stored.modified == uids({2}));
  const auto view = stage.view(anne, "INBOX");
  CHECK(shown(*view) == "1:seen 2:flagged 3:seen");
  CHECK(stored.highest == view->highest_modseq());
}

TEST_RFC("8474 §4", "COPY keeps the EMAILID, flags but \\Deleted are shared") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 2);
  auto& boxes = *stage.mailboxes;
  stage.get(boxes.store_flags(anne, inbox, uids({1}), FlagChange::add, Flags::deleted | Flags::seen, {}));
  const auto copied = stage.get(boxes.copy(anne, inbox, uids({1, 2, 7}), sent));
  CHECK(copied.from == uids({1, 2}));
  CHECK(copied.to == uids({1, 2}));
  CHECK(copied.uidvalidity == stage.box(anne, "Sent").uidvalidity);
  CHECK(shown(*stage.view(anne, "Sent")) == "1:seen 2");
  CHECK(stage.view(anne, "Sent")->row(0).item == stage.view(anne, "INBOX")->row(0).item);
  CHECK(stage.get(boxes.expunge(anne, inbox, std::nullopt)) == uids({1}));
  CHECK(shown(*stage.view(anne, "Sent")) == "1:seen 2");
  CHECK(stage.text(anne, stage.view(anne, "Sent")->row(0)).find("<1@") != std::string::npos);
  // A second copy in the same mailbox is another item.
  const auto again = stage.get(boxes.copy(anne, inbox, uids({2}), sent));
  CHECK(again.to == uids({3}));
  const auto view = stage.view(anne, "Sent");
  CHECK(view->row(2).item != view->row(1).item);
  CHECK(stage.code(boxes.copy(anne, inbox, uids({2}), MailboxId(999))) == no_such_mailbox);
}

TEST_RFC("9051 §6.4.8", "MOVE: new UIDs in the target, gone from the source, also within one mailbox") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, junk = stage.box(anne, "Junk").id;
  stage.deliver_many(anne, inbox, 3);
  auto& boxes = *stage.mailboxes;
  const auto item = stage.view(anne, "INBOX")->row(1).item;
  const auto moved = stage.get(boxes.move(anne, inbox, uids({2}), junk));
  CHECK(moved.to == uids({1}));
  CHECK(shown(*stage.view(anne, "INBOX")) == "1 3");
  CHECK(stage.view(anne, "Junk")->row(0).item == item);
  CHECK(stage.get(boxes.move(anne, inbox, uids({1}), inbox)).to == uids({4}));
  CHECK(shown(*stage.view(anne, "INBOX")) == "3 4");
  CHECK(stage.mailboxes->usage(anne)->messages == 3);
}

TEST_RFC("9051 §6.4.9", "UID EXPUNGE takes only those named and marked; POP3 takes what it names") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 5);
  auto& boxes = *stage.mailboxes;
  stage.get(boxes.store_flags(anne, inbox, uids({1, 2, 3}), FlagChange::add, Flags::deleted, {}));
  CHECK(stage.get(boxes.expunge(anne, inbox, uids({2, 4}))) == uids({2}));
  CHECK(stage.get(boxes.expunge(anne, inbox, uids({5}), true)) == uids({5}));
  CHECK(stage.get(boxes.expunge(anne, inbox, std::nullopt)) == uids({1, 3}));
  CHECK(stage.get(boxes.expunge(anne, inbox, std::nullopt)).empty());
  CHECK(shown(*stage.view(anne, "INBOX")) == "4");
  CHECK(stage.deliver(anne, hello).uid == Uid(6));
}

TEST_CASE("mailbox: What was expunged comes back with undelete, until housekeeping ends it") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  const auto first = stage.deliver(anne, hello, {.prefix = "X: y\r\n"});
  stage.deliver(anne, "second\r\n", {.path = "Gone", .create = true});
  stage.get(boxes.expunge(anne, first.mailbox, uids({1}), true));
  REQUIRE(stage.run(boxes.remove(anne, "Gone")));
  CHECK(boxes.usage(anne)->messages == 0);
  auto deleted = stage.get(boxes.deleted(anne));
  REQUIRE(deleted.size() == 2);
  CHECK(deleted[0].path == "INBOX");
  CHECK(deleted[0].uid == Uid(1));
  CHECK(deleted[1].path == "Gone");
  const auto restored = stage.get(boxes.undelete(anne, {deleted[0].id, deleted[1].id}));
  REQUIRE(restored.size() == 2);
  CHECK(restored[0].item != first.item);  // For clients the old one was destroyed.
  const auto view = stage.view(anne, "INBOX");
  CHECK(shown(*view) == "2");
  CHECK(stage.text(anne, view->row(0)) == "X: y\r\n" + hello);
  CHECK(shown(*stage.view(anne, "Gone")) == "1");  // The mailbox was made again.
  CHECK(stage.get(boxes.deleted(anne)).empty());
  stage.deliver(anne, "third\r\n");

  stage.get(boxes.expunge(anne, first.mailbox, uids({2}), true));
  stage.clock.advance(10'000);
  stage.get(boxes.expunge(anne, first.mailbox, uids({3}), true));
  const UtcTime between{stage.clock.utc().milliseconds - 5000};
  REQUIRE(stage.run(boxes.housekeep(anne, between, between)));
  deleted = stage.get(boxes.deleted(anne));
  REQUIRE(deleted.size() == 1);
  CHECK(deleted[0].uid == Uid(3));
}

TEST_CASE("mailbox: A closed account is not there for anybody, and comes back as it was") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  const auto first = stage.deliver(anne, hello);
  REQUIRE(stage.run(boxes.set_closed(anne, true)));
  CHECK(stage.code(boxes.list(anne)) == no_such_account);
  CHECK(stage.code(boxes.view(anne, first.mailbox)) == no_such_account);
  CHECK(stage.code(boxes.expunge(anne, first.mailbox, uids({1}), true)) == no_such_account);
  REQUIRE(stage.run(boxes.set_closed(anne, false)));
  CHECK(shown(*stage.view(anne, "INBOX")) == "1");
  REQUIRE(stage.run(boxes.set_closed(anne, true)));
  REQUIRE(stage.run(boxes.remove_account(anne)));
  REQUIRE(stage.run(boxes.set_closed(anne, false)));
  CHECK(stage.code(boxes.list(anne)) == no_such_account);
  CHECK(!boxes.usage(anne));
}

TEST_RFC("7162 §3.2.5", "changes since a modseq: vanished, changed, appeared; none below the floor") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 4);
  const ModSeq since = stage.view(anne, "INBOX")->highest_modseq();
  stage.get(boxes.expunge(anne, inbox, uids({1}), true));
  stage.get(boxes.store_flags(anne, inbox, uids({3}), FlagChange::add, Flags::seen, {}));
  stage.deliver_many(anne, inbox, 2);
  stage.get(boxes.expunge(anne, inbox, uids({6}), true));
  auto changes = stage.get(boxes.changes(anne, inbox, since));
  REQUIRE(changes);
  CHECK(changes->vanished == uids({1}));
  CHECK(changes->changed == uids({3}));
  CHECK(changes->appeared == uids({5}));
  stage.clock.advance(1000);
  REQUIRE(stage.run(boxes.housekeep(anne, UtcTime{}, stage.clock.utc())));
  CHECK_FALSE(stage.get(boxes.changes(anne, inbox, since)));
  CHECK(stage.get(boxes.changes(anne, inbox, stage.view(anne, "INBOX")->highest_modseq())));
}

TEST_CASE("mailbox: Views stay as they are; their difference is what happened") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 3000);
  const auto before = stage.view(anne, "INBOX");
  CHECK(before->size() == 3000);
  CHECK(before->row(2999).uid == Uid(3000));
  stage.get(boxes.store_flags(anne, inbox, uids({7, 1500}), FlagChange::add, Flags::seen, {}));
  stage.get(boxes.expunge(anne, inbox, uids({1, 2000}), true));
  stage.deliver_many(anne, inbox, 2);
  const auto after = stage.view(anne, "INBOX");
  CHECK(before->size() == 3000);
  CHECK_FALSE(before->row(6).flags.has(Flags::seen));
  CHECK(after->size() == 3000);
  CHECK(after->row(5).flags.has(Flags::seen));
  auto changes = diff(*before, *after);
  CHECK(changes.vanished == uids({1, 2000}));
  CHECK(changes.changed == uids({7, 1500}));
  CHECK(changes.appeared == uids({3001, 3002}));
  CHECK(diff(*after, *after).changed.empty());
  CHECK(after->find(Uid(2000)) == std::nullopt);
  CHECK(after->lower_bound(Uid(2000)) == 1998);
  CHECK(after->find(Uid(3001)) == 2998);
  CHECK(after->lower_bound(Uid(4000)) == 3000);
  // Loaded anew from packed rows it is the same, and so is the difference between tables that share nothing.
  stage.restart();
  const auto again = stage.view(anne, "INBOX");
  CHECK(shown(*again) == shown(*after));
  CHECK(again->size() == 3000);
  changes = diff(*after, *again);
  CHECK((changes.vanished.empty() && changes.changed.empty() && changes.appeared.empty()));
  changes = diff(*before, *again);
  CHECK(changes.changed == uids({7, 1500}));
}

TEST_CASE("mailbox: Watchers hear of each change of their mailbox, on their shard, once it is durable") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  Wakeup bell, other;
  auto watch = boxes.watch(anne, inbox, bell);
  auto elsewhere = boxes.watch(anne, stage.box(anne, "Sent").id, other);
  stage.shards.run();
  stage.deliver(anne, hello);
  stage.shards.run();
  CHECK(bell.fired());
  CHECK_FALSE(other.fired());
  bell.clear();
  stage.engine->fail_commits(1);
  CHECK_FALSE(stage.run(boxes.store_flags(anne, inbox, uids({1}), FlagChange::add, Flags::seen, {})));
  stage.shards.run();
  CHECK_FALSE(bell.fired());
  stage.get(boxes.store_flags(anne, inbox, uids({1}), FlagChange::add, Flags::seen, {}));
  watch.reset();
  stage.shards.run();
  CHECK_FALSE(bell.fired());
}

TEST_CASE("mailbox: Structure records and texts come back in order, single and packed") {
  Stage stage(1, message::make_structure);
  auto& boxes = *stage.mailboxes;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 2500);
  stage.get(boxes.expunge(anne, inbox, range(1000, 1100), true));
  stage.shards.run();
  stage.deliver_many(anne, inbox, 50);
  using Parts = Mailboxes::Parts;
  const auto id = [](const Row& row) { return "<" + std::to_string(row.uid.value) + "@example.org>"; };
  for (int round = 0; round < 2; ++round) {
    const auto view = stage.view(anne, "INBOX");
    const std::pair<std::size_t, std::size_t> parts[] = {{0, view->size()}, {990, 1010}, {2400, view->size()}, {5, 6}};
    for (const auto& [first, last] : parts) {
      for (const Parts wanted : {Parts{.envelope = true}, Parts{.envelope = true, .layout = true, .texts = true},
                                 Parts{.layout = true}, Parts{.threading = true}, Parts{}}) {
        std::size_t next = first;
        bool right = true;
        const auto fits = [&](std::size_t row, Bytes record) {
          right &= row == next++;
          const auto structure = message::Structure::open(record);
          if (!structure) return false;
          if (wanted.envelope) right &= structure->envelope().find(id(view->row(row))) != Bytes::npos;
          if (wanted.layout) right &= structure->section({}, message::SectionText::text)->length == 6;
          if (wanted.threading) right &= structure->text(message::HeaderText::message_id) == id(view->row(row));
          return structure->size() == view->row(row).size;
        };
        const Mailboxes::StructureVisit visit = [&](std::size_t row, Bytes record) {
          return right &= fits(row, record);
        };
        REQUIRE(stage.run(stage.mailboxes->structures(anne, view, first, last, wanted, visit)));
        CHECK(right);
        CHECK(next == last);
        next = first;
        const Mailboxes::TextVisit read = [&](std::size_t row, Result<MessageText> text, Bytes record) {
          if (wanted.envelope || wanted.layout || wanted.threading)
            right &= fits(row, record);
          else
            ++next;
          right &= text && text->content.text() == "Message-ID: " + id(view->row(row)) + "\r\n\r\nbody\r\n";
          return right;
        };
        REQUIRE(stage.run(stage.mailboxes->texts(anne, view, first, last, wanted, read)));
        CHECK(right);
        CHECK(next == last);
      }
    }
    const auto record = stage.get(stage.mailboxes->structure(anne, view->row(3)));
    CHECK(message::Structure::open(record)->text(message::HeaderText::message_id) == "<4@example.org>");
    stage.shards.run();
    stage.restart();
  }
}

TEST_CASE("mailbox: Copies are packed from the columns of where they came from, the others from their own records") {
  Stage stage(1, message::make_structure);
  auto& boxes = *stage.mailboxes;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 1800);  // The last of them are not packed there.
  stage.shards.run();
  stage.deliver_many(anne, sent, 30);
  stage.get(boxes.copy(anne, inbox, range(301, 1800), sent));
  stage.deliver_many(anne, sent, 30);
  // A column that cannot be read hides nothing either.
  const auto first = keys::columns(anne, inbox, Column::layout).take();
  std::string damaged;
  REQUIRE(stage.engine->latest().scan(first, store::behind(first), [&](Bytes key, Bytes) {
    damaged = std::string(key);
    return damaged.empty();
  }));
  store::Batch batch;
  batch.put(damaged, "rot");
  REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  stage.shards.run();
  std::size_t groups = 0;
  const auto packed = keys::columns(anne, sent, Column::envelope).take();
  REQUIRE(stage.engine->latest().scan(packed, store::behind(packed), [&](Bytes, Bytes) { return ++groups, true; }));
  CHECK(groups > 1);
  const auto view = stage.view(anne, "Sent");
  REQUIRE(view->size() == 1560);
  std::size_t right = 0;
  const Mailboxes::TextVisit visit = [&](std::size_t row, Result<MessageText> text, Bytes record) {
    const auto own = stage.get(boxes.structure(anne, view->row(row)));
    right += text && record == own && text->size() == view->row(row).size ? 1 : 0;
    return true;
  };
  const Mailboxes::Parts all{.envelope = true, .layout = true, .texts = true, .threading = true};
  REQUIRE(stage.run(boxes.texts(anne, view, 0, view->size(), all, visit)));
  CHECK(right == 1560);
  const auto problems = check_account(Stored(stage.engine->latest()), anne);
  REQUIRE(problems);
  CHECK(*problems == std::vector<std::string>());
}

TEST_CASE("mailbox: A damaged group of columns hides no message") {
  Stage stage(1, message::make_structure);
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 1500);
  stage.shards.run();
  const auto first = keys::of('E', anne).u48(inbox.value).take();
  std::vector<std::string> packed;
  REQUIRE(stage.engine->latest().scan(first, store::behind(first), [&](Bytes key, Bytes) {
    packed.emplace_back(key);
    return true;
  }));
  CHECK(packed.size() > 5 * 3);
  for (std::size_t i = 0; i < packed.size(); i += 4) {
    store::Batch batch;
    batch.put(packed[i], "rot");
    REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  }
  const auto view = stage.view(anne, "INBOX");
  std::size_t seen = 0;
  const Mailboxes::TextVisit visit = [&](std::size_t row, Result<MessageText> text, Bytes record) {
    const auto structure = message::Structure::open(record);
    seen += row == seen && text && structure && structure->size() == text->size() ? 1 : 0;
    return true;
  };
  REQUIRE(stage.run(stage.mailboxes->texts(anne, view, 0, view->size(), {.layout = true}, visit)));
  CHECK(seen == 1500);
}

TEST_RFC("9051 §6.4.6", "a change of flags on many messages is one record, and holds at once") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 1200);
  const auto stored_records = [&](char subspace) {
    const auto first = keys::of(subspace, anne).take();
    std::size_t count = 0;
    REQUIRE(stage.engine->latest().scan(first, store::behind(first), [&](Bytes, Bytes) { return ++count, true; }));
    return count;
  };
  const auto right = [&] {
    const auto problems = check_account(Stored(stage.engine->latest()), anne);
    REQUIRE(problems);
    CHECK(*problems == std::vector<std::string>());
  };
  const auto before = stage.view(anne, "INBOX");
  auto all = range(1, 1200);
  std::erase(all, Uid(7));
  const auto stored = stage.get(boxes.store_flags(anne, inbox, all, FlagChange::add, Flags::seen, {"work"}));
  CHECK(stored_records('F') == 1);
  const auto after = stage.view(anne, "INBOX");
  CHECK(after->highest_modseq() >= stored.highest);
  CHECK(diff(*before, *after).changed == all);
  CHECK(after->row(5).flags == Flags{Flags::seen, {0}});
  CHECK(after->row(6).flags == Flags{});
  CHECK(after->row(7).modseq.value == after->row(5).modseq.value + 1);  // One for each message.
  CHECK(stage.box(anne, "INBOX").unread == 1);
  const auto told = stage.get(boxes.changes(anne, inbox, before->highest_modseq()));
  REQUIRE(told);
  CHECK(told->changed == all);
  right();

  // RFC 7162 §3.1.3: those that changed since are left alone.
  const auto limit = after->row(1000).modseq;
  const auto conflict = stage.get(boxes.store_flags(anne, inbox, all, FlagChange::add, Flags::deleted, {}, limit));
  CHECK(conflict.modified == range(1002, 1200));
  CHECK(stage.box(anne, "INBOX").deleted == 1000);
  // What touches single messages finds them as they are.
  stage.get(boxes.store_flags(anne, inbox, uids({1200}), FlagChange::add, Flags::flagged, {}));
  CHECK(stage.get(boxes.expunge(anne, inbox, range(1, 10))).size() == 9);
  const auto copied = stage.get(boxes.copy(anne, inbox, uids({20, 1100}), stage.box(anne, "Sent").id));
  CHECK(copied.to.size() == 2);
  CHECK(shown(*stage.view(anne, "Sent"), {"work"}) == "1:seen,work 2:seen,work");
  // Two are in two mailboxes now: a change of their flags is one there too, so it is made message by message.
  stage.get(boxes.store_flags(anne, inbox, all, FlagChange::add, Flags::answered, {}));
  CHECK(shown(*stage.view(anne, "Sent"), {"work"}) == "1:seen,answered,work 2:seen,answered,work");
  right();
  const auto row_text = [&] {
    const auto view = stage.view(anne, "INBOX");
    std::string text = std::to_string(view->size());
    for (const std::uint32_t uid : {7U, 11U, 20U, 1001U, 1200U}) {
      const Row row = view->row(*view->find(Uid(uid)));
      text += " " + std::to_string(row.flags.bits) + "/" + std::to_string(row.modseq.value);
    }
    return text;
  };
  const auto shown_before = row_text();
  stage.restart();
  CHECK(row_text() == shown_before);
  right();
  REQUIRE(stage.run(stage.mailboxes->housekeep(anne, UtcTime{}, UtcTime{})));
  CHECK(stored_records('F') == 0);
  CHECK(row_text() == shown_before);
  right();
  stage.restart();
  CHECK(row_text() == shown_before);
}

TEST_CASE("mailbox: Flags change at once where a few messages are in a second mailbox, and there, too") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 900);
  stage.get(stage.mailboxes->copy(anne, inbox, range(101, 180), sent));
  const auto runs = [&] {
    const auto waiting = read_flag_runs(Stored(stage.engine->latest()), anne, inbox);
    REQUIRE(waiting);
    return waiting->size();
  };
  const auto before = stage.view(anne, "INBOX")->highest_modseq();
  stage.get(stage.mailboxes->store_flags(anne, inbox, uids({5, 150}), FlagChange::add, Flags::draft, {}));
  const auto stored =
      stage.get(stage.mailboxes->store_flags(anne, inbox, range(1, 900), FlagChange::add, Flags::seen, {"k"}, before));
  CHECK(stored.modified == uids({5, 150}));
  CHECK(runs() > 0);
  const auto check = [&] {
    const auto problems = check_account(Stored(stage.engine->latest()), anne);
    REQUIRE(problems);
    CHECK(*problems == std::vector<std::string>());
    const auto here = stage.view(anne, "INBOX");
    const auto there = stage.view(anne, "Sent");
    for (std::size_t i = 0; i < here->size(); ++i) {
      const bool changed = i != 4 && i != 149;
      CHECK(here->row(i).flags.has(Flags::seen) == changed);
      CHECK(here->row(i).flags.keywords.size() == (changed ? 1 : 0));
      if (i >= 100 && i < 180) CHECK(there->row(i - 100).flags == here->row(i).flags);
    }
    CHECK(stage.box(anne, "INBOX").unread == 2);
    CHECK(stage.box(anne, "Sent").unread == 1);
  };
  check();
  stage.restart();
  check();
  // Where most are elsewhere, one after the other.
  stage.get(stage.mailboxes->copy(anne, inbox, range(200, 900), sent));
  const auto waiting = runs();
  stage.get(stage.mailboxes->store_flags(anne, inbox, range(1, 900), FlagChange::add, Flags::flagged, {}));
  CHECK(runs() <= waiting);
  CHECK(stage.view(anne, "Sent")->row(0).flags.has(Flags::flagged));
  check();
}

TEST_RFC("9051 §6.4.3", "copies that are marked and expunged at once leave the originals as they were") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
  stage.deliver_many(anne, inbox, 4500);
  const auto copied = stage.get(stage.mailboxes->copy(anne, inbox, range(1, 4200), sent));
  CHECK(copied.to == range(1, 4200));
  const auto before = stage.view(anne, "INBOX");
  const auto runs = [&] { return read_flag_runs(Stored(stage.engine->latest()), anne, sent)->size(); };
  stage.get(stage.mailboxes->store_flags(anne, sent, range(1, 4200), FlagChange::add, Flags::deleted, {}));
  CHECK(runs() == 1);  // One record, although each of them is in two mailboxes.
  CHECK(diff(*before, *stage.view(anne, "INBOX")).changed.empty());
  const auto check = [&] {
    const auto problems = check_account(Stored(stage.engine->latest()), anne);
    REQUIRE(problems);
    CHECK(*problems == std::vector<std::string>());
  };
  check();
  stage.restart();
  CHECK(stage.box(anne, "Sent").deleted == 4200);
  CHECK(stage.get(stage.mailboxes->expunge(anne, sent, std::nullopt)) == range(1, 4200));
  CHECK(stage.view(anne, "Sent")->size() == 0);
  CHECK(stage.view(anne, "INBOX")->size() == 4500);
  CHECK(stage.get(stage.mailboxes->deleted(anne)).empty());
  check();
}

TEST_CASE("mailbox: Many runs of flags are carried into the records in the background") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 1500);
  for (int i = 0; i < 40; ++i) {
    const auto change = i % 2 == 0 ? FlagChange::add : FlagChange::remove;
    std::vector<Uid> some;
    for (std::uint32_t uid = 1 + static_cast<std::uint32_t>(i % 3); uid <= 1500;
         uid += 1 + static_cast<std::uint32_t>(i % 3)) {
      some.emplace_back(uid);
    }
    stage.get(stage.mailboxes->store_flags(anne, inbox, some, change, Flags::seen, {}));
    if (i % 7 == 0)
      stage.get(stage.mailboxes->expunge(
          anne, inbox, range(static_cast<std::uint32_t>(i) * 3 + 1, static_cast<std::uint32_t>(i) * 3 + 2), true));
  }
  stage.shards.run();
  const auto problems = check_account(Stored(stage.engine->latest()), anne);
  REQUIRE(problems);
  CHECK(*problems == std::vector<std::string>());
  const auto view = stage.view(anne, "INBOX");
  const auto text = shown(*view);
  stage.restart();
  CHECK(shown(*stage.view(anne, "INBOX")) == text);
}

TEST_CASE("mailbox: The first unseen message is told without loading a large mailbox") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 5000);
  const auto first_unseen = [&] {
    stage.restart();
    return stage.view(anne, "INBOX")->first_unseen();
  };
  CHECK(first_unseen() == std::size_t{0});
  const auto see = [&](std::uint32_t from, std::uint32_t to) {
    stage.get(stage.mailboxes->store_flags(anne, inbox, range(from, to), FlagChange::add, Flags::seen, {}));
  };
  see(1, 10);
  CHECK(first_unseen() == std::size_t{10});
  see(11, 1500);
  CHECK(first_unseen() == std::size_t{1500});
  stage.get(stage.mailboxes->expunge(anne, inbox, range(5, 104), true));
  CHECK(first_unseen() == std::size_t{1400});
  see(1501, 4999);
  CHECK_FALSE(first_unseen());  // Too far behind.
  see(5000, 5000);
  CHECK_FALSE(first_unseen());
}

TEST_CASE("mailbox: A removed account leaves nothing behind") {
  Stage stage;
  auto& boxes = *stage.mailboxes;
  stage.deliver(anne, hello);
  stage.deliver(bert, hello);
  REQUIRE(stage.run(boxes.remove_account(bert)));
  CHECK(stage.code(boxes.list(bert)) == no_such_account);
  CHECK_FALSE(boxes.usage(bert));
  std::size_t left = 0;
  for (const char subspace : std::string_view("ACFIJPSTVXceghkmnqrtwxyE")) {
    const auto first = store::Key(subspace).u32(bert.value).take();
    REQUIRE(stage.engine->latest().scan(first, store::behind(first), [&](Bytes, Bytes) { return ++left, true; }));
  }
  CHECK(left == 0);
  CHECK(stage.view(anne, "INBOX")->size() == 1);
  stage.create(bert);
  CHECK(stage.view(bert, "INBOX")->size() == 0);
}

TEST_CASE("mailbox: What was built on a commit that failed fails with it, whatever happens at once") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    // As few messages are or many: in some worlds each change of one message is a run.
    const BulkSizes sizes = seed % 2 == 0 ? BulkSizes() : BulkSizes{.run_from = 1, .carry_parts = 1};
    Stage stage(seed, {}, sizes);
    const MailboxId inbox = stage.box(anne, "INBOX").id, sent = stage.box(anne, "Sent").id;
    stage.deliver_many(anne, inbox, 5);
    struct Run {
      static Task<void> file(Stage& stage, int& filed) {
        NewMessage message;
        message.octets = hello;
        std::vector<Placing> placings(2);
        placings[0].account = anne;
        placings[1].account = bert;
        auto done = co_await stage.mailboxes->file(std::move(message), std::move(placings));
        filed += done ? 1 : 0;
      }
      static Task<void> append(Stage& stage, MailboxId mailbox, int& filed) {
        std::vector<std::pair<NewMessage, Placing>> messages(1);
        messages[0].first.octets = hello;
        auto done = co_await stage.mailboxes->append(anne, mailbox, std::move(messages));
        filed += done ? 1 : 0;
      }
      static Task<void> flag(Stage& stage, MailboxId mailbox, Uid uid, FlagChange change) {
        static_cast<void>(
            co_await stage.mailboxes->store_flags(anne, mailbox, std::vector<Uid>{uid}, change, Flags::seen, {"k"}));
      }
      static Task<void> copy(Stage& stage, MailboxId from, MailboxId to, Uid uid, bool move) {
        auto& boxes = *stage.mailboxes;
        const std::vector<Uid> uids{uid, Uid(uid.value + 1)};
        if (move) {
          static_cast<void>(co_await boxes.move(anne, from, uids, to));
        } else {
          static_cast<void>(co_await boxes.copy(anne, from, uids, to));
        }
      }
      static Task<void> expunge(Stage& stage, MailboxId mailbox, Uid uid) {
        static_cast<void>(co_await stage.mailboxes->expunge(anne, mailbox, std::vector<Uid>{uid}, true));
      }
    };
    sim::Random chance(seed);
    TaskGroup group;
    int filed = 5;
    for (int i = 0; i < 60; ++i) {
      const Uid uid(static_cast<std::uint32_t>(chance.between(1, 12)));
      const auto one = [&]() -> Task<void> {
        switch (chance.next() % 6) {
          case 0:
            return Run::file(stage, filed);
          case 1:
            return Run::append(stage, inbox, filed);
          case 2:
            return Run::flag(stage, inbox, uid, chance.happens(500) ? FlagChange::add : FlagChange::remove);
          case 3:
            return Run::copy(stage, inbox, sent, uid, chance.happens(500));
          case 4:
            return Run::expunge(stage, chance.happens(500) ? inbox : sent, uid);
          default:
            return Run::flag(stage, sent, uid, FlagChange::replace);
        }
      };
      stage.shards.on(static_cast<unsigned>(chance.next() % 3), [&] { group.start(one()); });
      if (chance.happens(100)) stage.engine->fail_commits(chance.between(1, 2));
      // Refuses new mail only: what is behind it in the queue would otherwise be written.
      if (chance.happens(100)) stage.engine->set_health(store::Engine::Health::low_space);
      if (chance.happens(300)) stage.engine->set_health(store::Engine::Health::good);
      for (auto steps = chance.between(0, 6); steps > 0; --steps) stage.shards.step();
    }
    stage.shards.run();
    REQUIRE(group.empty());
    stage.engine->fail_commits(0);
    stage.engine->set_health(store::Engine::Health::good);
    for (const AccountId account : {anne, bert}) {
      const auto problems = check_account(Stored(stage.engine->latest()), account);
      REQUIRE(problems);
      CHECK_MESSAGE(problems->empty(), problems->front());
    }
    CHECK(stage.box(bert, "INBOX").total <= static_cast<unsigned>(filed));
    // What is kept in memory is what is durable.
    const auto summary = stage.box(anne, "INBOX");
    const auto text = shown(*stage.view(anne, "INBOX"));
    stage.restart();
    CHECK(shown(*stage.view(anne, "INBOX")) == text);
    CHECK(stage.box(anne, "INBOX").highest_modseq == summary.highest_modseq);
    CHECK(stage.deliver(anne, hello).uid == summary.uidnext);
  }
}

TEST_CASE("mailbox: A damaged record is reported, its message has a place but nothing else, the others are served") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 5);
  const auto damage = [&](const keys::Key& key) {
    auto value = stage.engine->latest().get(key);
    REQUIRE((value && *value));
    (**value)[(**value).size() / 2] ^= 0x10;
    store::Batch batch;
    batch.put(key, **value);
    REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  };
  const ItemId third = stage.view(anne, "INBOX")->row(2).item;
  damage(keys::placement(anne, inbox, Uid(2)));
  damage(keys::content(anne, third));
  stage.restart();
  auto& boxes = *stage.mailboxes;
  const auto view = stage.view(anne, "INBOX");
  CHECK(shown(*view) == "1 2 3 4 5");
  CHECK(stage.text(anne, view->row(0)).find("<1@") != std::string::npos);
  CHECK_FALSE(stage.run(boxes.text(anne, view->row(1))));
  const auto broken = stage.run(boxes.text(anne, view->row(2)));
  REQUIRE_FALSE(broken);
  CHECK(broken.error().kind == Failure::Kind::corrupt);
  stage.get(boxes.store_flags(anne, inbox, range(1, 5), FlagChange::add, Flags::deleted, {}));
  CHECK(stage.get(boxes.expunge(anne, inbox, std::nullopt)) == uids({1, 3, 4, 5}));
  CHECK(stage.deliver(anne, hello).uid == Uid(6));
  CHECK(stage.run(boxes.rename(anne, "INBOX", "Old")));
  CHECK(shown(*stage.view(anne, "Old")) == "1");
}

TEST_CASE("mailbox: What came since a moment is found from the end, loaded or not, whatever is gone") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 3000);
  stage.clock.advance(3'600'000);
  const UtcTime began = stage.clock.utc();
  // The same answer from the records and from the rows.
  const auto since = [&](UtcTime moment, std::size_t most) {
    stage.restart();
    const auto view = stage.view(anne, "INBOX");
    const Uid cold = view->arrived_since(moment, most);
    CHECK(view->lower_bound(view->uidnext()) == view->size());
    CHECK_FALSE(view->find(view->uidnext()));  // Loads the rows.
    CHECK(view->arrived_since(moment, most) == cold);
    return cold.value;
  };
  CHECK(since(began, 2000) == 3001);
  CHECK(since(UtcTime{}, 2000) == 1001);
  CHECK(since(UtcTime{}, 10000) == 1);
  stage.deliver_many(anne, inbox, 10);
  CHECK(since(began, 2000) == 3001);
  CHECK(since(began, 4) == 3007);
  stage.get(stage.mailboxes->expunge(anne, inbox, range(3004, 3010), true));
  CHECK(since(began, 2000) == 3001);
  CHECK(since(began, 2) == 3002);
  stage.get(stage.mailboxes->expunge(anne, inbox, range(1500, 3003), true));
  CHECK(since(began, 2000) == 3011);
  CHECK(since(UtcTime{}, 100) == 1400);
  stage.get(stage.mailboxes->expunge(anne, inbox, range(1, 1499), true));
  CHECK(since(UtcTime{}, 2000) == 3011);
}
