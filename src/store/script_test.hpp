// A workload whose every commit can be told apart afterwards: the same for crash, fault and rot tests.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/key.hpp"
#include "store/worlds_test.hpp"

namespace facteur::store {

class Script {
 public:
  explicit Script(std::uint64_t seed) : seed_(seed) {}

  static constexpr std::uint32_t length = 40;

  // Runs commits `from` to `to`, four at once.
  template <class World>
  void run(World& world, std::uint32_t from = 0, std::uint32_t to = length) {
    TaskGroup group;
    for (std::uint32_t i = from; i < to; ++i) {
      world.shards().on(1, [&] { group.start(step(world, i)); });
      if (i % 4 == 3) {
        while (!group.empty() && world.shards().step()) continue;
      }
      if (i % 13 == 12) world.maintain(i % 2 == 0);
      if (i == 25) world.pass(2h);
    }
    while (!group.empty() && world.shards().step()) continue;
  }

  std::set<std::uint32_t> acknowledged;

  // What the store must hold if exactly these commits are in it.
  std::map<std::string, std::string> expected(const std::set<std::uint32_t>& commits) const {
    std::map<std::string, std::string> keys;
    for (const std::uint32_t i : commits) {
      keys[Key('m').u32(i).text()] = "mark";
      keys[Key('c').u32(i).u8(1).text()] = value(i);
      keys[Key('c').u32(i).u8(2).text()] = blob_text(i).substr(0, 20);
    }
    for (const std::uint32_t i : commits) {
      if (!deletes(i)) continue;
      keys.erase(Key('c').u32(i - behind_by).u8(1).text());
      keys.erase(Key('c').u32(i - behind_by).u8(2).text());
    }
    return keys;
  }
  // Blobs that are referenced then.
  std::set<std::uint32_t> blobs(const std::set<std::uint32_t>& commits) const {
    std::set<std::uint32_t> out = commits;
    for (const std::uint32_t i : commits) {
      if (deletes(i)) out.erase(i - behind_by);
    }
    return out;
  }

  std::string value(std::uint32_t i) const { return "value " + std::to_string(i * seed_); }
  const std::string& blob_text(std::uint32_t i) const { return blob(i).text; }
  const BlobId& blob_id(std::uint32_t i) const { return blob(i).id; }

 private:
  // Far enough behind that the earlier commit has ended, so that the order in the log is sure.
  static constexpr std::uint32_t behind_by = 8;
  static bool deletes(std::uint32_t i) { return i >= behind_by && i % 3 != 0; }

  Task<void> step(AnyWorld& world, std::uint32_t i) {
    Batch batch;
    const std::string& text = blob_text(i);
    if (i % 2 == 0) {
      auto upload = world.engine().upload();
      const auto appended = co_await upload->append(text);
      if (!appended) co_return;
      batch.add_blob(std::move(upload));
    } else {
      batch.add_blob(blob_id(i), text);
    }
    batch.reference(blob_id(i), Key().u32(i));
    batch.put(Key('m').u32(i), "mark");
    batch.put(Key('c').u32(i).u8(1), value(i));
    batch.put(Key('c').u32(i).u8(2), text.substr(0, 20));
    if (deletes(i)) {
      batch.remove(Key('c').u32(i - behind_by).u8(1));
      batch.remove(Key('c').u32(i - behind_by).u8(2));
      batch.unreference(blob_id(i - behind_by), Key().u32(i - behind_by));
    }
    const auto committed = co_await world.engine().commit(std::move(batch));
    if (committed) acknowledged.insert(i);
  }

  struct Blob {
    std::string text;
    BlobId id;
  };
  const Blob& blob(std::uint32_t i) const {  // Made once a process: the tests look at them very often.
    static std::map<std::pair<std::uint64_t, std::uint32_t>, Blob> made;
    Blob& blob = made[{seed_, i}];
    if (blob.text.empty()) {
      static constexpr std::size_t sizes[] = {0, 100, 3'000, 9'000, 70'000, 200'000, 40'000};
      blob.text.resize(sizes[i % std::size(sizes)]);
      sim::Random(seed_ * 1000 + i).fill(blob.text);
      blob.text += std::to_string(i);
      blob.id = BlobId::from(crypto::sha256(blob.text).view());
    }
    return blob;
  }

  std::uint64_t seed_;
};

// All keys of users.
inline std::map<std::string, std::string> keys_in(const Reader& reader) {
  std::map<std::string, std::string> keys;
  const auto scanned = reader.scan(" ", "\xff", [&](Bytes key, Bytes value) {
    if (key.front() != 'B' && key.front() != 'Z') keys.emplace(key, value);
    return true;
  });
  REQUIRE(scanned);
  return keys;
}

}  // namespace facteur::store
