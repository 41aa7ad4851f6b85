#include "mailbox/key_value.hpp"

#include <doctest/doctest.h>

#include <map>

#include "sim/random.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

class Map final : public KeyValue {
 public:
  Result<std::optional<std::string>> get(Bytes key) const override {
    const auto found = records.find(std::string(key));
    return found == records.end() ? std::nullopt : std::optional(found->second);
  }
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override {
    for (auto at = records.lower_bound(std::string(from)); at != records.end() && Bytes(at->first) < to; ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return {};
  }
  void apply(const store::Batch& batch) {
    for (const auto& operation : batch.operations) {
      if (operation.kind == store::Batch::Operation::Kind::put) {
        records[operation.key] = operation.value;
      } else {
        records.erase(operation.key);
      }
    }
  }
  std::map<std::string, std::string> records;
};

std::map<std::string, std::string> all(const KeyValue& from) {
  std::map<std::string, std::string> found;
  CHECK(from.scan("A", "z", [&found](Bytes key, Bytes value) {
    found.emplace(key, value);
    return true;
  }));
  return found;
}

// Keys of two subspaces: short ones, so that they are met again; ascending ones, as a change of many messages has them.
std::string some_key(sim::Random& random, std::uint64_t& next) {
  if (random.below(2) == 0) return (random.below(2) == 0 ? "P" : "x") + std::to_string(100 + random.below(40));
  return (random.below(2) == 0 ? "P" : "x") + std::to_string(1000 + ++next);
}

}  // namespace

TEST_CASE("layer: what was changed is seen above what is below, in order, and nothing of it below") {
  Map below;
  below.records = {{"P1", "a"}, {"P3", "b"}};
  Layer layer(below);
  layer.put("P2", "c");
  layer.remove("P3");
  layer.put("P1", "d");
  CHECK(all(layer) == std::map<std::string, std::string>{{"P1", "d"}, {"P2", "c"}});
  CHECK(*layer.get("P3") == std::nullopt);
  CHECK(*layer.get("P1") == "d");
  CHECK(*layer.get("P0") == std::nullopt);
  REQUIRE(layer.own("P3"));
  CHECK(*layer.own("P3") == std::nullopt);
  CHECK(layer.own("P0") == std::nullopt);
  CHECK(below.records.size() == 2);
}

TEST_CASE("layer: what was put and withdrawn never comes to the store; what was there before is removed") {
  Map below;
  below.records = {{"x1", "a"}};
  Layer layer(below);
  layer.withdraw("x1");
  layer.put("x2", "b");
  layer.withdraw("x2");
  CHECK(all(layer).empty());
  CHECK(*layer.get("x2") == std::nullopt);
  store::Batch batch;
  layer.write_to(batch);
  REQUIRE(batch.operations.size() == 1);
  CHECK(batch.operations[0].key == "x1");
  layer.put("x2", "c");
  CHECK(*layer.get("x2") == "c");
}

TEST_CASE("pending: commits small and large, settled in their order, show what a map shows") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    sim::Random random(seed);
    Map durable, expected;
    Pending pending(durable);
    std::map<std::uint64_t, store::Batch> on_their_way;
    std::uint64_t number = 0, next = 0;
    const auto settle = [&] {
      durable.apply(on_their_way.begin()->second);
      pending.forget(on_their_way.begin()->first);
      on_their_way.erase(on_their_way.begin());
    };
    for (int round = 0; round < 40; ++round) {
      Layer layer(pending);
      const std::uint64_t changes = random.below(4) == 0 ? 300 + random.below(200) : random.below(20);
      for (std::uint64_t i = 0; i < changes; ++i) {
        const std::string key = some_key(random, next);
        CHECK(*layer.get(key) == *expected.get(key));
        if (random.below(3) == 0) {
          layer.remove(key);
          expected.records.erase(key);
        } else {
          layer.put(key, std::to_string(i));
          expected.records[key] = std::to_string(i);
        }
      }
      store::Batch batch;
      layer.write_to(batch);
      pending.take(std::move(layer), ++number);
      on_their_way.emplace(number, std::move(batch));
      CHECK(all(pending) == expected.records);
      while (!on_their_way.empty() && random.below(3) == 0) settle();
      CHECK(all(pending) == expected.records);
    }
    while (!on_their_way.empty()) settle();
    CHECK(durable.records == expected.records);
    CHECK(all(pending) == expected.records);
  }
}
