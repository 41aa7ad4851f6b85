// What waits beside the database: readers see both as one, and commits go on up to the replay bound (DECISIONS.md 13).
#include "store/bridge.hpp"

#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

std::atomic<bool> no_room{false};  // For files of the index,
std::size_t files_with_room = 0;   // but for so many.
std::mutex files_mutex;            // Guards the next one.
std::set<std::string> files;

bool has_no_room(int descriptor) {
  char path[4096];
  const auto length = ::readlink(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), path, sizeof path);
  const std::string name(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  if (!name.ends_with(".sst")) return false;
  const std::lock_guard lock(files_mutex);
  if (files.size() < files_with_room) files.insert(name);
  return !files.contains(name);
}

}  // namespace

// Stands in for the one of the C library, which RocksDB calls: the only door to a full disk on its side.
extern "C" ssize_t write(int descriptor, const void* octets, std::size_t length);
extern "C" ssize_t write(int descriptor, const void* octets, std::size_t length) {
  if (no_room.load() && has_no_room(descriptor)) {
    errno = ENOSPC;
    return -1;
  }
  return ::syscall(SYS_write, descriptor, octets, length);
}

namespace {

using Model = std::map<std::string, std::string>;

std::vector<std::pair<std::string, std::string>> seen(const Reader& reader, Bytes from, Bytes to, std::size_t most,
                                                      bool back) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto visit = [&](Bytes key, Bytes value) {
    out.emplace_back(key, value);
    return out.size() < most;
  };
  CHECK((back ? reader.scan_back(from, to, visit) : reader.scan(from, to, visit)));
  return out;
}

void check_same(const Reader& reader, const Model& model, sim::Random& random) {
  const std::string from(1, static_cast<char>('a' + random.below(20)));
  const std::string to(1, static_cast<char>('a' + random.below(26)));
  const std::size_t most = 1 + random.below(30);
  std::vector<std::pair<std::string, std::string>> expected;
  for (const auto& entry : model) {
    if (entry.first >= from && entry.first < to) expected.emplace_back(entry);
  }
  auto back = expected;
  std::ranges::reverse(back);
  expected.resize(std::min(expected.size(), most));
  back.resize(std::min(back.size(), most));
  CHECK(seen(reader, from, to, most, false) == expected);
  CHECK(seen(reader, from, to, most, true) == back);
  const std::string key(1, static_cast<char>('a' + random.below(26)));
  const auto got = reader.get(key);
  REQUIRE(got);
  const auto there = model.find(key);
  CHECK(*got == (there == model.end() ? std::nullopt : std::optional(there->second)));
}

Batch put(std::uint32_t number, std::size_t size) {
  std::string text(size, '\0');
  sim::Random(number + 1).fill(text);
  Batch batch;
  batch.put(Key('k').u32(number), text);
  return batch;
}

std::size_t count(const Reader& reader) {
  std::size_t keys = 0;
  CHECK(reader.scan("k", "l", [&](Bytes, Bytes) { return ++keys, true; }));
  return keys;
}

}  // namespace

TEST_CASE("store: Changes that wait lie over the database in every reading") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    sim::Random random(seed);
    auto database = std::make_shared<VersionedMap>();
    Bridge bridge;
    Model model;
    std::vector<VersionedMap::Change> below;
    for (int i = 0; i < 20; ++i) {
      const std::string key(1, static_cast<char>('a' + random.below(26)));
      below.emplace_back(key, "below");
      model[key] = "below";
    }
    database->apply(std::move(below));
    CHECK(!bridge.active());
    for (int round = 0; round < 5; ++round) {
      const auto before = bridge.snapshot_over(database->snapshot());
      const Model then = model;
      for (int i = 0; i < 6; ++i) {
        const std::string key(1, static_cast<char>('a' + random.below(26)));
        if (random.below(2) == 0) {
          bridge.remove(key);
          model.erase(key);
        } else {
          bridge.put(key, "round " + std::to_string(round));
          model[key] = "round " + std::to_string(round);
        }
      }
      bridge.apply();
      CHECK(bridge.active());
      check_same(*bridge.snapshot_over(database->snapshot()), model, random);
      check_same(*before, then, random);
    }
    // Into the database, as the index does it.
    std::vector<VersionedMap::Change> all;
    CHECK(bridge.each([&](Bytes key, std::optional<Bytes> value) {
      all.emplace_back(key, value ? std::optional<std::string>(*value) : std::nullopt);
    }));
    database->apply(std::move(all));
    bridge.clear();
    CHECK(!bridge.active());
    check_same(database->latest(), model, random);
  }
}

