// Rot (RELIABILITY R16, R17): what has changed on the disk is found, reported and never served; the rest is served.
#include <doctest/doctest.h>

#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

struct Fixture {
  Script script{3};
  sim::Disk::Image image;
  std::vector<std::string> segments;
  std::map<std::string, std::uint64_t> sizes;
  std::set<std::uint32_t> commits, blobs;

  explicit Fixture(bool closed = true) {
    LogWorld world(3);
    script.run(world);
    commits = script.acknowledged;
    REQUIRE(commits.size() == Script::length);
    blobs = script.blobs(commits);
    if (closed) CHECK(world.close());
    image = world.disk().image();
    for (const std::string& path : world.disk().files()) {
      if (!path.ends_with(".seg")) continue;
      segments.push_back(path);
      std::string content = world.disk().content(path);
      sizes[path] = content.find_last_not_of('\0') + 1;
    }
    REQUIRE(segments.size() > 2);
  }
};

// Blobs that cannot be read. The others must be right.
std::size_t damaged_blobs(LogWorld& world, const Fixture& fixture) {
  std::size_t damaged = 0;
  for (const std::uint32_t i : fixture.blobs) {
    const auto content = world.engine().content(fixture.script.blob_id(i));
    if (!content) {
      CHECK(content.error().kind == Failure::Kind::corrupt);
      ++damaged;
      continue;
    }
    REQUIRE(*content);
    CHECK((*content)->text() == fixture.script.blob_text(i));
  }
  return damaged;
}

}  // namespace

TEST_CASE("RELIABILITY R17: A flipped bit anywhere in the log damages at most one blob, and is reported") {
  const Fixture fixture;
  sim::Random chance(77);
  std::size_t hits = 0;
  for (unsigned i = 0; i < 400; ++i) {
    CAPTURE(i);
    LogWorld world(i + 1, fixture.image.clone());
    world.stop();
    const std::string& path = fixture.segments[chance.next() % fixture.segments.size()];
    const std::uint64_t bit = chance.next() % (fixture.sizes.at(path) * 8);
    REQUIRE(world.disk().flip_bit(path, bit));
    REQUIRE_MESSAGE(world.start(), world.why());
    // The index has all of the log: whatever is damaged in it, all records are there.
    CHECK(keys_in(world.engine().latest()) == fixture.script.expected(fixture.commits));
    const std::size_t damaged = damaged_blobs(world, fixture);
    CHECK(damaged <= 1);
    CHECK(world.engine().quarantined().size() >= damaged);
    const auto report = stage::finish(world.shards(), world.engine().verify());
    REQUIRE(report);
    REQUIRE(*report);
    CHECK((*report)->damaged >= damaged);  // Blobs without references, younger than the grace time, count too.
    CHECK((*report)->damaged <= 1);
    CHECK(world.engine().quarantined().size() >= (*report)->damaged);
    hits += (*report)->damaged;
  }
  CHECK(hits > 100);  // Most of the log is bodies.
}

TEST_CASE("RELIABILITY R17: A flipped bit in each blob is found, and the blob can be stored again") {
  const Fixture fixture;
  for (const std::uint32_t i : fixture.blobs) {
    CAPTURE(i);
    LogWorld world(i + 1, fixture.image.clone());
    world.stop();
    // The blob's own octets, wherever they stand now.
    const std::string& text = fixture.script.blob_text(i);
    const std::string sample = text.substr(text.size() / 2, 40);
    bool flipped = false;
    for (const std::string& path : fixture.segments) {
      const std::string content = world.disk().content(path);
      for (auto at = content.find(sample); at != content.npos; at = content.find(sample, at + 1)) {
        flipped = world.disk().flip_bit(path, at * 8 + i % 8);
      }
    }
    if (sample.size() < 20 || !flipped) continue;
    REQUIRE_MESSAGE(world.start(), world.why());
    CHECK(damaged_blobs(world, fixture) == 1);
    CHECK(world.engine().quarantined().size() == 1);
    Batch again;
    again.add_blob(fixture.script.blob_id(i), text);
    again.reference(fixture.script.blob_id(i), "again");
    CHECK(world.commit(std::move(again)));
    CHECK(damaged_blobs(world, fixture) == 0);
    CHECK(world.engine().quarantined().empty());
    REQUIRE(world.crash());
    CHECK(damaged_blobs(world, fixture) == 0);
  }
}

TEST_CASE("store: The index is deleted, cut or flipped: the log gives back the same") {
  const Fixture fixture;
  sim::Random chance(5);
  for (unsigned i = 0; i < 60; ++i) {
    CAPTURE(i);
    LogWorld world(i + 1, fixture.image.clone());
    world.stop();
    const std::uint64_t size = world.disk().content("index/map").size();
    REQUIRE(size > 0);
    switch (i % 3) {
      case 0:
        REQUIRE(world.disk().remove("index/map"));
        break;
      case 1:
        REQUIRE(world.disk().cut("index/map", chance.next() % size));
        break;
      default:
        REQUIRE(world.disk().flip_bit("index/map", chance.next() % (size * 8)));
        break;
    }
    REQUIRE_MESSAGE(world.start(), world.why());
    CHECK(world.engine().statistics().rebuilt);
    CHECK(world.engine().quarantined().empty());
    CHECK(keys_in(world.engine().latest()) == fixture.script.expected(fixture.commits));
    CHECK(damaged_blobs(world, fixture) == 0);
    world.maintain();
    world.pass(2h);
    world.maintain();
    CHECK(damaged_blobs(world, fixture) == 0);
  }
}

TEST_CASE("RELIABILITY R16: An index rebuilt from a damaged log lacks only what was damaged, and says so") {
  const Fixture fixture;
  sim::Random chance(6);
  for (unsigned i = 0; i < 200; ++i) {
    CAPTURE(i);
    LogWorld world(i + 1, fixture.image.clone());
    world.stop();
    REQUIRE(world.disk().remove("index/map"));
    const std::string& path = fixture.segments[chance.next() % fixture.segments.size()];
    REQUIRE(world.disk().flip_bit(path, chance.next() % (fixture.sizes.at(path) * 8)));
    REQUIRE_MESSAGE(world.start(), world.why());
    const auto keys = keys_in(world.engine().latest());
    if (keys != fixture.script.expected(fixture.commits)) CHECK(!world.engine().quarantined().empty());
    std::size_t missing = 0;
    for (const std::uint32_t commit : fixture.commits) missing += !keys.contains(Key('m').u32(commit).text());
    if (world.engine().quarantined().empty()) CHECK(missing == 0);
  }
}

TEST_CASE("store: A foreign, an empty and a newer data directory are refused where another was expected") {
  Fixture fixture;
  LogWorld world(1, fixture.image.clone());
  const std::string instance = world.engine().instance();
  CHECK(instance.size() == 32);
  world.stop();
  observe::NullSink sink;
  sim::Random random(1);
  const auto open_expecting = [&](sim::Disk& disk, std::string expected) {
    return open({.disk = disk,
                 .shards = world.shards(),
                 .clock = world.clock(),
                 .random = random,
                 .scope = observe::Scope(sink),
                 .index = IndexKind::map,
                 .sizes = small_sizes(),
                 .expected_instance = std::move(expected)});
  };
  CHECK(open_expecting(world.disk(), instance));
  auto foreign = open_expecting(world.disk(), std::string(32, '0'));
  REQUIRE(!foreign);
  CHECK(foreign.error().kind == Failure::Kind::permanent);
  sim::Disk empty(1);
  CHECK(!open_expecting(empty, instance));
  CHECK(empty.files().empty());
}
