// One bad record never takes another with it (DEMAND.md row 2): each of 1,000 records of the log is damaged in turn,
// and the index made again from what is left.
#include <doctest/doctest.h>

#include "store/script_test.hpp"
#include "store/segment_reader.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

constexpr std::uint32_t commits = 500;  // Each a body and a transaction: 1,000 records.

std::string text_of(std::uint32_t i) { return "message " + std::to_string(i) + std::string(i % 97, 'x'); }
BlobId id_of(std::uint32_t i) { return BlobId::from(crypto::sha256(text_of(i)).view()); }

Task<void> commit_one(Engine& engine, std::uint32_t i) {
  Batch batch;
  batch.add_blob(id_of(i), text_of(i));
  batch.reference(id_of(i), Key().u32(i));
  batch.put(Key('m').u32(i), "mark");
  const auto done = co_await engine.commit(std::move(batch));
  CHECK(done);
}

struct Place {
  std::string path;
  std::uint32_t from = 0, to = 0;  // Octets.
  std::uint32_t commit = 0;        // Whose.
};

// Where all records and group headers stand.
class Places final : public SegmentVisitor {
 public:
  std::vector<Place> records, groups;
  std::uint32_t segment = 0;

  Result<void> group(const GroupHeader& header) override {
    groups.push_back({segment_path(segment), header.offset, header.offset + group_header_bytes});
    return {};
  }
  Result<void> group_end(const GroupHeader&) override { return {}; }
  Result<void> damage(std::uint32_t, std::uint32_t, std::string why) override {
    FAIL(why);
    return {};
  }
  Result<void> record(const Position& at, const RecordHeader& header, Bytes, bool) override {
    // Bodies and transactions of one commit stand together, and commits in the order they were made.
    records.push_back({segment_path(at.segment), at.offset, at.offset + record_header_bytes + header.length,
                       static_cast<std::uint32_t>(records.size() / 2)});
    return {};
  }
};

sim::Disk::Image filled(Places& places) {
  LogWorld world(5);
  TaskGroup group;
  for (std::uint32_t i = 0; i < commits; ++i) {
    world.shards().on(1, [&] { group.start(commit_one(world.engine(), i)); });
    if (i % 7 != 6) continue;
    while (!group.empty() && world.shards().step()) continue;
  }
  while (!group.empty() && world.shards().step()) continue;
  REQUIRE(world.close());
  for (const std::string& path : world.disk().files()) {
    if (!path.ends_with(".seg")) continue;
    auto file = world.disk().open(path, world::Disk::Mode::read);
    REQUIRE(file);
    const auto header = read_segment_header(**file);
    REQUIRE(header);
    const auto end = find_end(**file, **header);
    REQUIRE(end);
    places.segment = (*header)->segment;
    REQUIRE(walk(**file, **header, end->end, {.bodies = true}, places));
  }
  return world.disk().image();
}

// The commits that are not there as they were made, in a store that starts without an index.
std::vector<std::uint32_t> missing_after(const sim::Disk::Image& image, const Place& place, sim::Random& chance) {
  LogWorld world(1, image.clone());
  world.stop();
  const std::uint64_t octet = place.from + chance.below(place.to - place.from);
  REQUIRE(world.disk().flip_bit(place.path, octet * 8 + chance.below(8)));
  REQUIRE(world.disk().remove("index/map"));
  REQUIRE_MESSAGE(world.start(), world.why());
  std::vector<std::uint32_t> missing;
  for (std::uint32_t i = 0; i < commits; ++i) {
    const auto mark = world.engine().latest().get(Key('m').u32(i));
    const auto content = world.engine().content(id_of(i));
    const bool there = mark && *mark && content && *content && (*content)->text() == text_of(i);
    if (content && *content) REQUIRE((*content)->text() == text_of(i));  // Never anything else.
    if (!there) missing.push_back(i);
  }
  if (!missing.empty()) CHECK(!world.engine().quarantined().empty());
  return missing;
}

}  // namespace

TEST_CASE("RELIABILITY R16: One damaged record of 1,000, each in turn: the other 999 are served") {
  Places places;
  const auto image = filled(places);
  REQUIRE(places.records.size() == 2 * commits);
  sim::Random chance(11);
  for (const Place& place : places.records) {
    CAPTURE(place.from);
    CHECK(missing_after(image, place, chance) == std::vector<std::uint32_t>{place.commit});
  }
}

TEST_CASE("RELIABILITY R16: A damaged group header takes none of its records with it") {
  Places places;
  const auto image = filled(places);
  REQUIRE(places.groups.size() > commits / 8);
  sim::Random chance(12);
  for (const Place& place : places.groups) {
    CAPTURE(place.from);
    CHECK(missing_after(image, place, chance).empty());
  }
}

TEST_CASE("RELIABILITY R16: A mapped segment that cannot be read any more is an error for its messages, for no other") {
  RocksWorld world;
  const auto big = [](std::uint32_t i) {
    return std::string(8000, static_cast<char>('a' + i % 26)) + std::to_string(i);
  };
  const auto id = [&](std::uint32_t i) { return BlobId::from(crypto::sha256(big(i)).view()); };
  constexpr std::uint32_t count = 100;  // Three segments.
  for (std::uint32_t i = 0; i < count; ++i) {
    Batch batch;
    batch.add_blob(id(i), big(i));
    batch.reference(id(i), Key().u32(i));
    REQUIRE(world.commit(std::move(batch)));
  }
  for (std::uint32_t i = 0; i < count; ++i) REQUIRE(*world.engine().content(id(i)));  // Now mapped, where sealed.
  const auto held = *world.engine().content(id(20));  // Given while the disk still could.
  REQUIRE(held);
  CHECK(held->intact());
  const auto first = world.folder() / segment_path(1);
  std::filesystem::resize_file(first, 100'000);
  CHECK(held->text() != big(20));
  CHECK(!held->intact());
  std::uint32_t lost = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto content = world.engine().content(id(i));
    if (!content) {
      CHECK(content.error().kind == Failure::Kind::corrupt);
      ++lost;
    } else {
      REQUIRE(*content);
      CHECK((*content)->text() == big(i));
    }
  }
  CHECK(lost > 10);
  CHECK(lost < 40);
}
