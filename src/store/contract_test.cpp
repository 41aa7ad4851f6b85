// What every Engine keeps (engine.hpp), run on each of them.
#include <doctest/doctest.h>

#include <algorithm>

#include "store/key.hpp"
#include "store/worlds_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

std::string value_of(const Reader& reader, Bytes key) {
  auto got = reader.get(key);
  REQUIRE(got);
  return got->value_or("-");
}

std::vector<std::string> keys_of(const Reader& reader, Bytes from, Bytes to, bool back = false) {
  std::vector<std::string> keys;
  const auto visit = [&](Bytes key, Bytes) {
    keys.emplace_back(key);
    return true;
  };
  REQUIRE((back ? reader.scan_back(from, to, visit) : reader.scan(from, to, visit)));
  return keys;
}

Task<void> commit_into(Engine& engine, Batch batch, int number, std::vector<int>& order, int& failures) {
  const auto result = co_await engine.commit(std::move(batch));
  if (!result) ++failures;
  order.push_back(number);
}

Task<Result<void>> append_all(Upload& upload, std::string text, std::size_t step) {
  for (std::size_t at = 0; at < text.size(); at += step) {
    auto appended = co_await upload.append(Bytes(text).substr(at, step));
    if (!appended) co_return failed(appended);
  }
  co_return Result<void>{};
}

std::string octets(std::size_t size, std::uint64_t seed) {
  std::string text(size, '\0');
  sim::Random(seed).fill(text);
  return text;
}

}  // namespace

#define ENGINES MemoryWorld, LogWorld, RocksWorld

TEST_CASE_TEMPLATE("store: What is committed is there, all of it at once", World, ENGINES) {
  World world;
  Engine& engine = world.engine();
  const auto before = engine.snapshot();
  Batch batch;
  batch.put("a1", "one");
  batch.put("a2", "two");
  batch.remove("a3");
  CHECK(world.commit(std::move(batch)));
  CHECK(value_of(engine.latest(), "a1") == "one");
  CHECK(value_of(engine.latest(), "a2") == "two");
  CHECK(value_of(engine.latest(), "a3") == "-");
  CHECK(value_of(*before, "a1") == "-");

  const auto between = engine.snapshot();
  Batch second;
  second.put("a1", "uno");
  second.remove("a2");
  CHECK(world.commit(std::move(second)));
  CHECK(value_of(*between, "a1") == "one");
  CHECK(value_of(*between, "a2") == "two");
  CHECK(value_of(engine.latest(), "a1") == "uno");
  CHECK(value_of(engine.latest(), "a2") == "-");
}

TEST_CASE_TEMPLATE("store: The last operation on a key in a batch counts", World, ENGINES) {
  World world;
  Batch batch;
  batch.put("k", "1");
  batch.remove("k");
  batch.put("m", "1");
  batch.put("m", "2");
  Batch more;
  more.remove("n");
  more.put("n", "3");
  batch.join(std::move(more));
  CHECK(world.commit(std::move(batch)));
  CHECK(value_of(world.engine().latest(), "k") == "-");
  CHECK(value_of(world.engine().latest(), "m") == "2");
  CHECK(value_of(world.engine().latest(), "n") == "3");
}

TEST_CASE_TEMPLATE("store: Scans are ordered, bounded, and can stop", World, ENGINES) {
  World world;
  Batch batch;
  for (std::uint32_t i = 0; i < 500; ++i) batch.put(Key('k').u32(i), "v");
  batch.put(Bytes("k\0\0\0\1\0", 6), "longer");
  CHECK(world.commit(std::move(batch)));
  const Reader& reader = world.engine().latest();
  auto up = keys_of(reader, Key('k').u32(100), Key('k').u32(400));
  CHECK(up.size() == 300);
  CHECK(std::is_sorted(up.begin(), up.end()));
  auto down = keys_of(reader, Key('k').u32(100), Key('k').u32(400), true);
  std::reverse(down.begin(), down.end());
  CHECK(up == down);
  CHECK(keys_of(reader, "k", behind("k")).size() == 501);
  CHECK(keys_of(reader, "x", "k").empty());
  CHECK(keys_of(reader, "x", "k", true).empty());
  int seen = 0;
  CHECK(reader.scan("k", behind("k"), [&](Bytes, Bytes) { return ++seen < 3; }));
  CHECK(seen == 3);
  CHECK(reader.scan_back("k", behind("k"), [&](Bytes, Bytes) { return ++seen < 6; }));
  CHECK(seen == 6);
}

