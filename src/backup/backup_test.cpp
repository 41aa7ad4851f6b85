// Backups of a store on the simulator's disk: what each generation holds, whatever breaks on the way.
#include <doctest/doctest.h>

#include <algorithm>

#include "backup/opened.hpp"
#include "store/folders.hpp"
#include "store/format.hpp"
#include "store/key.hpp"
#include "store/worlds_test.hpp"

using namespace facteur;
using namespace facteur::backup;

namespace {

using store::Key;

std::string octets_of(std::uint64_t seed, std::size_t size = 20'000) {
  std::string text(size, '\0');
  sim::Random(seed).fill(text);
  return text;
}

void add(store::LogWorld& world, std::uint32_t number) {
  const std::string text = octets_of(number + 1);
  const auto id = store::BlobId::from(crypto::sha256(text).view());
  store::Batch batch;
  batch.add_blob(id, text);
  batch.reference(id, Key().u32(number));
  batch.put(Key('k').u32(number), id.bytes());
  REQUIRE(world.commit(std::move(batch)));
}

void remove(store::LogWorld& world, std::uint32_t number) {
  store::Batch batch;
  batch.unreference(store::BlobId::from(crypto::sha256(octets_of(number + 1)).view()), Key().u32(number));
  batch.remove(Key('k').u32(number));
  REQUIRE(world.commit(std::move(batch)));
}

const Pace unhurried = [](std::uint64_t) { return Result<void>(); };

struct Outcome {
  Result<std::string> name;
  std::uint64_t written = 0;
  std::vector<std::string> mended;
};

Outcome back_up(store::LogWorld& world, world::Disk& target, std::int64_t when = 1'700'000'000'000) {
  Outcome out{failure(Failure::Kind::permanent, "test", ""), 0, {}};
  auto repository = Repository::open(target);
  if (!repository) return {failed(repository), 0, {}};
  const auto held = world.engine().hold_log();
  auto run = Run::begin(*repository, unhurried);
  if (!run) return {failed(run), 0, {}};
  for (const auto& part : held->parts()) {
    auto original = world.disk().open(store::segment_path(part.segment), world::Disk::Mode::read);
    REQUIRE(original);
    if (auto added = run->add(part, **original); !added) return {failed(added), 0, {}};
  }
  if (auto added = run->add("data", "instance", held->instance() + "\n"); !added) return {failed(added), 0, {}};
  if (auto added = run->add("key", "/etc/keys/mx.pem", "a key"); !added) return {failed(added), 0, {}};
  out.written = run->written();
  out.mended = run->mended();
  out.name = run->finish(held->instance(), "test", UtcTime{when});
  return out;
}

// Opens a generation and says which numbers are in it, whole.
std::vector<std::uint32_t> numbers_in(world::Disk& target, const std::string& name = {}) {
  const auto repository = Repository::open(target);
  REQUIRE(repository);
  const auto* generation = repository->find(name);
  REQUIRE(generation);
  sim::Disk scratch(5);
  OpenedBackup disk(*repository, *generation, scratch);
  store::stage::Shards shards(1);
  store::stage::Clock clock(shards);
  sim::Random random(1);
  observe::NullSink sink;
  auto engine = store::open(reading({.disk = disk,
                                     .shards = shards,
                                     .clock = clock,
                                     .random = random,
                                     .scope = observe::Scope(sink),
                                     .index = store::IndexKind::map}));
  REQUIRE(engine);
  std::vector<std::uint32_t> out;
  auto scanned = (*engine)->latest().scan("k", "l", [&](Bytes key, Bytes value) {
    const auto number = store::Parser(key.substr(1)).u32();
    const auto content = (*engine)->content(store::BlobId::from(value));
    if (content && *content && (*content)->text() == octets_of(number + 1)) out.push_back(number);
    return true;
  });
  REQUIRE(scanned);
  shards.drop_all();
  return out;
}

std::vector<std::uint32_t> range(std::uint32_t from, std::uint32_t to) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = from; i < to; ++i) out.push_back(i);
  return out;
}

std::vector<Finding> findings(world::Disk& target) {
  const auto repository = Repository::open(target);
  REQUIRE(repository);
  auto found = check(*repository, unhurried);
  REQUIRE(found);
  return std::move(*found);
}

}  // namespace

