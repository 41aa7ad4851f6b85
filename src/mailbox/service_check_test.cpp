// fsck through the service: while it is in use, and what is in no mailbox any more.
#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/stage_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

// Takes records away behind the service's back.
std::size_t remove_all(Stage& stage, AccountId account, std::string_view subspaces) {
  store::Batch batch;
  for (const char subspace : subspaces) {
    const auto first = keys::of(subspace, account).take();
    const auto scanned = stage.engine->latest().scan(first, store::behind(first), [&](Bytes key, Bytes) {
      batch.remove(key);
      return true;
    });
    REQUIRE(scanned);
  }
  const std::size_t count = batch.operations.size();
  REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  return count;
}

void remove_item(Stage& stage, AccountId account, const Placed& placed) {
  store::Batch batch;
  batch.remove(keys::item(account, placed.item));
  batch.remove(keys::content(account, placed.item));
  batch.remove(keys::placement(account, placed.mailbox, placed.uid));
  REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
}

}  // namespace

TEST_CASE("fsck: An account in use is repaired, and everybody sees what was there before") {
  Stage stage;
  const MailboxId inbox = stage.box(anne, "INBOX").id;
  stage.deliver_many(anne, inbox, 600);
  stage.get(stage.mailboxes->store_flags(anne, inbox, range(1, 50), FlagChange::add, Flags::seen, {"work"}));
  stage.get(stage.mailboxes->expunge(anne, inbox, uids({7, 9}), true));
  const auto view = stage.view(anne, "INBOX");
  const std::string before = shown(*view);
  const MailboxSummary box = stage.box(anne, "INBOX");
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  CHECK(remove_all(stage, anne, "xXmnrgqV") > 600);
  CHECK(!stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  const auto checked = stage.get(stage.mailboxes->check(anne, true));
  CHECK(!checked.problems.empty());
  CHECK(checked.left.empty());
  CHECK(checked.lost == 0);
  CHECK(checked.records.at('x') == 598);
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  CHECK(shown(*stage.view(anne, "INBOX")) == before);
  const MailboxSummary after = stage.box(anne, "INBOX");
  CHECK(after.uidvalidity == box.uidvalidity);
  CHECK(after.uidnext == box.uidnext);
  CHECK(after.highest_modseq == box.highest_modseq);
  CHECK(stage.deliver(anne, "Subject: next\r\n\r\n").uid == box.uidnext);
  stage.restart();
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  CHECK(stage.view(anne, "INBOX")->size() == 599);
}

TEST_CASE("fsck: Threads of which nothing but the items is left are joined as they were") {
  Stage stage;
  const auto first = stage.deliver(anne, "Message-ID: <1@a>\r\n\r\n");
  stage.deliver(anne, "Message-ID: <2@a>\r\nReferences: <1@a>\r\n\r\n");
  remove_all(stage, anne, "rgq");
  CHECK(stage.get(stage.mailboxes->check(anne, true)).left.empty());
  stage.deliver(anne, "Message-ID: <3@a>\r\nIn-Reply-To: <2@a>\r\n\r\n");
  const auto view = stage.view(anne, "INBOX");
  CHECK(view->row(0).item == first.item);
  CHECK(view->row(2).thread == view->row(0).thread);
}

TEST_CASE("fsck: A content whose item is gone is filed in lost+found, once") {
  Stage stage;
  const std::string letter = "Subject: lost\r\n\r\nDear Anne\r\n";
  const auto placed = stage.deliver(anne, letter);
  stage.deliver(anne, "Subject: kept\r\n\r\n");
  CHECK(stage.get(stage.mailboxes->orphans()).empty());
  remove_item(stage, anne, placed);
  CHECK(stage.get(stage.mailboxes->check(anne, true)).left.empty());
  auto orphans = stage.get(stage.mailboxes->orphans());
  REQUIRE(orphans.size() == 1);
  CHECK(orphans.front().account == anne);
  CHECK(stage.get(stage.mailboxes->holders({orphans.front().blob})).size() == 1);
  stage.get(stage.mailboxes->rescue(orphans.front(), anne));
  CHECK(stage.get(stage.mailboxes->orphans()).empty());
  const auto found = stage.view(anne, std::string(lost_and_found));
  REQUIRE(found->size() == 1);
  CHECK(stage.text(anne, found->row(0)) == letter);
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  CHECK(stage.view(anne, "INBOX")->size() == 1);
}

TEST_CASE("fsck: Of an unreadable content record only its message is moved to lost+found") {
  Stage stage;
  const auto placed = stage.deliver(anne, "Subject: one\r\n\r\n", {.prefix = "Return-Path: <a@b>\r\n"});
  stage.deliver(anne, "Subject: two\r\n\r\n");
  store::Batch batch;
  batch.put(keys::content(anne, placed.item), "damaged");
  REQUIRE(stage.run(stage.engine->commit(std::move(batch))));
  const auto checked = stage.get(stage.mailboxes->check(anne, true));
  CHECK(checked.left.empty());
  CHECK(checked.lost == 1);
  CHECK(shown(*stage.view(anne, "INBOX")) == "2");
  for (const auto& orphan : stage.get(stage.mailboxes->orphans())) stage.get(stage.mailboxes->rescue(orphan, anne));
  CHECK(stage.text(anne, stage.view(anne, "lost+found")->row(0)) == "Subject: one\r\n\r\n");
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
}

TEST_CASE("fsck: All accounts that have records are known by them") {
  Stage stage;
  CHECK(stage.get(stage.mailboxes->stored_accounts()) == std::vector<AccountId>{anne, bert});
  remove_all(stage, bert, "A");
  CHECK(stage.get(stage.mailboxes->stored_accounts()) == std::vector<AccountId>{anne, bert});
  CHECK(stage.code(stage.mailboxes->list(bert)) == "-");  // In memory.
  stage.restart();
  CHECK(stage.code(stage.mailboxes->list(bert)) == no_such_account);
  CHECK(stage.get(stage.mailboxes->check(bert, true)).left.empty());
  CHECK(stage.get(stage.mailboxes->list(bert)).size() == 6);
}
