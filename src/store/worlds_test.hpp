// One class for each engine: makes it, and what it stands on.
#pragma once

#include <memory>
#include <utility>

#include "crypto/hash.hpp"
#include "store/memory_engine.hpp"
#include "store/stage_test.hpp"

namespace facteur::store {

// What the tests of the contract need of a world, whatever the engine.
class AnyWorld {
 public:
  explicit AnyWorld(std::uint64_t seed) : shards_(seed), clock_(shards_) {}
  AnyWorld(const AnyWorld&) = delete;
  AnyWorld& operator=(const AnyWorld&) = delete;
  virtual ~AnyWorld() = default;

  virtual Engine& engine() = 0;
  stage::Shards& shards() { return shards_; }
  stage::Clock& clock() { return clock_; }

  Result<void> commit(Batch batch) {
    auto result = stage::finish(shards_, engine().commit(std::move(batch)), 1);
    if (!result) return failure(Failure::Kind::permanent, "test", "never came back");
    return *result;
  }
  void pass(Duration time) {
    clock_.advance(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
    shards_.run();
  }
  // Until all that the engine does by itself at this time is done.
  virtual void settle() {
    Batch batch;
    batch.put("settle", "");
    static_cast<void>(commit(std::move(batch)));
  }

 protected:
  stage::Shards shards_;
  stage::Clock clock_;
};

class MemoryWorld final : public AnyWorld {
 public:
  explicit MemoryWorld(std::uint64_t seed = 1) : AnyWorld(seed) {
    engine_ = make_memory_engine({.shards = shards_, .clock = clock_});
  }
  Engine& engine() override { return *engine_; }

 private:
  std::unique_ptr<MemoryEngine> engine_;
};

}  // namespace facteur::store