TEST_CASE_TEMPLATE("store: A snapshot stays as it was while keys come and go, also in the middle of a scan", World,
                   ENGINES) {
  World world;
  Batch batch;
  for (std::uint32_t i = 0; i < 300; ++i) batch.put(Key('k').u32(i), "old");
  CHECK(world.commit(std::move(batch)));
  const auto snapshot = world.engine().snapshot();
  std::uint32_t seen = 0;
  CHECK(snapshot->scan("k", behind("k"), [&](Bytes, Bytes value) {
    if (seen % 100 == 0) {
      Batch change;
      for (std::uint32_t i = 0; i < 300; ++i) {
        i % 2 ? change.put(Key('k').u32(i), "new") : change.remove(Key('k').u32(i));
        change.put(Key('k').u32(1000 + seen + i), "more");
      }
      CHECK(world.commit(std::move(change)));
    }
    ++seen;
    return value == "old";
  }));
  CHECK(seen == 300);
  CHECK(keys_of(world.engine().latest(), "k", Key('k').u32(300)).size() == 150);
}

TEST_CASE_TEMPLATE("store: Commits of one shard come back in the order in which they were awaited", World, ENGINES) {
  World world;
  TaskGroup group;
  std::vector<int> order;
  int failures = 0;
  for (int i = 0; i < 100; ++i) {
    Batch batch;
    batch.put("counter", std::to_string(i));
    world.shards().on(1, [&] { group.start(commit_into(world.engine(), std::move(batch), i, order, failures)); });
    if (i % 7 == 0) world.shards().step();
  }
  CHECK(order.size() < 100);  // None may be complete before the log has run.
  while (!group.empty() && world.shards().step()) continue;
  CHECK(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(failures == 0);
  CHECK(value_of(world.engine().latest(), "counter") == "99");
}

TEST_CASE_TEMPLATE("store: A commit whose waiter goes away harms nobody", World, ENGINES) {
  World world;
  std::vector<int> order;
  int failures = 0;
  {
    TaskGroup group;
    Batch batch;
    batch.put("orphan", "1");
    world.shards().on(0, [&] { group.start(commit_into(world.engine(), std::move(batch), 1, order, failures)); });
  }
  Batch batch;
  batch.put("next", "1");
  CHECK(world.commit(std::move(batch)));
  CHECK(order.empty());
  CHECK(value_of(world.engine().latest(), "next") == "1");
}

TEST_CASE_TEMPLATE("store: Blobs of any size come back byte for byte", World, ENGINES) {
  World world;
  for (const std::size_t size : {0UL, 1UL, 511UL, 10'240UL, 65'536UL, 65'537UL, 200'000UL, 1'000'000UL}) {
    const std::string text = octets(size, size + 1);
    auto upload = world.engine().upload();
    auto appended = stage::finish(world.shards(), append_all(*upload, text, size < 2 ? 1 : size / 2 - 1));
    REQUIRE(appended);
    REQUIRE(*appended);
    CHECK(upload->size() == size);
    const BlobId id = upload->finish();
    CHECK(id.bytes() == crypto::sha256(text).view());
    CHECK(upload->finish() == id);
    if (const auto whole = upload->whole()) CHECK(*whole == text);
    if (size <= 10'240) CHECK(upload->whole());
    if (size >= 200'000) CHECK(!upload->whole());
    auto early = world.engine().content(id);
    REQUIRE(early);
    CHECK(!*early);
    Batch batch;
    batch.add_blob(std::move(upload));
    batch.reference(id, "me");
    CHECK(world.commit(std::move(batch)));
    auto content = world.engine().content(id);
    REQUIRE(content);
    REQUIRE(*content);
    CHECK((*content)->size() == size);
    CHECK((*content)->text() == text);
    CHECK((*content)->slice(size / 3, 1000) == text.substr(size / 3, 1000));
    CHECK((*content)->slice(size, 10).empty());
  }
}

TEST_CASE_TEMPLATE("store: A hint of a blob's place saves a look-up, and does no harm when it is wrong", World,
                   ENGINES) {
  World world;
  std::vector<BlobId> ids;
  std::vector<std::string> texts, hints;
  for (const std::size_t size : {0UL, 3000UL, 3000UL, 400'000UL}) {
    texts.push_back(octets(size, texts.size()));
    ids.push_back(BlobId::from(crypto::sha256(texts.back()).view()));
    Batch batch;
    auto upload = world.engine().upload();
    REQUIRE(*stage::finish(world.shards(), append_all(*upload, texts.back(), 50'000)));
    upload->finish();
    batch.add_blob(std::move(upload));
    batch.reference(ids.back(), "me");
    CHECK(world.commit(std::move(batch)));
  }
  for (const BlobId& id : ids) {
    hints.push_back(world.engine().place_of(id));
    CHECK(hints.back().size() <= 32);
  }
  hints.insert(hints.end(), {"", "x", std::string(12, '\0'), std::string(12, '\xff'), Key().u32(1).u64(0).take()});
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (const std::string& hint : hints) {
      const auto content = world.engine().content_near(ids[i], hint);
      REQUIRE(content);
      REQUIRE(*content);
      CHECK((*content)->text() == texts[i]);
    }
  }
  const auto absent = world.engine().content_near(BlobId{}, hints[1]);
  REQUIRE(absent);
  CHECK(!*absent);
}

TEST_CASE_TEMPLATE("store: A blob given as octets, twice, in one batch and in two", World, ENGINES) {
  World world;
  const std::string text = octets(3000, 7);
  const BlobId id = BlobId::from(crypto::sha256(text).view());
  for (int round = 0; round < 2; ++round) {
    Batch batch;
    batch.add_blob(id, text);
    batch.add_blob(id, text);
    batch.reference(id, "owner" + std::to_string(round));
    CHECK(world.commit(std::move(batch)));
    auto content = world.engine().content(id);
    REQUIRE(content);
    REQUIRE(*content);
    CHECK((*content)->text() == text);
  }
}

TEST_CASE_TEMPLATE("store: A blob goes when nobody needs it and it is old enough, and not before", World, ENGINES) {
  World world;
  const std::string text = octets(20'000, 8);
  const BlobId id = BlobId::from(crypto::sha256(text).view());
  Batch batch;
  batch.add_blob(id, text);
  batch.reference(id, "a");
  batch.reference(id, "b");
  CHECK(world.commit(std::move(batch)));
  const auto there = [&] {
    world.settle();
    auto content = world.engine().content(id);
    REQUIRE(content);
    return content->has_value();
  };
  Batch first;
  first.unreference(id, "a");
  CHECK(world.commit(std::move(first)));
  world.pass(2h);
  CHECK(there());
  auto reader_keeps = world.engine().content(id);
  Batch second;
  second.unreference(id, "b");
  CHECK(world.commit(std::move(second)));
  world.pass(2h);
  CHECK(!there());
  CHECK((*reader_keeps)->text() == text);

  Batch again;  // Without a reference: stays for the grace time.
  again.add_blob(id, text);
  CHECK(world.commit(std::move(again)));
  world.pass(10min);
  CHECK(there());
  world.pass(2h);
  CHECK(!there());
}
