#include "mailbox/records.hpp"

#include <limits>

#include "mailbox/rows.hpp"
#include "mailbox/thread_keys.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

constexpr std::uint64_t large = (std::uint64_t{1} << 48) - 1;

// Comes back as it was; every truncation and every flipped bit is noticed.
template <class Record>
void check_record(const Record& record) {
  const std::string octets = encode(record);
  const auto again = decode<Record>(octets);
  REQUIRE(again);
  CHECK(encode(*again) == octets);
  if constexpr (std::equality_comparable<Record>) CHECK(*again == record);
  for (std::size_t length = 0; length < octets.size(); ++length) CHECK_FALSE(decode<Record>(octets.substr(0, length)));
  CHECK_FALSE(decode<Record>(octets + '\0'));
  for (std::size_t at = 0; at < octets.size(); ++at) {
    std::string flipped = octets;
    flipped[at] ^= static_cast<char>(1 << at % 8);
    const auto damaged = decode<Record>(flipped);
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().kind == Failure::Kind::corrupt);
  }
  // A version that is not known, with a right checksum.
  CHECK_FALSE(decode<Record>(sealed(99, Bytes(octets).substr(1, octets.size() - 5))));
  // The right version and checksum, but not all of the record or more than it.
  CHECK_FALSE(decode<Record>(sealed(1, Bytes(octets).substr(1, octets.size() - 6))));
  CHECK_FALSE(decode<Record>(sealed(1, std::string(Bytes(octets).substr(1, octets.size() - 5)) + "x")));
}

const Flags busy{Flags::seen | Flags::flagged | Flags::draft, {0, 7, 65535}};

}  // namespace

TEST_CASE("records: Each comes back as it was, and damage is noticed at every octet") {
  AccountRecord account;
  account.modseq = account.next_id = large;
  account.replica.fill('\xff');
  account.used_bytes = std::numeric_limits<std::uint64_t>::max();
  account.state.fill(large);
  check_record(AccountRecord());
  check_record(account);

  Container container;
  container.id = MailboxId(large);
  container.kind = ContainerKind::trash;
  container.name = "Entw\xc3\xbcrfe";
  container.role = Role::important;
  container.selectable = false;
  container.floor = 17;
  container.bytes = large * 16;
  container.sealed_rows = UINT32_MAX;
  check_record(Container());
  check_record(container);

  Item item;
  item.id = ItemId(5);
  item.kind = ItemKind::task;
  item.blob.digest.fill(0xab);
  item.size = UINT32_MAX;
  item.received = UtcTime{-1};
  item.flags = busy;
  item.places = {{MailboxId(1), Uid(2)}, {MailboxId(large), Uid(UINT32_MAX)}};
  check_record(Item());
  check_record(item);

  check_record(ContentRecord{item.blob, "Return-Path: <>\r\n", std::string(3000, 's')});

  Placement placement;
  placement.item = ItemId(large);
  placement.received = UtcTime{140'000'000'000'000};  // The year 6406.
  placement.flags = busy;
  placement.name = "";
  placement.version = std::string(100, 'v');
  placement.origin = Placement::Origin{MailboxId(1), Uid(2), UtcTime{3}, "a/b"};
  check_record(Placement());
  check_record(placement);

  check_record(Thread{1, 2, {ItemId(3), ItemId(large)}, {0, UINT64_MAX}});
  check_record(ThreadCount{1, UINT32_MAX});
  check_record(PlacementTombstone{Uid(1), MessageId(2), ItemId(3), 4, UtcTime{5}, "name"});
  check_record(ObjectTombstone{1, 2, UtcTime{3}});
  check_record(PlacementChange{Uid(1), 2});
}

TEST_CASE("records: A container of the first version has packed nothing, and may share placements") {
  Container container;
  container.name = "x";
  container.sealed_uid = 5;
  container.sealed_rows = 5;
  container.shared = 3;
  const std::string now = encode(container);
  const auto old = decode<Container>(sealed(1, Bytes(now).substr(1, now.size() - 9)));
  REQUIRE(old);
  container.sealed_uid = container.sealed_rows = 0;
  container.shared = Container::unknown;
  CHECK(*old == container);
}

TEST_CASE("records: A run of flags, whole and damaged") {
  FlagRun run;
  run.mailbox = MailboxId(3);
  run.first = 100;
  run.change = FlagChange::remove;
  run.bits = Flags::seen | Flags::deleted;
  run.keywords = {1, 7};
  for (const std::uint32_t uid : {1U, 2U, 3U, 9U, 10U, 50U}) run.add(Uid(uid));
  CHECK(run.uids.size() == 3);
  CHECK(run.count() == 6);
  CHECK(run.last() == 105);
  CHECK(run.modseq_of(Uid(3)) == 102U);
  CHECK(run.modseq_of(Uid(10)) == 104U);
  CHECK(run.modseq_of(Uid(50)) == 105U);
  for (const std::uint32_t uid : {4U, 8U, 11U, 51U}) CHECK_FALSE(run.modseq_of(Uid(uid)));
  CHECK(run.applied_to(Flags{Flags::seen | Flags::flagged, {1, 2}}) == Flags{Flags::flagged, {2}});
  const std::string octets = encode(run);
  const auto again = decode_flag_run(octets);
  REQUIRE(again);
  CHECK(*again == run);
  for (std::size_t length = 0; length < octets.size(); ++length) CHECK_FALSE(decode_flag_run(octets.substr(0, length)));
  const Bytes body = Bytes(octets).substr(1, octets.size() - 5);
  for (std::size_t length = 0; length < body.size(); ++length) {
    CHECK_FALSE(decode_flag_run(sealed(1, body.substr(0, length))));
  }
  std::swap(run.uids[0], run.uids[1]);
  CHECK_FALSE(decode_flag_run(encode(run)));
}