namespace {

// Commits until one is refused, and what holds then.
struct Filling {
  RocksWorld world;
  std::uint32_t made = 0;

  Result<void> commits(std::uint32_t most) {
    for (const std::uint32_t end = made + most; made < end; ++made) {
      const auto done = world.commit(put(made, 8000));
      if (!done) return done;
    }
    return {};
  }
  void until_refused() {
    const std::uint32_t before = made;
    const auto refused = commits(5000);
    REQUIRE(!refused);
    CHECK(refused.error().temporary());
    CHECK(refused.error().code == "F-2070");
    CHECK(made - before > small_sizes().flush_bytes / 8100);
    CHECK(world.engine().statistics().index_waiting_bytes > small_sizes().flush_bytes);
    for (int i = 0; i < 3; ++i) world.pass(1s);  // Trying changes nothing.
    CHECK(world.engine().health() == Engine::Health::index_behind);
    CHECK(!world.commit(put(made, 10)));
    CHECK(count(world.engine().latest()) == made);
    CHECK(count(*world.engine().snapshot()) == made);
  }
  void check_good() {
    CHECK(world.engine().health() == Engine::Health::good);
    CHECK(world.engine().statistics().index_waiting_bytes == 0);
    CHECK(count(world.engine().latest()) == made);
    REQUIRE(commits(50));
    CHECK(world.close());
    REQUIRE_MESSAGE(world.kill(), world.why());
    CHECK(world.engine().statistics().replayed_bytes == 0);
    CHECK(count(world.engine().latest()) == made);
    CHECK(world.engine().quarantined().empty());
  }
};

}  // namespace

TEST_CASE(
    "RELIABILITY R5: While RocksDB has no room, commits go on up to the replay bound, and it recovers by itself") {
  Filling filling;
  REQUIRE(filling.commits(50));
  no_room = true;
  filling.until_refused();
  no_room = false;
  // RocksDB looks for room every five seconds of real time, and refuses to be resumed until it has.
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (filling.world.engine().health() != Engine::Health::good && std::chrono::steady_clock::now() < until) {
    filling.world.pass(1s);
    std::this_thread::sleep_for(50ms);
  }
  filling.check_good();
}

TEST_CASE("RELIABILITY R5: After an error that RocksDB does not forgive nothing is lost, and a start mends it") {
  Filling filling;
  REQUIRE(filling.commits(50));
  const auto index = filling.world.folder() / "index";
  const auto away = filling.world.folder() / "index.away";
  std::filesystem::rename(index, away);  // No new file can be made.
  filling.until_refused();
  std::filesystem::rename(away, index);
  REQUIRE_MESSAGE(filling.world.kill(), filling.world.why());
  CHECK(filling.world.engine().statistics().replayed_bytes > small_sizes().flush_bytes);
  filling.check_good();
}

TEST_CASE("RELIABILITY R17: An index that was being made anew when the power went is never taken for a whole one") {
  Filling filling;
  REQUIRE(filling.commits(500));  // Four times the write buffer.
  filling.world.maintain();
  filling.world.stop();
  std::filesystem::remove_all(filling.world.folder() / "index");
  files_with_room = 1;
  no_room = true;
  if (filling.world.start()) {  // As much as may waits in memory,
    CHECK(count(filling.world.engine().latest()) == filling.made);
  } else {  // or more would.
    CHECK(filling.world.why().starts_with("F-207"));
  }
  filling.world.stop();
  no_room = false;
  files_with_room = 0;
  CHECK(!files.empty());  // A beginning of it is on the disk.
  REQUIRE_MESSAGE(filling.world.start(), filling.world.why());
  filling.check_good();
}
