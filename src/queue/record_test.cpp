#include "queue/record.hpp"

#include <doctest/doctest.h>

#include "store/key.hpp"

using namespace facteur;
using namespace facteur::queue;

namespace {

Entry sample() {
  Entry entry;
  entry.id = QueueId(0x0123456789abcdULL);
  entry.sender = "anne@example.org";
  entry.content = store::BlobId::from("0123456789abcdef0123456789abcdef");
  entry.content_size = 4321;
  entry.prefix = "Received: from x\r\n\tby y\r\n";
  entry.arrived = UtcTime{1'790'000'000'123};
  entry.expires = UtcTime{1'790'400'000'123};
  entry.held = true;
  entry.smtputf8 = true;
  entry.authenticated = true;
  entry.envelope_id = "QQ314159";
  entry.ret = 2;
  entry.trace = "t-1";
  Recipient recipient;
  recipient.address = "bob@elsewhere.example";
  recipient.original = "rfc822;robert@elsewhere.example";
  recipient.notify = 6;
  recipient.attempts = 3;
  recipient.next_try = UtcTime{1'790'000'300'000};
  recipient.last_reply = "450 4.2.1 later";
  recipient.last_host = "mx.elsewhere.example [192.0.2.9]";
  recipient.delay_noticed = true;
  entry.recipients = {recipient, recipient};
  entry.recipients[1].status = Recipient::Status::failed;
  return entry;
}

}  // namespace

TEST_CASE("queue record: what is written is read, field by field") {
  const auto entry = sample();
  const auto envelope = read_envelope(write_envelope(entry));
  REQUIRE(envelope);
  CHECK(envelope->recipients == 2);
  CHECK(envelope->entry.sender == entry.sender);
  CHECK(envelope->entry.content == entry.content);
  CHECK(envelope->entry.content_size == 4321);
  CHECK(envelope->entry.prefix == entry.prefix);
  CHECK(envelope->entry.arrived == entry.arrived);
  CHECK(envelope->entry.expires == entry.expires);
  CHECK(envelope->entry.held);
  CHECK_FALSE(envelope->entry.body_8bit);
  CHECK(envelope->entry.smtputf8);
  CHECK(envelope->entry.authenticated);
  CHECK(envelope->entry.envelope_id == "QQ314159");
  CHECK(envelope->entry.ret == 2);
  CHECK(envelope->entry.trace == "t-1");
  const auto recipient = read_recipient(write_recipient(entry.recipients[1]));
  REQUIRE(recipient);
  CHECK(recipient->address == "bob@elsewhere.example");
  CHECK(recipient->original == "rfc822;robert@elsewhere.example");
  CHECK(recipient->notify == 6);
  CHECK(recipient->status == Recipient::Status::failed);
  CHECK(recipient->attempts == 3);
  CHECK(recipient->next_try == UtcTime{1'790'000'300'000});
  CHECK(recipient->last_reply == "450 4.2.1 later");
  CHECK(recipient->last_host == "mx.elsewhere.example [192.0.2.9]");
  CHECK(recipient->delay_noticed);
}

TEST_CASE("queue record: truncated at every octet or with any octet changed, it is corrupt, never wrong") {
  const auto entry = sample();
  const auto envelope = write_envelope(entry);
  for (std::size_t i = 0; i < envelope.size(); ++i) {
    auto cut = read_envelope(Bytes(envelope).substr(0, i));
    REQUIRE_FALSE(cut);
    CHECK(cut.error().kind == Failure::Kind::corrupt);
    auto changed = envelope;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    CHECK_FALSE(read_envelope(changed));
  }
  const auto recipient = write_recipient(entry.recipients[0]);
  for (std::size_t i = 0; i < recipient.size(); ++i) {
    CHECK_FALSE(read_recipient(Bytes(recipient).substr(0, i)));
    auto changed = recipient;
    changed[i] = static_cast<char>(changed[i] ^ 0x01);
    CHECK_FALSE(read_recipient(changed));
  }
}

// Written by the first layout: upgrades must read it.
TEST_CASE("queue record: layout 1 is still read") {
  store::Key key;
  key.u8(1).u32(1).string("anne@example.org").raw("0123456789abcdef0123456789abcdef").u64(10).string("P");
  key.u64(1000).u64(2000).u8(2).string("").u8(0);
  std::uint32_t sum = 2166136261U;
  for (const char c : key.text()) sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
  const auto envelope = read_envelope(key.u32(sum).take());
  REQUIRE(envelope);
  CHECK(envelope->entry.sender == "anne@example.org");
  CHECK(envelope->entry.body_8bit);
  CHECK(envelope->entry.expires == UtcTime{2000});
  CHECK(envelope->entry.trace.empty());
}

TEST_CASE("queue id: twelve characters that sort as the numbers do") {
  CHECK(to_string(QueueId(0)) == "000000000000");
  const QueueId id((1ULL << 60) - 1);
  CHECK(to_string(id) == "zzzzzzzzzzzz");
  CHECK(parse_queue_id("zzzzzzzzzzzz") == id);
  CHECK(parse_queue_id("ZZZZZZZZZZZZ") == id);
  CHECK(to_string(QueueId(5)) < to_string(QueueId(32)));
  for (const auto* bad : {"", "zzzzzzzzzzz", "zzzzzzzzzzzzz", "zzzzzzzzzzzi", "zzzzzzzzzzz "})
    CHECK_FALSE(parse_queue_id(bad));
  for (std::uint64_t value : {1ULL, 77777ULL, 1ULL << 59})
    CHECK(parse_queue_id(to_string(QueueId(value))) == QueueId(value));
}