TEST_CASE("records: An enumerator that is not known is damage, not another meaning") {
  auto container = encode(Container());
  container[7] = 77;  // The kind.
  CHECK_FALSE(decode<Container>(sealed(1, Bytes(container).substr(1, container.size() - 5))));
}

namespace {

Row row(std::uint32_t uid, std::uint64_t modseq, Flags flags = {}) {
  Row made;
  made.uid = Uid(uid);
  made.modseq = ModSeq(modseq);
  made.flags = std::move(flags);
  made.size = uid * 10;
  made.received = UtcTime{-static_cast<std::int64_t>(uid)};
  made.item = ItemId(large - uid);
  made.mid = MessageId(uid + 1);
  made.thread = ThreadId(uid + 2);
  return made;
}
bool same(const Row& a, const Row& b) {
  return a.uid == b.uid && a.modseq == b.modseq && a.flags == b.flags && a.size == b.size && a.received == b.received &&
         a.item == b.item && a.mid == b.mid && a.thread == b.thread;
}

}  // namespace

TEST_CASE("rows: A chunk comes back as it was; every truncation and every flipped bit is noticed") {
  RowChunk chunk(1);
  for (std::uint32_t uid = 1; uid <= 20; ++uid) chunk.add(row(uid * 3, uid, uid % 3 == 0 ? busy : Flags{}));
  const std::vector<Uid> vanished{Uid(1), Uid(2)};
  const std::string octets = RowChunk::encode(chunk, 20, vanished);
  const auto again = RowChunk::decode(octets);
  REQUIRE(again);
  CHECK(again->vanished == vanished);
  CHECK(again->chunk->filled() == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(same(again->chunk->row(i), chunk.row(i)));
  for (std::size_t length = 0; length < octets.size(); ++length)
    CHECK_FALSE(RowChunk::decode(octets.substr(0, length)));
  for (std::size_t at = 0; at < octets.size(); ++at) {
    std::string flipped = octets;
    flipped[at] ^= static_cast<char>(1 << at % 8);
    CHECK_FALSE(RowChunk::decode(flipped));
  }
  // A keyword set that does not exist, with a right checksum.
  std::string body = octets.substr(1, octets.size() - 5);
  body[body.size() - 13] = 9;
  CHECK_FALSE(RowChunk::decode(sealed(1, body)));
}

TEST_CASE("rows: Appending leaves older tables as they are, and shares the chunk") {
  RowTable first;
  for (std::uint32_t uid = 1; uid <= 1500; ++uid) first.add(row(uid, uid));
  const RowChange one{MailboxId(1), false, row(1501, 2000)}, other{MailboxId(1), false, row(1501, 3000)};
  const RowTable second = first.with(std::span(&one, 1));
  const RowTable branch = first.with(std::span(&other, 1));  // Not what happens, but must not harm.
  CHECK(first.size() == 1500);
  CHECK(second.size() == 1501);
  CHECK(second.row(1500).modseq == ModSeq(2000));
  CHECK(branch.row(1500).modseq == ModSeq(3000));
  CHECK(second.parts().back().chunk == first.parts().back().chunk);
  CHECK(first.parts().front().chunk == second.parts().front().chunk);
  CHECK(diff(first, second).appeared == std::vector<Uid>{Uid(1501)});
  CHECK(diff(second, branch).changed == std::vector<Uid>{Uid(1501)});
}

TEST_RFC("8621 §3", "message ids of a header: own first, nearest ancestors first, none twice") {
  const auto keys = [](std::string_view text) { return thread_keys(text); };
  const auto a = keys("Message-ID: <a@x>\r\n\r\n"), b = keys("message-id:<b@x>\r\n\r\n");
  REQUIRE(a.size() == 1);
  REQUIRE(b.size() == 1);
  CHECK(a != b);
  const auto reply = keys(
      "Subject: x\r\nReferences: <c@x>\r\n <a@x>\r\n\t<b@x>\r\nMessage-ID: <d@x>\r\nIn-Reply-To: <b@x> (my "
      "mail)\r\n\r\n"
      "Message-ID: <body@x>\r\n");
  REQUIRE(reply.size() == 4);
  CHECK(reply[1] == b[0]);
  CHECK(reply[2] == a[0]);
  CHECK(keys("").empty());
  CHECK(keys("Message-ID: <\r\n").empty());
  CHECK(keys("Message-ID: <>\r\n").empty());
  CHECK(keys("Message-ID").empty());
  std::string many = "References:";
  for (int i = 0; i < 1000; ++i) many += " <" + std::to_string(i) + "@x>";
  CHECK(keys(many).size() == 16);
}
