// Real shards, the log's lane and the pool: writers, readers that hold content, and compaction at the same time.
#include <doctest/doctest.h>

#include <atomic>

#include "host/world.hpp"
#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

constexpr int writers = 8, rounds = 60;

struct Crowd {
  EmbeddedEngine& engine;
  host::World& world;
  std::atomic<int> writing{writers};
  std::atomic<int> errors{0}, read{0};
  std::atomic<bool> closed{false};
};

std::string text_of(int writer, int round) {
  std::string text(round % 7 == 0 ? 150'000 : 2'000 + 300 * static_cast<std::size_t>(round), '\0');
  sim::Random(static_cast<std::uint64_t>(writer * 1000 + round)).fill(text);
  return text;
}

// Content that is kept while what it shows is moved, dropped and its segment reused.
struct Kept {
  Content content;
  std::string text;
};

Task<void> write(Crowd& crowd, int writer) {
  std::vector<Kept> kept;
  BlobId last{};
  for (int round = 0; round < rounds; ++round) {
    const std::string text = text_of(writer, round);
    auto upload = crowd.engine.upload();
    const auto appended = co_await upload->append(text);
    const BlobId id = upload->finish();
    Batch batch;
    batch.add_blob(std::move(upload));
    const Key owner = Key().u32(static_cast<std::uint32_t>(writer)).u32(static_cast<std::uint32_t>(round));
    batch.reference(id, owner);
    batch.put(Key('k').raw(owner), std::to_string(round));
    if (round > 0 && round % 4 != 0) {
      batch.unreference(last, Key().u32(static_cast<std::uint32_t>(writer)).u32(static_cast<std::uint32_t>(round - 1)));
    }
    const auto done = co_await crowd.engine.commit(std::move(batch));
    if (!appended || !done) ++crowd.errors;
    auto content = crowd.engine.content(id);
    if (!content || !*content || (*content)->text() != text) {
      ++crowd.errors;
    } else if (round % 5 == 0) {
      kept.push_back({**content, text});
    }
    for (const Kept& old : kept) {
      if (old.content.text() != old.text) ++crowd.errors;
      ++crowd.read;
    }
    if (kept.size() > 6) kept.erase(kept.begin());
    last = id;
  }
  --crowd.writing;
}

Task<void> maintain_and_close(Crowd& crowd) {
  while (crowd.writing > 0) {
    co_await crowd.engine.maintain(true);
    co_await crowd.world.clock.sleep_until(crowd.world.clock.now() + 2ms);
  }
  co_await crowd.engine.close();
  crowd.closed = true;
  crowd.world.stop();
}

void run_crowd(IndexKind kind) {
  const TemporaryFolder folder;
  auto world = host::World::open({.root = folder.path(), .shards = 2});
  REQUIRE(world);
  observe::NullSink sink;
  EngineSizes sizes = small_sizes();
  sizes.segment_bytes = 1 << 20;
  const auto open_again = [&] {
    return open({.disk = *(*world)->disk,
                 .shards = (*world)->shards,
                 .clock = (*world)->clock,
                 .random = (*world)->random,
                 .scope = observe::Scope(sink),
                 .index = kind,
                 .sizes = sizes,
                 .grace = 1ms,
                 .interval = 5ms});
  };
  {
    auto engine = open_again();
    REQUIRE(engine);
    Crowd crowd{.engine = **engine, .world = **world};
    TaskGroup groups[2];
    (*world)->shards.post(0, [&] { groups[0].start(maintain_and_close(crowd)); });
    for (int i = 0; i < writers; ++i) {
      (*world)->shards.post(static_cast<unsigned>(i) % 2, [&, i] { groups[i % 2].start(write(crowd, i)); });
    }
    (*world)->run();
    CHECK(crowd.closed);
    CHECK(crowd.errors == 0);
    CHECK(crowd.read > 0);
    const Statistics seen = (*engine)->statistics();
    CHECK(seen.commits >= writers * rounds);
    CHECK(seen.removed_segments > 0);
  }
  auto engine = open_again();
  REQUIRE(engine);
  CHECK(!(*engine)->statistics().rebuilt);
  CHECK((*engine)->statistics().replayed_bytes == 0);
  CHECK(keys_in((*engine)->latest()).size() == writers * rounds);
  for (int writer = 0; writer < writers; ++writer) {
    for (int round = 3; round < rounds; round += 4) {  // Those are referenced still.
      const std::string text = text_of(writer, round);
      const auto content = (*engine)->content(BlobId::from(crypto::sha256(text).view()));
      REQUIRE(content);
      REQUIRE(*content);
      CHECK((*content)->text() == text);
    }
  }
}

}  // namespace

TEST_CASE("store: Writers, readers and compaction on real threads, map as index") { run_crowd(IndexKind::map); }

TEST_CASE("store: Writers, readers and compaction on real threads, RocksDB as index") { run_crowd(IndexKind::rocksdb); }
