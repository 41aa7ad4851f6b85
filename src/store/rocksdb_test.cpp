// The index in production: killed, deleted, cut and flipped, the store gives the same (DECISIONS.md 8 and 17).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

void check_all(RocksWorld& world, const Script& script) {
  CHECK(script.acknowledged.size() == Script::length);
  CHECK(keys_in(world.engine().latest()) == script.expected(script.acknowledged));
  for (const std::uint32_t i : script.blobs(script.acknowledged)) {
    const auto content = world.engine().content(script.blob_id(i));
    REQUIRE(content);
    REQUIRE(*content);
    CHECK((*content)->text() == script.blob_text(i));
  }
  CHECK(world.engine().quarantined().empty());
}

std::vector<std::filesystem::path> index_files(const RocksWorld& world) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(world.folder() / "index")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void flip(const std::filesystem::path& path, std::uint64_t at, unsigned bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char old = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(old ^ (1 << bit)));
}

}  // namespace

TEST_CASE("store: RocksDB as index: killed and closed, again and again") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    RocksWorld world(seed);
    Script script(seed);
    script.run(world);
    check_all(world, script);
    REQUIRE_MESSAGE(world.kill(), world.why());
    CHECK(!world.engine().statistics().rebuilt);
    check_all(world, script);
    CHECK(world.close());
    REQUIRE_MESSAGE(world.kill(), world.why());
    CHECK(world.engine().statistics().replayed_bytes == 0);
    check_all(world, script);
  }
}

namespace {

// Mail that comes and goes, so that there is something to compact; leaves the keys as they were.
void churn(RocksWorld& world, std::uint32_t round) {
  std::string text(30'000, '\0');
  sim::Random(round).fill(text);
  const BlobId id = BlobId::from(crypto::sha256(text).view());
  const std::string owner = Key('o').u32(round).text();
  Batch come, go;
  come.add_blob(id, text);
  come.reference(id, owner);
  come.put(owner, "there");
  go.unreference(id, owner);
  go.remove(owner);
  CHECK(world.commit(std::move(come)));
  CHECK(world.commit(std::move(go)));
  if (round % 3 == 0) world.pass(2h);
  world.maintain(round % 2 == 0);
}

// How many points: 45, or what FACTEUR_INDEX_POINTS says (docs/proof.md).
unsigned index_points() {
  const char* wish = std::getenv("FACTEUR_INDEX_POINTS");
  return wish ? static_cast<unsigned>(std::strtoul(wish, nullptr, 10)) : 45;
}

// Deletes, cuts or flips a file of the index of a world that has stopped.
void damage(const RocksWorld& world, sim::Random& chance, unsigned how) {
  const auto files = index_files(world);
  REQUIRE(!files.empty());
  const auto& file = files[chance.next() % files.size()];
  const auto size = std::filesystem::file_size(file);
  if (how == 0)
    std::filesystem::remove(file);
  else if (how == 1)
    std::filesystem::resize_file(file, size > 0 ? chance.next() % size : 0);
  else if (size > 0)
    flip(file, chance.next() % size, static_cast<unsigned>(chance.next() % 8));
}

}  // namespace

TEST_CASE("store: Files of RocksDB are deleted, cut and flipped: the start gives back the same") {
  std::size_t rebuilt = 0, removed = 0;
  const unsigned points = index_points();
  for (unsigned point = 0; point < points;) {
    const std::uint64_t seed = 9 + point;
    RocksWorld world(seed);
    Script script(9);
    script.run(world);
    CHECK(world.close());
    sim::Random chance(seed);
    for (unsigned round = 0; round < 50 && point < points; ++round, ++point) {
      CAPTURE(seed);
      CAPTURE(round);
      world.stop();
      damage(world, chance, point % 3);
      REQUIRE_MESSAGE(world.start(), world.why());
      rebuilt += world.engine().statistics().rebuilt;
      check_all(world, script);
      churn(world, round);
      removed += world.engine().statistics().removed_segments;
      if (chance.happens(500)) CHECK(world.close());  // Else killed: the index ends somewhere behind the log.
    }
  }
  MESSAGE(points << " points, " << rebuilt << " rebuilt, the others replayed; segments removed meanwhile: " << removed);
  CHECK(removed > 0);  // The log was compacted meanwhile.
  CHECK(rebuilt > 5);
  CHECK(rebuilt < points);  // Its own log files do not matter.
}

TEST_CASE("store: The index of a running server is not taken for a damaged one") {
  RocksWorld world;
  Batch batch;
  batch.put("k", "v");
  CHECK(world.commit(std::move(batch)));
  auto disk = host::Disk::open_root(world.folder().string());
  REQUIRE(disk);
  host::Random random;
  observe::NullSink sink;
  const auto second = open({.disk = **disk,
                            .shards = world.shards(),
                            .clock = world.clock(),
                            .random = random,
                            .scope = observe::Scope(sink),
                            .sizes = small_sizes()});
  REQUIRE(!second);
  CHECK(second.error().kind == Failure::Kind::refused);
  const auto got = world.engine().latest().get("k");
  REQUIRE(got);
  CHECK(*got == "v");
}
