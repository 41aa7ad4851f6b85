#include "store/embedded_engine.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/assert.hpp"
#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "store/embedded_check.hpp"
#include "store/key.hpp"
#include "store/maintenance.hpp"
#include "store/read_blobs.hpp"
#include "store/start.hpp"

namespace facteur::store {

namespace {

class LogUpload final : public Upload {
 public:
  explicit LogUpload(std::shared_ptr<Core> core) : core_(std::move(core)), pins_(std::make_shared<Pins>()) {}

  Task<Result<void>> append(Bytes octets) override {
    ASSERT(!id_);
    if (failed_)
      co_return failure(Failure::Kind::temporary, "F-2065", "The store cannot take the message now", "lost chunk");
    hash_.update(octets);
    size_ += octets.size();
    const std::size_t most = core_->parameters.sizes.upload_bytes;
    while (!octets.empty()) {
      if (tail_.size() == most) {
        auto streamed = co_await stream_tail();
        if (!streamed) co_return streamed;
      }
      const std::size_t taken = std::min(octets.size(), most - tail_.size());
      tail_ += octets.substr(0, taken);
      octets.remove_prefix(taken);
    }
    co_return Result<void>{};
  }
  std::uint64_t size() const override { return size_; }
  BlobId finish() override {
    if (!id_) id_ = BlobId::from(hash_.finish().view());
    return *id_;
  }

  std::optional<Bytes> whole() const override {
    return pieces_.empty() && !failed_ ? std::optional(Bytes(tail_)) : std::nullopt;
  }

  bool lost() const { return failed_; }
  std::string take_tail() { return std::move(tail_); }
  std::vector<Piece> take_pieces() { return std::move(pieces_); }
  const std::shared_ptr<Pins>& pins() const { return pins_; }

 private:
  Task<Result<void>> stream_tail() {
    auto submission = std::make_shared<Submission>();
    submission->durable = false;
    submission->needs_room = true;
    submission->pins = pins_;
    const auto length = static_cast<std::uint32_t>(tail_.size());
    submission->records.push_back(
        Submission::record(RecordType::chunk, std::string(name_octets, '\0'), std::exchange(tail_, {})));
    failed_ = true;  // Also when this coroutine is destroyed while it waits.
    auto written = co_await submit(core_, submission);
    if (!written) co_return written;
    failed_ = false;
    pieces_.push_back({submission->records.front().placed, length});
    co_return Result<void>{};
  }

  std::shared_ptr<Core> core_;
  std::shared_ptr<Pins> pins_;
  crypto::Sha256 hash_;
  std::string tail_;           // Not in the log yet.
  std::vector<Piece> pieces_;  // In the log, perhaps not durable yet: the commit's sync covers them.
  std::uint64_t size_ = 0;
  std::optional<BlobId> id_;
  bool failed_ = false;  // A chunk did not get into the log.
};

// Keys of the engine itself must not be touched from outside.
void check_keys(const Batch& batch) {
  for (const auto& operation : batch.operations) {
    using Kind = Batch::Operation::Kind;
    if (operation.kind == Kind::reference || operation.kind == Kind::unreference) continue;
    ASSERT(!operation.key.empty());
    const auto first = static_cast<unsigned char>(operation.key.front());
    ASSERT(first >= 0x20 && first != 0xff && first != 'B' && first != 'Z');
  }
}

// The blobs that a batch refers to: a set, for a batch may bring hundreds of them.
std::unordered_set<BlobId> references(const Batch& batch) {
  std::unordered_set<BlobId> referenced;
  for (const auto& operation : batch.operations) {
    if (operation.kind != Batch::Operation::Kind::reference) continue;
    referenced.insert(BlobId::from(Bytes(operation.key).substr(0, name_octets)));
  }
  return referenced;
}

std::shared_ptr<Submission> encode_batch(Batch batch) {
  check_keys(batch);
  auto submission = std::make_shared<Submission>();
  submission->needs_room = !batch.blobs.empty();
  const auto referenced = references(batch);
  std::vector<AddedBlob> added;
  for (Batch::NewBlob& blob : batch.blobs) {
    auto* upload = dynamic_cast<LogUpload*>(blob.upload.get());
    ASSERT(!blob.upload || upload);  // An upload belongs to the engine it came from.
    AddedBlob& entry = added.emplace_back();
    entry.id = blob.id;
    entry.size = upload ? upload->size() : blob.octets.size();
    entry.referenced = referenced.contains(blob.id);
    std::string last = upload ? upload->take_tail() : std::move(blob.octets);
    if (upload) {
      entry.streamed = upload->take_pieces();
      if (!entry.streamed.empty()) submission->uploads.push_back(upload->pins());
    }
    submission->records.push_back(Submission::record(RecordType::body, std::string(blob.id.bytes()), std::move(last)));
  }
  std::string payload = encode_transaction(added, batch.operations);
  submission->records.push_back(Submission::record(RecordType::transaction, {}, std::move(payload)));
  return submission;
}

// A segment that is referred to is not removed. The set is enough for a rebuild of the index: what was removed before
// it was taken was needed by nothing in what is durable now, and lengths are read after that.
class Held final : public HeldLog {
 public:
  Held(const Segments& segments, std::string instance) : segments_(segments.all()) {
    instance_ = std::move(instance);
    for (const auto& segment : segments_) {
      parts_.push_back({segment->number(), segment->header().nonce, segment->durable()});
    }
  }

