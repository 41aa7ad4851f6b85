#include "store/memory_engine.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "base/assert.hpp"
#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "store/key.hpp"
#include "store/versioned_map.hpp"
#include "store/waiting.hpp"

namespace facteur::store {

namespace {

class MemoryUpload final : public Upload {
 public:
  explicit MemoryUpload(world::Shards& shards) : shards_(shards) {}

  Task<Result<void>> append(Bytes octets) override {
    ASSERT(!finished_);
    hash_.update(octets);
    text_ += octets;
    // As in the embedded engine, an upload that outgrows memory waits for the log: callers must stand a suspension.
    if (text_.size() / streamed_from != (text_.size() - octets.size()) / streamed_from) {
      auto waiting = std::make_shared<Waiting>();
      auto enter = [this, waiting] {
        shards_.offload(world::Shards::Lane::log, [&shards = shards_, waiting] {
          resume_all(shards, std::vector<std::shared_ptr<Waiting>>{waiting});
        });
      };
      Arrival arrival(shards_, waiting, std::move(enter));
      co_await arrival;
    }
    co_return Result<void>{};
  }
  std::uint64_t size() const override { return text_.size(); }
  BlobId finish() override {
    if (!finished_) id_ = BlobId::from(hash_.finish().view());
    finished_ = true;
    return id_;
  }
  std::optional<Bytes> whole() const override {
    return text_.size() < streamed_from ? std::optional(Bytes(text_)) : std::nullopt;
  }
  std::string take() { return std::move(text_); }

 private:
  static constexpr std::size_t streamed_from = 64 * 1024;
  world::Shards& shards_;
  crypto::Sha256 hash_;
  std::string text_;
  BlobId id_;
  bool finished_ = false;
};

struct Submission : Waiting {
  Batch batch;
};

struct Core {
  explicit Core(const MemoryEngineParameters& p) : parameters(p) {}

  MemoryEngineParameters parameters;
  VersionedMap map;
  mutable std::mutex mutex;  // Guards all below.
  std::deque<std::shared_ptr<Submission>> queue;
  bool running = false;
  struct Blob {
    std::string octets;
    std::int64_t stored_ms;
    bool corrupt = false;
  };
  std::map<BlobId, Blob> blobs;
  Engine::Health health = Engine::Health::good;
  std::size_t failing = 0;
  std::int64_t next_collection_ms = 0;

  void enter(const std::shared_ptr<Core>& self, std::shared_ptr<Submission> submission) {
    const std::lock_guard lock(mutex);
    queue.push_back(std::move(submission));
    if (std::exchange(running, true)) return;
    start(self);
  }
  void start(const std::shared_ptr<Core>& self) {
    parameters.shards.offload(world::Shards::Lane::log, [self] { self->run_group(self); });
  }

  Result<void> admit(const Batch& batch) {
    if (failing > 0) {
      --failing;
      return failure(Failure::Kind::temporary, "F-2000", "The store cannot write now", "asked for by a test");
    }
    for (const auto& chain : batch.chains) {
      if (chain->broken) {
        return failure(Failure::Kind::temporary, "F-2009", "The change before this one could not be made", "chain");
      }
    }
    if (health == Engine::Health::read_only) {
      return failure(Failure::Kind::temporary, "F-2001", "The store cannot write now", "read only");
    }
    if (health == Engine::Health::low_space && !batch.blobs.empty()) {
      return failure(Failure::Kind::temporary, "F-2002", "No room for new mail", "low space");
    }
    return {};
  }

  void stage(Batch& batch, std::vector<VersionedMap::Change>& changes) {
    const auto now = parameters.clock.utc().milliseconds;
    for (Batch::NewBlob& blob : batch.blobs) {
      auto* upload = dynamic_cast<MemoryUpload*>(blob.upload.get());
      ASSERT(!blob.upload || upload);  // An upload belongs to the engine it came from.
      blobs.insert_or_assign(blob.id, Blob{upload ? upload->take() : std::move(blob.octets), now});
    }
    for (auto& [kind, key, value] : batch.operations) {
      switch (kind) {
        case Batch::Operation::Kind::put:
          changes.emplace_back(std::move(key), std::move(value));
          break;
        case Batch::Operation::Kind::remove:
          changes.emplace_back(std::move(key), std::nullopt);
          break;
        case Batch::Operation::Kind::reference:
          changes.emplace_back('Z' + key, std::string());
          break;
        case Batch::Operation::Kind::unreference:
          changes.emplace_back('Z' + key, std::nullopt);
          break;
      }
    }
  }

