// fsck of a store: what is wrong is found, what can be mended is, and a healthy store has nothing to say.
#include "store/check.hpp"

#include <doctest/doctest.h>

#include "crypto/crc32c.hpp"
#include "store/applier.hpp"
#include "store/script_test.hpp"
#include "store/segment_reader.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

template <class World>
std::unique_ptr<Check> checked(World& world, bool repair) {
  auto check = world.engine().check(repair);
  REQUIRE(check);
  while (check->stage() != Check::Stage::done) {
    const auto step = stage::finish(world.shards(), check->step(), 1);
    REQUIRE(step);
    REQUIRE_MESSAGE(*step, step->error().cause);
  }
  return check;
}

template <class World>
void must_be_clean(World& world) {
  const auto check = checked(world, false);
  for (const auto& problem : check->report().problems) CHECK_MESSAGE(problem.empty(), problem);
  CHECK(check->report().damaged_blobs == 0);
  CHECK(check->report().different_keys == 0);
  CHECK(check->report().index_keys > 100);
  CHECK(check->report().records > 50);
}

// Changes the index on disk behind the engine's back.
void tamper(sim::Disk& disk, const std::function<void(std::map<std::string, std::string>&)>& change) {
  const std::string octets = disk.content("index/map");
  std::map<std::string, std::string> keys;
  Parser p(Bytes(octets).substr(12));
  while (!p.rest().empty()) {
    const Bytes key = p.string();
    keys[std::string(key)] = std::string(p.string());
  }
  change(keys);
  Key body;
  for (const auto& [key, value] : keys) body.string(key).string(value);
  auto file = disk.open("index/map", world::Disk::Mode::create);
  REQUIRE(file);
  REQUIRE((*file)->truncate(0));
  REQUIRE((*file)->write_at(0, Key().raw(Bytes(octets).substr(0, 8)).u32(crypto::crc32c(body)).raw(body).take()));
}

// The last transaction of the log, and the body before it.
class Last final : public SegmentVisitor {
 public:
  Position body, transaction;
  std::uint32_t length = 0;
  std::string text;
  Result<void> group(const GroupHeader&) override { return {}; }
  Result<void> group_end(const GroupHeader&) override { return {}; }
  Result<void> damage(std::uint32_t, std::uint32_t, std::string) override { return {}; }
  Result<void> record(const Position& at, const RecordHeader& header, Bytes payload, bool) override {
    if (header.type == RecordType::body) {
      body = at;
      text = std::string(payload.substr(name_octets));
    } else if (header.type == RecordType::transaction) {
      transaction = at;
      length = header.length;
    }
    return {};
  }
};
Last last_of(sim::Disk& disk) {
  Last last;
  for (const std::string& path : disk.files()) {
    if (!path.ends_with(".seg")) continue;
    auto file = disk.open(path, world::Disk::Mode::read);
    REQUIRE(file);
    const auto header = read_segment_header(**file);
    REQUIRE(header);
    const auto end = find_end(**file, **header);
    REQUIRE(end);
    REQUIRE(walk(**file, **header, end->end, {.bodies = true}, last));
  }
  REQUIRE(last.transaction.segment != 0);
  return last;
}

Batch letter(const std::string& text) {
  Batch batch;
  const BlobId id = BlobId::from(crypto::sha256(text).view());
  batch.add_blob(id, text);
  batch.reference(id, "letter");
  batch.put("letter", "there");
  return batch;
}

}  // namespace

TEST_CASE("fsck: A store that has lived has nothing to say, on either index, whatever stage its index is at") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    LogWorld world(seed);
    Script script(seed);
    script.run(world);
    must_be_clean(world);
    REQUIRE(world.kill());
    must_be_clean(world);
    world.maintain();
    must_be_clean(world);
    CHECK(!*world.disk().exists("check/map"));
  }
  RocksWorld rocks;
  Script script(9);
  script.run(rocks);
  must_be_clean(rocks);
  CHECK(std::filesystem::is_empty(rocks.folder() / "check"));
}

TEST_CASE("fsck: Keys of the index that are missing, other or too many are found, and mended from the log") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    LogWorld world(seed);
    Script script(seed);
    script.run(world);
    REQUIRE(world.close());
    world.stop();
    sim::Random chance(seed);
    std::size_t changed = 0;
    tamper(world.disk(), [&](std::map<std::string, std::string>& keys) {
      for (auto at = keys.begin(); at != keys.end();) {
        if (at->first == position_key || at->first == snapshot_key || !chance.happens(150)) {
          ++at;
        } else if (++changed; chance.happens(500)) {
          at = keys.erase(at);
        } else {
          at->second += "x";
          ++at;
        }
      }
      keys["zzz"] = "never committed";
    });
    REQUIRE_MESSAGE(world.start(), world.why());
    auto found = checked(world, false);
    CHECK(found->report().different_keys == changed + 1);
    CHECK(!found->report().left.empty());
    found.reset();
    auto repaired = checked(world, true);
    CHECK(!repaired->report().problems.empty());
    repaired.reset();
    CHECK(keys_in(world.engine().latest()) == script.expected(script.acknowledged));
    must_be_clean(world);
    REQUIRE(world.kill());
    must_be_clean(world);
    CHECK(keys_in(world.engine().latest()) == script.expected(script.acknowledged));
  }
}