 private:
  std::vector<std::shared_ptr<Segment>> segments_;
};

class Embedded final : public EmbeddedEngine {
 public:
  explicit Embedded(std::shared_ptr<Core> core) : core_(std::move(core)), background_(std::make_shared<Background>()) {
    core_->parameters.shards.post(0, [core = core_, background = std::weak_ptr<Background>(background_)] {
      if (const auto alive = background.lock(); alive && !alive->stopping) {
        alive->tasks.start(run_background(core, *alive));
      }
    });
  }

  std::shared_ptr<const Reader> snapshot() const override { return core_->index->snapshot(); }
  const Reader& latest() const override { return core_->index->latest(); }

  Task<Result<void>> commit(Batch batch) override {
    auto chains = std::move(batch.chains);
    auto refused = refusal(batch);
    auto submission = refused ? std::make_shared<Submission>() : encode_batch(std::move(batch));
    submission->refused = std::move(refused);
    submission->chains = std::move(chains);
    co_return co_await submit(core_, std::move(submission));
  }

  std::unique_ptr<Upload> upload() override { return std::make_unique<LogUpload>(core_); }
  Result<std::optional<Content>> content(const BlobId& id) const override { return core_->content(id); }
  std::string place_of(const BlobId& id) const override { return core_->place_of(id); }
  Result<std::optional<Content>> content_near(const BlobId& id, Bytes hint) const override {
    return core_->content_near(id, hint);
  }
  Health health() const override { return core_->health(); }
  std::vector<Corrupt> quarantined() const override { return core_->quarantined(); }

  std::string instance() const override { return to_hex(Bytes(core_->instance.data(), core_->instance.size())); }
  Statistics statistics() const override { return core_->statistics(); }

  Task<void> close() override {
    auto& shards = core_->parameters.shards;
    const unsigned home = shards.current();
    co_await world::hop(shards, 0);
    background_->stopping = true;
    background_->stop.fire();
    co_await background_->tasks.finished();
    co_await settle(core_);
    co_await world::hop(shards, home);
  }

  std::shared_ptr<const HeldLog> hold_log() const override {
    return std::make_shared<Held>(core_->segments, instance());
  }

  Task<Result<VerifyReport>> verify() override {
    VerifyReport report;
    std::string next = blob_key(BlobId{});
    while (!next.empty()) {
      auto some = [core = core_, from = next] { return read_some_blobs(*core, from); };
      auto seen = co_await on_pool(core_, std::move(some));
      if (!seen) co_return failed(seen);
      report.blobs += seen->blobs;
      report.bytes += seen->bytes;
      report.damaged += seen->damaged.size();
      next = std::move(seen->next);
    }
    co_return report;
  }

  std::unique_ptr<Check> check(bool repair) override {
    if (core_->checked.exchange(true)) return nullptr;
    return std::make_unique<EmbeddedCheck>(core_, background_, repair);
  }

  Task<void> maintain(bool thorough) override { return maintain_once(core_, *background_, thorough); }

 private:
  std::optional<Failure> refusal(const Batch& batch) const {
    if (batch.bytes() > core_->parameters.sizes.largest_batch) {
      return Failure{Failure::Kind::permanent, "F-2064", "Too much at once", std::to_string(batch.bytes()) + " octets"};
    }
    for (const auto& blob : batch.blobs) {
      const auto* upload = dynamic_cast<const LogUpload*>(blob.upload.get());
      if (upload && upload->lost()) {
        return Failure{Failure::Kind::temporary, "F-2066", "The message is not complete", "lost chunk"};
      }
    }
    return std::nullopt;
  }

  std::shared_ptr<Core> core_;
  std::shared_ptr<Background> background_;
};

}  // namespace

Result<std::unique_ptr<EmbeddedEngine>> open(EngineParameters parameters) {
  auto core = start(std::move(parameters));
  if (!core) return failed(core);
  return std::make_unique<Embedded>(std::move(*core));
}

}  // namespace facteur::store
