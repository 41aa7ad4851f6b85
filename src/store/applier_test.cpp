// What records mean to the index, in one group.
#include "store/applier.hpp"

#include <doctest/doctest.h>

#include "crypto/hash.hpp"
#include "sim/disk.hpp"
#include "sim/random.hpp"
#include "store/index.hpp"
#include "store/key.hpp"
#include "store/transaction.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

// An index that counts how often its changes become visible.
class Counting final : public Index {
 public:
  explicit Counting(std::unique_ptr<Index> below) : below_(std::move(below)) {}
  void put(Bytes key, Bytes value) override { below_->put(key, value); }
  void remove(Bytes key) override { below_->remove(key); }
  Result<void> apply() override {
    ++applied;
    return below_->apply();
  }
  Result<void> flush() override { return below_->flush(); }
  std::shared_ptr<const Reader> snapshot() const override { return below_->snapshot(); }
  const Reader& latest() const override { return below_->latest(); }
  Result<void> verify(std::uint64_t limit) override { return below_->verify(limit); }
  bool damaged() const override { return below_->damaged(); }

  unsigned applied = 0;

 private:
  std::unique_ptr<Index> below_;
};

BlobId blob(std::uint32_t number) { return BlobId::from(crypto::sha256(Key().u32(number).text()).view()); }

struct Desk {
  sim::Disk disk{{}, 1};
  sim::Random random{1};
  Counting index{*map_index(disk, random, 0)->open()};
  Applier applier{index, {}};
  std::uint32_t written = 4096;

  void store(std::uint32_t number, bool referenced) {
    applier.body({{1, written}, 100}, false);
    written += 200;
    Batch batch;
    if (referenced) batch.reference(blob(number), "owner");
    CHECK(applier.transaction(encode_transaction({{blob(number), 100, referenced, {}}}, batch.operations)));
  }
  void refer(std::uint32_t number, bool on) {
    Batch batch;
    if (on)
      batch.reference(blob(number), "owner");
    else
      batch.unreference(blob(number), "owner");
    CHECK(applier.transaction(encode_transaction({}, batch.operations)));
  }
  void drop(std::uint32_t number) { CHECK(applier.drop(encode(Drop{blob(number), 1000}))); }
  bool there(std::uint32_t number) const { return applier.location(blob(number)).has_value(); }
};

}  // namespace

TEST_CASE("applier: drops that follow each other are applied together, after the references before them") {
  Desk desk;
  desk.applier.begin(1000);
  for (std::uint32_t i = 0; i < 100; ++i) desk.store(i, false);
  CHECK(desk.applier.end({1, desk.written}));
  CHECK(desk.applier.live().at(1).records == 100);

  const unsigned before = desk.index.applied;
  desk.applier.begin(2000);
  for (std::uint32_t i = 0; i < 100; i += 3) desk.refer(i, true);
  for (std::uint32_t i = 0; i < 50; ++i) desk.drop(i);
  desk.drop(1);  // The same once more.
  desk.refer(60, false);
  desk.refer(61, true);
  for (std::uint32_t i = 50; i < 100; ++i) desk.drop(i);
  CHECK(desk.applier.end({1, desk.written}));
  CHECK(desk.index.applied - before == 3);
  std::uint64_t left = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    CAPTURE(i);
    const bool needed = (i % 3 == 0 && i != 60) || i == 61;
    CHECK(desk.there(i) == needed);
    left += needed ? 1 : 0;
  }
  CHECK(desk.applier.live().at(1).records == left);
}

TEST_CASE("applier: what is stored, moved or dropped twice in one group is counted once") {
  Desk desk;
  desk.applier.begin(1000);
  desk.store(1, false);
  desk.store(2, false);
  CHECK(desk.applier.end({1, desk.written}));
  desk.applier.begin(1000);
  CHECK(desk.applier.move(encode(Move{blob(1), desk.applier.location(blob(1))->pieces, {{{2, 4096}, 100}}})));
  desk.drop(1);
  desk.drop(1);
  desk.drop(2);
  desk.store(2, true);  // Again, behind its drop.
  desk.drop(2);
  CHECK(desk.applier.end({2, 8192}));
  CHECK_FALSE(desk.there(1));
  CHECK(desk.there(2));
  CHECK_FALSE(desk.applier.live().contains(2));
  CHECK(desk.applier.live().at(1).records == 1);
}
