// Power cuts and disk errors at every operation of a script (RELIABILITY R1, R4, R5): what was acknowledged is there,
// whole; what was not is there whole or not at all.
#include <doctest/doctest.h>

#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

// The commits that are in the store; all of each, or nothing.
std::set<std::uint32_t> present(const Reader& reader) {
  std::set<std::uint32_t> found;
  REQUIRE(reader.scan("m", behind("m"), [&](Bytes key, Bytes) {
    found.insert(Parser(key.substr(1)).u32());
    return true;
  }));
  return found;
}

void check_state(LogWorld& world, const Script& script) {
  const auto found = present(world.engine().latest());
  for (const std::uint32_t i : script.acknowledged) CHECK(found.contains(i));
  CHECK(keys_in(world.engine().latest()) == script.expected(found));
  for (const std::uint32_t i : script.blobs(found)) {
    const auto content = world.engine().content(script.blob_id(i));
    REQUIRE(content);
    REQUIRE(*content);
    CHECK((*content)->text() == script.blob_text(i));
  }
  CHECK(world.engine().quarantined().empty());
}

// The store still works: takes a commit, and has it after another crash.
void check_alive(LogWorld& world, std::string key) {
  Batch batch;
  batch.put("x" + key, "y");
  CHECK(world.commit(std::move(batch)));
  REQUIRE_MESSAGE(world.crash(), world.why());
  const auto got = world.engine().latest().get("x" + key);
  REQUIRE(got);
  CHECK(got->has_value());
  Batch undo;
  undo.remove("x" + key);
  CHECK(world.commit(std::move(undo)));
}

std::uint64_t operations_of_script(std::uint64_t seed) {
  LogWorld world(seed);
  Script script(seed);
  script.run(world);
  CHECK(script.acknowledged.size() == Script::length);
  check_state(world, script);
  return world.disk().operations();
}

}  // namespace

TEST_CASE("store: The script itself, closed and opened again, crashed and killed") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    LogWorld world(seed);
    Script script(seed);
    script.run(world);
    REQUIRE(script.acknowledged.size() == Script::length);
    check_state(world, script);
    CHECK(world.engine().statistics().removed_segments > 0);
    CHECK(world.engine().statistics().compacted_segments > 0);
    if (seed % 2 == 0) CHECK(world.close());
    REQUIRE_MESSAGE((seed % 3 == 0 ? world.crash() : world.kill()), world.why());
    check_state(world, script);
    check_alive(world, "1");
    check_state(world, script);
  }
}

TEST_CASE("RELIABILITY R1: A power cut at each operation of the disk") {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const std::uint64_t operations = operations_of_script(seed);
    CAPTURE(operations);
    for (std::uint64_t k = 1; k <= operations; ++k) {
      CAPTURE(seed);
      CAPTURE(k);
      LogWorld world(seed, {}, small_sizes(), k);
      Script script(seed);
      if (world.running()) script.run(world);
      REQUIRE_MESSAGE(world.crash(), world.why());
      check_state(world, script);
      check_alive(world, "1");
      check_state(world, script);
    }
  }
}

TEST_CASE("RELIABILITY R1: A power cut at each operation of the start after a power cut") {
  const std::uint64_t seed = 11;
  const std::uint64_t operations = operations_of_script(seed);
  for (std::uint64_t first = operations / 5; first <= operations; first += operations / 5) {
    LogWorld world(seed, {}, small_sizes(), first);
    Script script(seed);
    script.run(world);
    const auto image = world.disk().crash();
    for (std::uint64_t k = 1; k < 40; ++k) {
      CAPTURE(first);
      CAPTURE(k);
      LogWorld second(seed + k, image.clone(), small_sizes(), k);
      if (second.running() && !second.disk().crashed()) {
        check_state(second, script);
        second.maintain();
      }
      REQUIRE_MESSAGE(second.crash(), second.why());
      check_state(second, script);
      check_alive(second, "2");
    }
  }
}

TEST_CASE("RELIABILITY R4, R5: EIO and ENOSPC at each operation of the disk, once and for long") {
  const std::uint64_t seed = 5;
  const std::uint64_t operations = operations_of_script(seed);
  for (const auto error : {sim::Disk::Error::io, sim::Disk::Error::no_space}) {
    for (const std::uint64_t count : {1UL, 3UL, 100'000UL}) {
      for (std::uint64_t k = 8; k <= operations; k += count == 1 ? 2 : 7) {
        CAPTURE(static_cast<int>(error));
        CAPTURE(count);
        CAPTURE(k);
        LogWorld world(seed);
        world.disk().fail_at(k, error, count);
        Script script(seed);
        script.run(world);
        check_state(world, script);  // Nothing that failed is visible, nothing acknowledged is missing.
        REQUIRE_MESSAGE(world.crash(), world.why());
        check_state(world, script);
        check_alive(world, "3");
        check_state(world, script);
      }
    }
  }
}