TEST_CASE("backup: Each generation is the store of its moment, and the next one writes only what is new") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 40; ++i) add(world, i);
  const auto first = back_up(world, target);
  REQUIRE(first.name);
  CHECK(*first.name == "20231114T221320.000Z");
  CHECK(first.written > 40 * 20'000);
  const auto same = back_up(world, target);
  REQUIRE(same.name);
  CHECK(*same.name == "20231114T221320.001Z");  // Of the same millisecond.
  CHECK(same.written == 0);
  for (std::uint32_t i = 40; i < 45; ++i) add(world, i);
  const auto third = back_up(world, target, 1'700'000'100'000);
  REQUIRE(third.name);
  CHECK(third.written > 5 * 20'000);
  CHECK(third.written < 6 * 20'000 + 2048);
  CHECK(numbers_in(target, *first.name) == range(0, 40));
  CHECK(numbers_in(target, *same.name) == range(0, 40));
  CHECK(numbers_in(target) == range(0, 45));
  CHECK(findings(target).empty());
}

TEST_CASE("backup: Generations stay while the store deletes, compacts and goes on; what none names goes") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 50; ++i) add(world, i);
  const auto first = back_up(world, target);
  REQUIRE(first.name);
  for (std::uint32_t i = 0; i < 45; ++i) remove(world, i);
  world.pass(2h);
  for (int i = 0; i < 4; ++i) world.maintain();
  for (std::uint32_t i = 50; i < 60; ++i) add(world, i);
  const auto second = back_up(world, target, 1'700'000'200'000);
  REQUIRE(second.name);
  CHECK(numbers_in(target, *first.name) == range(0, 50));
  CHECK(numbers_in(target, *second.name) == range(45, 60));
  const auto files = target.files().size();
  auto repository = Repository::open(target);
  REQUIRE(repository);
  const auto gone = repository->keep(1);
  REQUIRE(gone);
  CHECK(*gone == 1);
  CHECK(target.files().size() < files);
  CHECK(numbers_in(target) == range(45, 60));
  CHECK(findings(target).empty());
}

TEST_CASE("backup: A crash at any operation of a run leaves the earlier generation, and the next run completes") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 20; ++i) add(world, i);
  REQUIRE(back_up(world, target).name);
  for (std::uint32_t i = 20; i < 40; ++i) add(world, i);
  std::uint64_t crashes = 0;
  for (std::uint64_t k = 1;; ++k) {
    sim::Disk victim(target.image(), k);
    victim.crash_at(victim.operations() + k);
    const auto broken = back_up(world, victim, 1'700'000'100'000);
    if (!victim.crashed()) break;  // The run needs fewer operations.
    CHECK(!broken.name);
    ++crashes;
    sim::Disk survivor(victim.crash(), k);
    CHECK(findings(survivor).empty());
    const auto repository = Repository::open(survivor);
    REQUIRE(repository);
    CHECK(repository->unreadable().empty());
    // The last operation syncs the manifest's name: until then it may be there or not.
    CHECK(numbers_in(survivor, "20231114T221320.000Z") == range(0, 20));
    REQUIRE(back_up(world, survivor, 1'700'000'300'000).name);
    CHECK(numbers_in(survivor) == range(0, 40));
    CHECK(findings(survivor).empty());
  }
  CHECK(crashes >= 10);
}

TEST_CASE("backup: A flipped bit is found with its file, in whatever file, and mended from the original") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 40; ++i) add(world, i);
  REQUIRE(back_up(world, target).name);
  for (const auto& path : target.files()) {
    CAPTURE(path);
    const std::uint64_t bits = target.content(path).size() * 8;
    REQUIRE(bits > 0);
    const std::uint64_t bit = sim::Random(bits).next() % bits;
    REQUIRE(target.flip_bit(path, bit));
    const auto found = findings(target);
    REQUIRE(found.size() == 1);
    CHECK(found.front().file == path);
    if (!path.starts_with("manifests/")) {
      // Each segment has its turn within sixteen runs.
      std::vector<std::string> mended;
      for (int run = 0; run < 16; ++run) {
        const auto again = back_up(world, target);
        REQUIRE(again.name);
        mended.insert(mended.end(), again.mended.begin(), again.mended.end());
      }
      if (path.starts_with("segments/")) CHECK(mended == std::vector{path});
    } else {
      REQUIRE(target.flip_bit(path, bit));
    }
    CHECK(findings(target).empty());
  }
}

TEST_CASE("backup: A lost or shortened copy is found, the rest is read all the same") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 40; ++i) add(world, i);
  REQUIRE(back_up(world, target).name);
  const auto repository = Repository::open(target);
  REQUIRE(repository);
  const auto& segments = repository->generations().front().manifest.segments;
  REQUIRE(segments.size() > 3);
  REQUIRE(target.cut(segment_file(segments[1]), segments[1].length / 2));
  REQUIRE(target.remove(segment_file(segments[2])));
  const auto found = findings(target);
  REQUIRE(found.size() == 2);
  CHECK(found[0].file == segment_file(segments[1]));
  CHECK(found[1].file == segment_file(segments[2]));
  CHECK(numbers_in(target).size() < 40);
  CHECK(numbers_in(target).size() > 15);
}

