// The hold on the log that backups need: what it names stays as it is, and goes when it is let go.
#include <doctest/doctest.h>

#include <map>

#include "store/format.hpp"
#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

std::string octets_of(std::uint64_t seed, std::size_t size) {
  std::string text(size, '\0');
  sim::Random(seed).fill(text);
  return text;
}

void add(LogWorld& world, std::uint32_t number) {
  const std::string text = octets_of(number + 1, 20'000);
  const BlobId id = BlobId::from(crypto::sha256(text).view());
  Batch batch;
  batch.add_blob(id, text);
  batch.reference(id, Key().u32(number));
  batch.put(Key('k').u32(number), id.bytes());
  REQUIRE(world.commit(std::move(batch)));
}

void remove(LogWorld& world, std::uint32_t number) {
  Batch batch;
  batch.unreference(BlobId::from(crypto::sha256(octets_of(number + 1, 20'000)).view()), Key().u32(number));
  batch.remove(Key('k').u32(number));
  REQUIRE(world.commit(std::move(batch)));
}

using Octets = std::map<std::uint32_t, std::string>;
Octets held_octets(LogWorld& world, const HeldLog& held) {
  Octets out;
  for (const auto& part : held.parts()) {
    out[part.segment] = world.disk().content(segment_path(part.segment)).substr(0, part.length);
  }
  return out;
}

void empty_and_compact(LogWorld& world, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) remove(world, i);
  world.pass(2h);  // Beyond the grace time.
  for (int i = 0; i < 4; ++i) world.maintain();
}

}  // namespace

TEST_CASE("store: What is held neither goes nor changes through deletion, compaction and commits") {
  LogWorld world;
  constexpr std::uint32_t count = 60;  // Five segments.
  for (std::uint32_t i = 0; i < count; ++i) add(world, i);
  auto held = world.engine().hold_log();
  REQUIRE(held->parts().size() > 4);
  CHECK(held->instance() == world.engine().instance());
  const Octets before = held_octets(world, *held);
  for (const auto& part : held->parts()) CHECK(before.at(part.segment).size() == part.length);
  const auto end = world.engine().statistics();
  CHECK(held->parts().back().segment == end.end_segment);
  CHECK(held->parts().back().length == end.end_offset);

  empty_and_compact(world, count);
  for (std::uint32_t i = 0; i < 20; ++i) add(world, 1000 + i);
  CHECK(held_octets(world, *held) == before);
  const auto there = [&] { return world.disk().exists(segment_path(before.begin()->first)).value_or(true); };
  CHECK(there());
  held.reset();
  for (int i = 0; i < 4; ++i) world.maintain();
  CHECK(!there());
}

TEST_CASE("store: Without a hold the same segments go") {
  LogWorld world;
  for (std::uint32_t i = 0; i < 60; ++i) add(world, i);
  const auto first = world.engine().hold_log()->parts().front().segment;
  empty_and_compact(world, 60);
  CHECK(!world.disk().exists(segment_path(first)).value_or(true));
}

TEST_CASE("store: The held octets alone are the store of that moment") {
  LogWorld world;
  for (std::uint32_t i = 0; i < 40; ++i) add(world, i);
  for (std::uint32_t i = 0; i < 30; ++i) remove(world, i);
  world.maintain();
  for (std::uint32_t i = 40; i < 50; ++i) add(world, i);
  const auto held = world.engine().hold_log();
  for (std::uint32_t i = 50; i < 70; ++i) add(world, i);
  sim::Disk other(9);
  REQUIRE(other.create_directory("log"));
  for (const auto& [number, octets] : held_octets(world, *held)) {
    auto file = other.open(segment_path(number), world::Disk::Mode::create);
    REQUIRE(file);
    REQUIRE((*file)->write_at(0, Bytes(octets)));
  }
  LogWorld copy(3, other.image());
  REQUIRE_MESSAGE(copy.running(), copy.why());
  for (std::uint32_t i = 0; i < 70; ++i) {
    const auto value = copy.engine().latest().get(Key('k').u32(i));
    REQUIRE(value);
    CHECK(value->has_value() == (i >= 30 && i < 50));
    if (!value->has_value()) continue;
    const auto content = copy.engine().content(BlobId::from(**value));
    REQUIRE((content && *content));
    CHECK((*content)->text() == octets_of(i + 1, 20'000));
  }
  CHECK(copy.engine().quarantined().empty());
}