TEST_CASE("fsck: One check at a time") {
  LogWorld world;
  REQUIRE(world.commit(letter("Dear Anne")));
  auto first = world.engine().check(false);
  REQUIRE(first);
  CHECK(!world.engine().check(true));
  first.reset();
  CHECK(world.engine().check(true));
}

TEST_CASE("fsck: Octets that a segment is needed for are mended by what they were wrong, whatever came meanwhile") {
  LogWorld world(4);
  REQUIRE(world.commit(letter("Dear Anne")));
  REQUIRE(world.close());
  world.stop();
  std::size_t changed = 0;
  tamper(world.disk(), [&](std::map<std::string, std::string>& keys) {  // The blob, and its part of the sum, are gone.
    for (auto at = keys.begin(); at != keys.end();) {
      const bool of_it = at->first.starts_with('B') || at->first.starts_with('Z') || at->first[0] == live_subspace;
      changed += of_it;
      at = of_it ? keys.erase(at) : std::next(at);
    }
  });
  CHECK(changed == 3);
  REQUIRE_MESSAGE(world.start(), world.why());
  const auto check = world.engine().check(true);
  REQUIRE(check);
  for (bool first = true; check->stage() != Check::Stage::done; first = false) {
    if (first) {  // Behind the moment that is compared; the segment's sum is written anew by it.
      Batch batch;
      const std::string text = "Dear Bert";
      const BlobId id = BlobId::from(crypto::sha256(text).view());
      batch.add_blob(id, text);
      batch.reference(id, "another");
      REQUIRE(world.commit(std::move(batch)));
    }
    const auto step = stage::finish(world.shards(), check->step(), 1);
    REQUIRE(step);
    REQUIRE(*step);
  }
  CHECK(check->report().different_keys == 3);
  CHECK(check->report().left.empty());
  const std::uint64_t live = world.engine().statistics().live_bytes;
  world.stop();
  REQUIRE(world.disk().remove("index/map"));
  REQUIRE_MESSAGE(world.start(), world.why());
  CHECK(world.engine().statistics().live_bytes == live);
}

TEST_CASE("fsck: An operation that is damaged in the log, but known to the index, is saved before the index is lost") {
  for (const bool repaired : {true, false}) {
    LogWorld world(3);
    Script script(3);
    script.run(world);
    REQUIRE(world.commit(letter("Dear Anne")));
    world.pass(5s);
    const Last last = last_of(world.disk());
    REQUIRE(world.disk().flip_bit(segment_path(last.transaction.segment),
                                  (last.transaction.offset + record_header_bytes + last.length / 2) * 8));
    const auto check = checked(world, repaired);
    CHECK(check->report().problems.size() == 1);
    CHECK(check->report().left.empty() == repaired);
    CHECK(check->lost_bodies().empty());
    world.stop();
    REQUIRE(world.disk().remove("index/map"));
    REQUIRE_MESSAGE(world.start(), world.why());
    CHECK(world.engine().latest().get("letter")->has_value() == repaired);
  }
}

TEST_CASE("fsck: A message whose transaction was lost with the index is found in the log, once") {
  LogWorld world(4);
  Script script(4);
  script.run(world);
  REQUIRE(world.commit(letter("Dear Bert")));
  world.pass(5s);
  const Last last = last_of(world.disk());
  CHECK(last.text == "Dear Bert");
  world.stop();
  REQUIRE(world.disk().flip_bit(segment_path(last.transaction.segment), (last.transaction.offset + 5) * 8));
  REQUIRE(world.disk().remove("index/map"));
  REQUIRE_MESSAGE(world.start(), world.why());
  CHECK(!world.engine().latest().get("letter")->has_value());
  for (int i = 0; i < 3; ++i) {  // It stays there until somebody has looked after it.
    world.pass(2h);
    world.maintain();
  }
  auto check = checked(world, true);
  REQUIRE(check->lost_bodies().size() == 1);
  CHECK(check->lost_bodies().front() == "Dear Bert");
  CHECK(!world.engine().quarantined().empty());
  REQUIRE(world.commit(letter(check->lost_bodies().front())));
  const auto settled = stage::finish(world.shards(), check->settle(), 1);
  REQUIRE(settled);
  REQUIRE(*settled);
  check.reset();
  CHECK(world.engine().quarantined().empty());
  must_be_clean(world);
  REQUIRE(world.kill());
  REQUIRE(world.close());
  world.stop();
  REQUIRE(world.disk().remove("index/map"));
  REQUIRE(world.start());
  CHECK(world.engine().latest().get("letter")->has_value());
  CHECK(checked(world, false)->lost_bodies().empty());
}

TEST_CASE("fsck: A blob that cannot be read is named, and cannot be mended") {
  LogWorld world(5);
  Script script(5);
  script.run(world);
  REQUIRE(world.commit(letter("Dear Clara")));
  world.pass(5s);
  const Last last = last_of(world.disk());
  REQUIRE(world.disk().flip_bit(segment_path(last.body.segment), (last.body.offset + 50) * 8));
  const auto check = checked(world, true);
  CHECK(check->report().damaged_blobs == 1);
  REQUIRE(check->report().damaged.size() == 1);
  CHECK(check->report().damaged.front() == BlobId::from(crypto::sha256("Dear Clara").view()));
  CHECK(check->report().left.size() == 1);
}
