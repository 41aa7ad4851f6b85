#include "mailbox/read_ahead.hpp"

#include "mailbox/keys.hpp"
#include "mailbox/stage_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

// Counts who asks.
class Counted final : public KeyValue {
 public:
  Result<std::optional<std::string>> get(Bytes key) const override {
    ++gets;
    const auto found = records.find(std::string(key));
    if (found == records.end()) return std::nullopt;
    return found->second;
  }
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override {
    if (broken) return failure(Failure::Kind::corrupt, "F-0000", "broken");
    const auto end = records.lower_bound(std::string(to));
    for (auto at = records.lower_bound(std::string(from)); at != end; ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return {};
  }
  std::map<std::string, std::string> records;
  bool broken = false;
  mutable int gets = 0;
};

std::string text(const KeyValue& from, Bytes key) {
  auto value = from.get(key);
  REQUIRE(value);
  return value->value_or("-");
}

}  // namespace

TEST_CASE("mailbox: What was read ahead is as below, also what is not there, in any order, and nobody is asked again") {
  Counted below;
  for (int i = 10; i < 90; i += 2) below.records["k" + std::to_string(i)] = std::to_string(i);
  ReadAhead ahead(below);
  REQUIRE(ahead.fetch("k20", "k60", 20));
  CHECK(ahead.fetched().size() == 20);
  for (int turn = 0; turn < 2; ++turn) {
    for (int i = 20; i < 60; ++i) {
      const int number = turn == 0 ? i : 79 - i;
      CHECK(text(ahead, "k" + std::to_string(number)) == (number % 2 == 0 ? std::to_string(number) : "-"));
    }
  }
  CHECK(below.gets == 0);
  CHECK(text(ahead, "k60") == "60");
  CHECK(text(ahead, "k18") == "18");
  CHECK(text(ahead, "k61") == "-");
  CHECK(below.gets == 3);
}

TEST_CASE("mailbox: Too much, or what cannot be read, is not read ahead") {
  Counted below;
  for (int i = 10; i < 30; ++i) below.records["k" + std::to_string(i)] = std::to_string(i);
  ReadAhead ahead(below);
  CHECK(!ahead.fetch("k10", "k30", 19));
  CHECK(ahead.fetched().empty());
  CHECK(text(ahead, "k11") == "11");
  below.broken = true;
  CHECK(!ahead.fetch("k10", "k30", 30));
  CHECK(text(ahead, "k12") == "12");
  CHECK(text(ahead, "k31") == "-");
  CHECK(below.gets == 3);
}

namespace {

// The same changes of an account, so many messages at a time.
std::string changed(std::uint32_t at_once) {
  Stage stage;
  const AccountId account = anne;
  const MailboxId inbox = stage.box(account, "INBOX").id;
  const MailboxId copies = stage.get(stage.mailboxes->create(account, "Copies"));
  const MailboxId moved = stage.get(stage.mailboxes->create(account, "Moved"));
  stage.deliver_many(account, inbox, 150);
  stage.get(stage.mailboxes->expunge(account, inbox, uids({30, 31, 77}), true));
  const auto each = [&](std::uint32_t first, std::uint32_t last, auto change) {
    for (; first <= last; first += at_once) change(range(first, std::min(last, first + at_once - 1)));
  };
  each(20, 100, [&](auto some) { stage.get(stage.mailboxes->copy(account, inbox, some, copies)); });
  each(10, 60, [&](auto some) {
    stage.get(stage.mailboxes->store_flags(account, inbox, some, FlagChange::add, Flags::seen, {"work"}));
  });
  each(50, 120, [&](auto some) { stage.get(stage.mailboxes->move(account, inbox, some, moved)); });
  each(1, 40, [&](auto some) { stage.get(stage.mailboxes->expunge(account, copies, some, true)); });
  each(1, 145, [&](auto some) { stage.get(stage.mailboxes->expunge(account, inbox, some, true)); });
  CHECK(stage.get(stage.mailboxes->check(account, false)).problems.empty());
  std::string all;
  for (const char* path : {"INBOX", "Copies", "Moved"}) {
    const auto view = stage.view(account, path);
    for (std::size_t i = 0; i < view->size(); ++i) {
      const Row row = view->row(i);
      all += std::to_string(row.uid.value) + ' ' + std::to_string(row.item.value) + ' ' +
             std::to_string(row.thread.value) + ' ' + std::to_string(row.flags.bits) + ',';
    }
    const MailboxSummary box = stage.box(account, path);
    all += std::to_string(box.total) + ' ' + std::to_string(box.unread) + ' ' + std::to_string(box.bytes) + '\n';
  }
  return all;
}

}  // namespace

TEST_CASE("mailbox: Many messages changed at once come to the same as one after the other") {
  CHECK(changed(1000) == changed(1));
}