  // Blobs that nobody references and that are older than the grace time.
  void collect() {
    const std::int64_t now = parameters.clock.utc().milliseconds;
    if (now < next_collection_ms) return;  // Looking at every blob at every commit would be quadratic.
    next_collection_ms = now + 60'000;
    const std::int64_t before = parameters.clock.utc().milliseconds -
                                std::chrono::duration_cast<std::chrono::milliseconds>(parameters.grace).count();
    std::erase_if(blobs, [&](const auto& entry) {
      if (entry.second.stored_ms > before) return false;
      bool referenced = false;
      const auto prefix = Key('Z').raw(entry.first.bytes()).take();
      static_cast<void>(map.latest().scan(prefix, behind(prefix), [&](Bytes, Bytes) {
        referenced = true;
        return false;
      }));
      return !referenced;
    });
  }

  void run_group(const std::shared_ptr<Core>& self) {
    std::vector<std::shared_ptr<Submission>> done;
    {
      const std::lock_guard lock(mutex);
      std::vector<VersionedMap::Change> changes;
      while (!queue.empty() && done.size() < parameters.group_commits) {
        auto submission = std::move(queue.front());
        queue.pop_front();
        submission->outcome = admit(submission->batch);
        if (submission->outcome) {
          stage(submission->batch, changes);
        } else {
          for (const auto& chain : submission->batch.chains) chain->broken = true;
        }
        done.push_back(std::move(submission));
      }
      map.apply(std::move(changes));
      collect();
      running = !queue.empty();
      if (running) start(self);
    }
    resume_all(parameters.shards, std::move(done));
  }
};

class Memory final : public MemoryEngine {
 public:
  explicit Memory(const MemoryEngineParameters& parameters) : core_(std::make_shared<Core>(parameters)) {}

  std::shared_ptr<const Reader> snapshot() const override { return core_->map.snapshot(); }
  const Reader& latest() const override { return core_->map.latest(); }

  Task<Result<void>> commit(Batch batch) override {
    auto submission = std::make_shared<Submission>();
    submission->batch = std::move(batch);
    auto enter = [core = core_, submission] { core->enter(core, submission); };
    Arrival arrival(core_->parameters.shards, submission, std::move(enter));
    co_await arrival;
    co_return std::move(submission->outcome);
  }

  std::unique_ptr<Upload> upload() override { return std::make_unique<MemoryUpload>(core_->parameters.shards); }

  Result<std::optional<Content>> content(const BlobId& id) const override {
    const std::lock_guard lock(core_->mutex);
    const auto found = core_->blobs.find(id);
    if (found == core_->blobs.end()) return std::nullopt;
    if (found->second.corrupt) {
      return failure(Failure::Kind::corrupt, "F-2003", "A stored message is damaged", to_hex(id.bytes()));
    }
    auto content = Content::copy_of(found->second.octets);
    if (const auto* pages = core_->parameters.pages) content.watch(*pages, pages->unreadable_pages());
    return content;
  }

  Health health() const override {
    const std::lock_guard lock(core_->mutex);
    return core_->health;
  }
  std::vector<Corrupt> quarantined() const override {
    const std::lock_guard lock(core_->mutex);
    std::vector<Corrupt> out;
    for (const auto& [id, blob] : core_->blobs) {
      if (blob.corrupt) out.push_back({to_hex(id.bytes()), "made corrupt by a test"});
    }
    return out;
  }

  void set_health(Health health) override {
    const std::lock_guard lock(core_->mutex);
    core_->health = health;
  }
  void fail_commits(std::size_t next) override {
    const std::lock_guard lock(core_->mutex);
    core_->failing = next;
  }
  void corrupt(const BlobId& id) override {
    const std::lock_guard lock(core_->mutex);
    if (const auto found = core_->blobs.find(id); found != core_->blobs.end()) found->second.corrupt = true;
  }

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<MemoryEngine> make_memory_engine(const MemoryEngineParameters& parameters) {
  return std::make_unique<Memory>(parameters);
}

}  // namespace facteur::store
