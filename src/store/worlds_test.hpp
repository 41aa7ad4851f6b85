// One class for each engine: makes it, and what it stands on.
#pragma once

#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "crypto/hash.hpp"
#include "host/clock.hpp"
#include "host/disk.hpp"
#include "sim/disk.hpp"
#include "store/embedded_engine.hpp"
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

// Small segments, so that tests see many of them.
inline EngineSizes small_sizes() {
  EngineSizes sizes;
  sizes.segment_bytes = 256 << 10;
  sizes.flush_bytes = 1 << 20;
  sizes.snapshot_bytes = 256 << 10;
  sizes.snapshot_segments = 8;
  sizes.ballast_bytes = 512 << 10;
  sizes.low_space_bytes = 1 << 20;
  sizes.rocksdb = {.cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20};
  return sizes;
}

// The log over the simulator's disk, with the map as index.
class LogWorld : public AnyWorld {
 public:
  explicit LogWorld(std::uint64_t seed = 1, sim::Disk::Image image = {}, const EngineSizes& sizes = small_sizes(),
                    std::uint64_t crash_at = 0)
      : AnyWorld(seed), random_(seed), sizes_(sizes) {
    disks_.push_back(std::make_unique<sim::Disk>(std::move(image), seed));
    disk().crash_at(crash_at);
    start();
  }
  ~LogWorld() override { stop(); }

  EmbeddedEngine& engine() override {
    REQUIRE(engine_);
    return **engine_;
  }
  bool running() const { return engine_ && *engine_; }
  sim::Disk& disk() { return *disks_.back(); }

  // Opens the engine on what the disk has; false if it refuses (why() says more).
  bool start() {
    engine_ = open({.disk = disk(),
                    .shards = shards_,
                    .clock = clock_,
                    .random = random_,
                    .scope = observe::Scope(sink_),
                    .index = IndexKind::map,
                    .sizes = sizes_});
    return engine_.has_value();
  }
  std::string why() const { return engine_ ? "" : std::string(engine_.error().code) + " " + engine_.error().cause; }

  void maintain(bool thorough = true) { stage::finish(shards_, engine().maintain(thorough), 0); }
  bool close() { return stage::finish(shards_, engine().close(), 1); }
  void settle() override { maintain(); }

  void stop() {
    shards_.drop_all();
    if (engine_) engine_->reset();
  }
  // Stops as a power cut does and starts again on what survived.
  bool crash() {
    auto image = disk().crash();
    return restart(std::move(image));
  }
  // The process dies, the machine does not.
  bool kill() { return restart(disk().image()); }
  bool restart(sim::Disk::Image image) {
    stop();
    disks_.push_back(std::make_unique<sim::Disk>(std::move(image), disks_.size()));
    return start();
  }

 private:
  sim::Random random_;
  EngineSizes sizes_;
  observe::NullSink sink_;
  std::vector<std::unique_ptr<sim::Disk>> disks_;  // The last one counts; readers may hold files of the others.
  Result<std::unique_ptr<EmbeddedEngine>> engine_ = std::unique_ptr<EmbeddedEngine>();
};

// An empty folder on the real disk that goes with this.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "facteur-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Production: the log over the real disk, RocksDB as index. Only the shards are those of the tests.
class RocksWorld final : public AnyWorld {
 public:
  explicit RocksWorld(std::uint64_t seed = 1, const EngineSizes& sizes = small_sizes())
      : AnyWorld(seed), sizes_(sizes) {
    auto disk = host::Disk::open_root(folder_.path());
    REQUIRE(disk);
    disk_ = std::move(*disk);
    REQUIRE_MESSAGE(start(), why());
  }
  ~RocksWorld() override { stop(); }

  EmbeddedEngine& engine() override {
    REQUIRE(engine_);
    return **engine_;
  }
  bool start() {
    engine_ = open({.disk = *disk_,
                    .shards = shards_,
                    .clock = clock_,
                    .random = random_,
                    .scope = observe::Scope(sink_),
                    .sizes = sizes_});
    return engine_.has_value();
  }
  std::string why() const { return engine_ ? "" : std::string(engine_.error().code) + " " + engine_.error().cause; }
  void stop() {  // As when the process is killed: what the index has in memory is lost.
    shards_.drop_all();
    if (engine_) engine_->reset();
  }
  bool kill() {
    stop();
    return start();
  }
  bool close() { return stage::finish(shards_, engine().close(), 1); }
  void maintain(bool thorough = true) { stage::finish(shards_, engine().maintain(thorough), 0); }
  void settle() override { maintain(); }
  std::filesystem::path folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  host::Random random_;
  EngineSizes sizes_;
  observe::NullSink sink_;
  std::unique_ptr<host::Disk> disk_;
  Result<std::unique_ptr<EmbeddedEngine>> engine_ = std::unique_ptr<EmbeddedEngine>();
};

}  // namespace facteur::store