TEST_CASE("backup: Damage of the original is noted, and does not end the backup") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 40; ++i) add(world, i);
  const auto part = world.engine().hold_log()->parts().at(1);
  REQUIRE(world.disk().flip_bit(store::segment_path(part.segment), 8 * (part.length / 2)));
  REQUIRE(back_up(world, target).name);
  REQUIRE(back_up(world, target).name);
  const auto repository = Repository::open(target);
  REQUIRE(repository);
  for (const auto& generation : repository->generations()) {
    REQUIRE(generation.manifest.damaged.size() == 1);
    CHECK(generation.manifest.damaged.front().starts_with(store::segment_path(part.segment)));
  }
  CHECK(findings(target).empty());
  CHECK(numbers_in(target).size() == 39);
}

TEST_CASE("backup: A segment that is not the promised one is refused, and harms no generation") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 30; ++i) add(world, i);
  REQUIRE(back_up(world, target).name);
  auto repository = Repository::open(target);
  REQUIRE(repository);
  auto run = Run::begin(*repository, unhurried);
  REQUIRE(run);
  auto part = world.engine().hold_log()->parts().at(0);
  auto other = world.disk().open(store::segment_path(part.segment + 1), world::Disk::Mode::read);
  REQUIRE(other);
  part.length += 8;
  const auto added = run->add(part, **other);
  REQUIRE(!added);
  CHECK(added.error().code == "F-8004");
  CHECK(findings(target).empty());
}

TEST_CASE("backup: Restored, it is a data folder; into one that is not empty nothing is restored") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 40; ++i) add(world, i);
  REQUIRE(back_up(world, target).name);
  const auto repository = Repository::open(target);
  REQUIRE(repository);
  for (std::uint64_t k = 0;; ++k) {  // Broken off at each operation; the next run goes on in the same folder.
    sim::Disk victim(k + 1);
    victim.crash_at(k);
    auto restored = restore(*repository, *repository->find(""), victim, unhurried);
    const bool whole = !victim.crashed();
    sim::Disk data(whole ? victim.image() : victim.crash(), k + 1);
    if (k > 0 && !whole && restorable_to(data).value_or(false)) {
      restored = restore(*repository, *repository->find(""), data, unhurried);
      REQUIRE(restored);
    }
    CHECK(!restorable_to(data).value_or(true));
    store::LogWorld copy(3, data.image());
    REQUIRE_MESSAGE(copy.running(), copy.why());
    CHECK(copy.engine().instance() == world.engine().instance());
    CHECK(data.content("restored/etc/keys/mx.pem") == "a key");
    CHECK(data.exists(store::restored_mark).value_or(false));
    for (std::uint32_t i = 0; i < 40; ++i) CHECK(copy.engine().latest().get(Key('k').u32(i))->has_value());
    if (k > 0 && whole) break;
  }
  // Broken off, and said otherwise in the next run.
  sim::Disk moved(8);
  REQUIRE(moved.create_directory("restoring"));
  REQUIRE(write_whole(moved, "restoring/restored", {}));
  REQUIRE(restore(*repository, *repository->find(""), moved, unhurried, Since::moved));
  CHECK(moved.exists("log").value_or(false));
  CHECK(!moved.exists(store::restored_mark).value_or(true));
  sim::Disk used(7);
  REQUIRE(used.create_directory("mail"));
  const auto refused = restore(*repository, *repository->find(""), used, unhurried);
  REQUIRE(!refused);
  CHECK(refused.error().code == "F-8005");
}

TEST_CASE("backup: A run that is told to end leaves no generation") {
  store::LogWorld world;
  sim::Disk target(2);
  for (std::uint32_t i = 0; i < 30; ++i) add(world, i);
  auto repository = Repository::open(target);
  REQUIRE(repository);
  const Pace gone = [](std::uint64_t) { return Result<void>(failure(Failure::Kind::closed, "test", "gone")); };
  auto run = Run::begin(*repository, gone);
  REQUIRE(run);
  const auto part = world.engine().hold_log()->parts().at(0);
  auto original = world.disk().open(store::segment_path(part.segment), world::Disk::Mode::read);
  const auto added = run->add(part, **original);
  REQUIRE(!added);
  CHECK(added.error().kind == Failure::Kind::closed);
  CHECK(Repository::open(target)->generations().empty());
}
