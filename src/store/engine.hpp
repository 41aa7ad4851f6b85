// The seam to durable state: ordered keys with snapshots and atomic batches, and blobs.
//
// The embedded engine is a commit log over world::Disk (the only point of durability) and an index derived from it
// (DESIGN.md section 4, DECISIONS.md 1 to 17). This header is all the rest of Facteur knows of it.
//
// Keys: the first octet is the subspace (DATA-MODEL.md section 2). The engine keeps for itself 'B' (blob -> location),
// 'Z' (blob references) and everything below 0x20. All integers in keys are big-endian (store/key.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "store/check.hpp"
#include "store/ids.hpp"
#include "world/disk.hpp"

namespace facteur::store {

// Immutable octets of a blob, in memory or in a mapped segment that stays as long as a copy of this lives (compaction
// waits for readers). Cheap to copy; usable from any thread. Checked against its checksum when it was looked up.
class Content {
 public:
  Content() = default;
  Content(std::shared_ptr<const void> pin, std::vector<Bytes> pieces);
  static Content copy_of(std::string octets);  // Owns a copy in memory.

  std::uint64_t size() const { return size_; }
  std::span<const Bytes> pieces() const { return pieces_; }             // In order; one piece unless it came as chunks.
  std::string slice(std::uint64_t offset, std::uint64_t length) const;  // Copies; clipped to the size.
  std::string text() const { return slice(0, size_); }

  // Whether the pieces still show what was stored: a page that the disk could give when checksums were compared may be
  // read again later, and look like zeros then (world::File::map). To be asked after use, before anything is said or
  // removed that cannot be taken back.
  bool intact() const { return disk_ == nullptr || disk_->unreadable_pages() == unreadable_; }
  // What intact() compares with: the number before the checksums were. `disk` outlives this.
  void watch(const world::Disk& disk, std::uint64_t unreadable) { disk_ = &disk, unreadable_ = unreadable; }

 private:
  std::shared_ptr<const void> pin_;
  const world::Disk* disk_ = nullptr;
  std::uint64_t unreadable_ = 0;
  std::vector<Bytes> pieces_;
  std::uint64_t size_ = 0;
};

// A body on its way into the store: small ones wait in memory, large ones stream into the log as chunks that count for
// nothing until a commit refers to them. Memory holds at most 64 KiB of it. Dropping it forgets the chunks.
class Upload {
 public:
  virtual ~Upload() = default;
  virtual Task<Result<void>> append(Bytes octets) = 0;  // `octets` are borrowed until it returns.
  virtual std::uint64_t size() const = 0;
  virtual BlobId finish() = 0;  // SHA-256 of all that was appended; then no more append.
  // All that was appended, as long as it still waits in memory; nullopt once a part of it went into the log. Valid
  // until the next append, or until the upload is given away.
  virtual std::optional<Bytes> whole() const = 0;
};

// What one transaction changes. All or nothing. Operations are absolute: puts and deletes, no increments.
class Batch {
 public:
  void put(Bytes key, Bytes value);
  void remove(Bytes key);

  // The blob becomes durable with the commit, unless the store has it already; `upload` must be finished.
  void add_blob(std::unique_ptr<Upload> upload);
  void add_blob(const BlobId& id, std::string octets);

  // Who needs a blob. `owner` is a key of the caller's choice ("account item", "queue id"), at most 64 octets. A blob
  // without references goes when it is older than the grace time, decided when the removal is applied.
  void reference(const BlobId& id, Bytes owner);
  void unreference(const BlobId& id, Bytes owner);

  // Joins another batch behind this one (placements of several accounts, queue records: DECISIONS.md 3).
  void join(Batch other);

  bool empty() const;
  std::size_t bytes() const;  // What it will add to the log, about.

  struct Operation {
    enum class Kind : std::uint8_t { put, remove, reference, unreference };
    Kind kind;
    std::string key;  // For references: BlobId octets, then owner.
    std::string value;
  };
  struct NewBlob {
    BlobId id;
    std::string octets;              // Small ones.
    std::unique_ptr<Upload> upload;  // Or streamed ones.
  };
  std::vector<Operation> operations;
  std::vector<NewBlob> blobs;

  // What this batch was built on: commits still on their way when it was made. A batch that fails breaks its chains,
  // and one with a broken chain fails, so that nothing stands on a change that was never made (a refused delivery while
  // the disk is full, and a flag change queued behind it). An account begins a new chain after a failure.
  struct Chain {
    std::atomic<bool> broken{false};
  };
  std::vector<std::shared_ptr<Chain>> chains;
};

// Keys and values at one moment; only what is durable. Thread-safe; may block on a cold disk.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual Result<std::optional<std::string>> get(Bytes key) const = 0;

  // Calls `visit` for each key in [from, to), ascending; it returns false to stop. Key and value are borrowed.
  virtual Result<void> scan(Bytes from, Bytes to, const std::function<bool(Bytes key, Bytes value)>& visit) const = 0;
  virtual Result<void> scan_back(Bytes from, Bytes to,
                                 const std::function<bool(Bytes key, Bytes value)>& visit) const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::shared_ptr<const Reader> snapshot() const = 0;  // Fixed at this moment.
  virtual const Reader& latest() const = 0;                    // Each call sees the newest durable state.

  // Durable and visible in latest() when it returns without failure; then, and only then, may a positive reply go out.
  // The batch enters the log's queue when this task is first awaited, before it suspends: batches awaited one after the
  // other on one shard are in the log in that order. Resumes on the calling shard, in log order for one shard.
  // Failures: temporary (disk full; or the log is closed after a failed sync, then all further ones fail too).
  virtual Task<Result<void>> commit(Batch batch) = 0;

  virtual std::unique_ptr<Upload> upload() = 0;
  virtual Result<std::optional<Content>> content(const BlobId& id) const = 0;  // nullopt: not there. Any thread.

  // Where a blob lies now, as a hint for content_near(); empty if it is not there or lies in several pieces. Opaque, at
  // most 32 octets; what refers to it may keep it for good, also on disk.
  virtual std::string place_of(const BlobId& id) const {
    static_cast<void>(id);
    return {};
  }
  // content(), but without a look-up while the hint is still true. A wrong or old hint costs no more than that look-up.
  virtual Result<std::optional<Content>> content_near(const BlobId& id, Bytes hint) const {
    static_cast<void>(hint);
    return content(id);
  }

  enum class Health : std::uint8_t {
    good,
    low_space,     // New mail gets 452; deletions and running commits go on (DECISIONS.md 13).
    index_behind,  // The index cannot be written and too much waits for it: commits get 452 until it can (the same).
    read_only,     // A sync has failed: nothing can be written until restart (DECISIONS.md 7).
  };
  virtual Health health() const = 0;

  // Records found damaged, kept aside and not served (DEMAND.md row 2).
  struct Corrupt {
    std::string where;
    std::string why;
  };
  virtual std::vector<Corrupt> quarantined() const = 0;

  // fsck (store/check.hpp); `repair`: what can be mended is. nullptr: this engine has nothing on a disk, or another
  // check is under way. The engine must outlive it.
  virtual std::unique_ptr<Check> check(bool repair) {
    static_cast<void>(repair);
    return nullptr;
  }
};

}  // namespace facteur::store
