// The octets of the log: what is written is read back, and nothing else is.
#include "store/format.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "sim/random.hpp"
#include "store/transaction.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

std::string flipped(std::string octets, std::size_t bit) {
  octets[bit / 8] = static_cast<char>(octets[bit / 8] ^ (1 << bit % 8));
  return octets;
}

SegmentHeader some_header() {
  SegmentHeader header;
  header.instance.fill('i');
  header.segment = 7;
  header.epoch = 3;
  header.nonce = 0x0123456789abcdef;
  header.created_ms = 1'700'000'000'000;
  header.previous_end = {6, 4711};
  header.snapshot_begin = {2, 1024};
  header.snapshot_end = {3, 2048};
  header.snapshot_of = {2, 1000};
  return header;
}

}  // namespace

TEST_CASE("store: Segment headers, whole, cut at every octet, with every bit flipped") {
  const SegmentHeader header = some_header();
  const std::string octets = encode(header);
  CHECK(octets.size() == header_copy_bytes);
  const auto read = decode_segment_header(octets);
  REQUIRE(read);
  CHECK(read->instance == header.instance);
  CHECK(read->segment == 7);
  CHECK(read->epoch == 3);
  CHECK(read->nonce == header.nonce);
  CHECK(read->created_ms == header.created_ms);
  CHECK(read->previous_end == header.previous_end);
  CHECK(read->snapshot_begin == header.snapshot_begin);
  CHECK(read->snapshot_end == header.snapshot_end);
  CHECK(read->snapshot_of == header.snapshot_of);
  const std::size_t used = octets.find_last_not_of('\0') + 1;
  for (std::size_t i = 0; i < used; ++i) CHECK(!decode_segment_header(Bytes(octets).substr(0, i)));
  for (std::size_t bit = 0; bit < used * 8; ++bit) CHECK(!decode_segment_header(flipped(octets, bit)));
}

TEST_CASE("store: Group and record headers fit one place of one life of one segment only") {
  const SegmentHeader segment = some_header();
  GroupHeader group{.segment = 7, .epoch = 3, .offset = 4096, .length = 512, .records = 2, .synced_to = {7, 4096}};
  group.time_ms = 5;
  std::string octets;
  encode(group, segment.nonce, octets);
  REQUIRE(octets.size() == group_header_bytes);
  const auto read = decode_group_header(octets, segment, 4096);
  REQUIRE(read);
  CHECK(read->length == 512);
  CHECK(read->records == 2);
  CHECK(read->synced_to == Position{7, 4096});
  CHECK(read->time_ms == 5);
  CHECK(!decode_group_header(octets, segment, 4104));
  SegmentHeader other = segment;
  ++other.nonce;
  CHECK(!decode_group_header(octets, other, 4096));
  other = segment;
  ++other.epoch;
  CHECK(!decode_group_header(octets, other, 4096));
  for (std::size_t i = 0; i < octets.size(); ++i)
    CHECK(!decode_group_header(Bytes(octets).substr(0, i), segment, 4096));
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    CHECK(!decode_group_header(flipped(octets, bit), segment, 4096));
  }

  std::string record;
  encode(RecordHeader{RecordType::move, 99, 0xdeadbeef}, segment.nonce, 5000, record);
  REQUIRE(record.size() == record_header_bytes);
  const auto found = decode_record_header(record, segment.nonce, 5000);
  REQUIRE(found);
  CHECK(found->type == RecordType::move);
  CHECK(found->length == 99);
  CHECK(found->checksum == 0xdeadbeef);
  CHECK(!decode_record_header(record, segment.nonce, 5001));
  CHECK(!decode_record_header(record, segment.nonce + 1, 5000));
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    CHECK(!decode_record_header(flipped(record, bit), segment.nonce, 5000));
  }
}

TEST_CASE("store: Transactions, moves, drops and locations, whole and cut at every octet") {
  Batch batch;
  batch.put("key", "value");
  batch.put("k", "");
  batch.remove("gone");
  const BlobId id = BlobId::from(std::string(32, 'b'));
  batch.reference(id, "me");
  batch.unreference(id, "you");
  const std::vector<Piece> pieces = {{{1, 2000}, 65536}, {{2, 1072}, 17}};
  const std::string octets = encode_transaction({{id, 65553, true, pieces}, {id, 1, false, {}}}, batch.operations);
  const auto count_of = [](Bytes text) {
    TransactionParser parser(text);
    const auto blobs = parser.blobs();
    if (!blobs) return std::pair<std::size_t, bool>{0, false};
    std::size_t operations = 0;
    while (parser.next()) ++operations;
    return std::pair{operations, parser.done()};
  };
  CHECK(count_of(octets) == std::pair<std::size_t, bool>{5, true});
  TransactionParser parser(octets);
  const auto blobs = parser.blobs();
  REQUIRE(blobs);
  REQUIRE(blobs->size() == 2);
  CHECK((*blobs)[0].streamed == pieces);
  CHECK((*blobs)[0].size == 65553);
  CHECK((*blobs)[0].referenced);
  CHECK(!(*blobs)[1].referenced);
  const auto first = parser.next();
  REQUIRE(first);
  CHECK(first->key == "key");
  CHECK(first->value == "value");
  std::size_t whole_prefixes = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const auto [operations, done] = count_of(Bytes(octets).substr(0, i));
    CHECK(operations < 5);
    whole_prefixes += done;
  }
  CHECK(whole_prefixes == 5);  // Behind the blobs, and behind each operation but the last: the checksum tells those.

  const std::string move = encode(Move{id, pieces, {{{9, 1}, 65553}}});
  REQUIRE(decode_move(move));
  CHECK(decode_move(move)->from == pieces);
  const std::string drop = encode(Drop{id, -5});
  REQUIRE(decode_drop(drop));
  CHECK(decode_drop(drop)->stored_ms == -5);
  const std::string location = encode(Location{12, 65553, pieces});
  REQUIRE(decode_location(location));
  CHECK(decode_location(location)->pieces == pieces);
  for (std::size_t i = 0; i < move.size(); ++i) CHECK(!decode_move(Bytes(move).substr(0, i)));
  for (std::size_t i = 0; i < drop.size(); ++i) CHECK(!decode_drop(Bytes(drop).substr(0, i)));
  for (std::size_t i = 0; i < location.size(); ++i) CHECK(!decode_location(Bytes(location).substr(0, i)));
}

TEST_CASE("store: Names of segments") {
  CHECK(segment_path(1) == "log/00000001.seg");
  CHECK(segment_path(123456789) == "log/123456789.seg");
  CHECK(segment_number("00000001.seg") == 1);
  CHECK(segment_number("123456789.seg") == 123456789);
  for (const char* name :
       {"", ".seg", "1.seg", "00000000.seg", "0000000x.seg", "00000001.se", "99999999999.seg", "next"}) {
    CHECK(!segment_number(name));
  }
}
