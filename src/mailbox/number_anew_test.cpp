#include "mailbox/number_anew.hpp"

#include "mailbox/first_numbers.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/records.hpp"
#include "mailbox/stage_test.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

AccountRecord record_of(Stage& stage, AccountId account) {
  const auto value = stage.engine->latest().get(keys::account(account));
  REQUIRE(value);
  REQUIRE(*value);
  return *decode<AccountRecord>(**value);
}

constexpr UtcTime later{1'900'000'000'000};

}  // namespace

TEST_CASE("R18, RFC 9051 §2.3.1.1: numbers begin at the calendar, and no clock takes them all") {
  CHECK(FirstNumbers::at(UtcTime{-5000}).uidvalidity == 0);
  CHECK(FirstNumbers::at(UtcTime{INT64_MAX}).uidvalidity == 0xF0000000);
  CHECK(FirstNumbers::at(UtcTime{INT64_MAX}).modseq < std::uint64_t{1} << 48);
  CHECK(FirstNumbers::at(later).uidvalidity == 1'900'000'000);
  CHECK(FirstNumbers::at(later).id == std::uint64_t{1'900'000'000} << 16);
}

TEST_CASE("R18: a restored account has all its mail, under a new UIDVALIDITY, with ids and modseqs behind all others") {
  Stage stage;
  stage.deliver(anne, "Subject: one\r\n\r\n");
  const auto placed = stage.deliver(anne, "Subject: two\r\n\r\n");
  stage.get(
      stage.mailboxes->store_flags(anne, placed.mailbox, {placed.uid}, FlagChange::add, Flags::flagged, {"work"}));
  stage.get(stage.mailboxes->expunge(anne, placed.mailbox, uids({1}), true));
  const MailboxSummary before = stage.box(anne, "INBOX");
  const std::string shown_before = shown(*stage.view(anne, "INBOX"));
  const std::string bert_before = shown(*stage.view(bert, "INBOX"));
  const AccountRecord old = record_of(stage, anne);

  for (const UtcTime at : {later, later + 10s, later}) {  // Again with a clock that has been set back.
    const auto last = stage.box(anne, "INBOX");
    const auto record = record_of(stage, anne);
    CHECK(stage.get(number_anew(*stage.engine, stage.random, at)) == 2);
    stage.restart();
    CHECK(stage.box(anne, "INBOX").uidvalidity > last.uidvalidity);
    CHECK(record_of(stage, anne).modseq > record.modseq);
    CHECK(record_of(stage, anne).replica != record.replica);
  }

  const MailboxSummary after = stage.box(anne, "INBOX");
  CHECK(after.uidvalidity.value >= 1'900'000'000);
  CHECK(after.uidnext == before.uidnext);
  CHECK(after.highest_modseq.value > std::uint64_t{1'900'000'000} << 16);
  CHECK(shown(*stage.view(anne, "INBOX")) == shown_before);
  CHECK(shown(*stage.view(bert, "INBOX")) == bert_before);
  // RFC 7162 §3.2.5.2: whoever comes with an older modseq hears of everything.
  CHECK(!stage.get(stage.mailboxes->changes(anne, placed.mailbox, before.highest_modseq)));
  CHECK(stage.get(stage.mailboxes->changes(anne, placed.mailbox, after.highest_modseq)));
  // RFC 1939 §7, RFC 8474 §4: ids of what comes now were never given out.
  const auto next = stage.deliver(anne, "Subject: three\r\n\r\n");
  CHECK(next.uid == before.uidnext);
  CHECK(next.item.value > std::max(old.next_id, std::uint64_t{1'900'000'000} << 16));
  CHECK(FirstNumbers::at(UtcTime{0} + 1s).id > FirstNumbers::at(UtcTime{999}).id + 60'000);
  CHECK(stage.get(stage.mailboxes->deleted(anne)).size() == 1);
  CHECK(stage.get(stage.mailboxes->check(anne, false)).problems.empty());
  CHECK(stage.get(stage.mailboxes->check(bert, false)).problems.empty());
}

TEST_CASE("RFC 9051 §2.3.1.1, RFC 1939 §7: a new account never has the numbers of an older one of its name") {
  Stage stage;
  const MailboxSummary old = stage.box(anne, "INBOX");
  const auto item = stage.deliver(anne, "Subject: old\r\n\r\n").item;
  REQUIRE(stage.run(stage.mailboxes->remove_account(anne)));
  stage.clock.advance(5000);
  stage.create(anne);
  CHECK(stage.box(anne, "INBOX").uidvalidity > old.uidvalidity);
  CHECK(stage.deliver(anne, "Subject: new\r\n\r\n").item.value > item.value);
}
