// The index in production. What is set here and what must never be set follows from the bugs of RocksDB 7.8.3 (fixed
// later): two write buffers, one column family, no DeleteRange, no ingestion of files, no async_io, no RepairDB.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>

#include "store/applier.hpp"
#include "store/bridge.hpp"
#include "store/index.hpp"

namespace facteur::store {

namespace {

rocksdb::Slice slice(Bytes octets) { return {octets.data(), octets.size()}; }
Bytes bytes(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

constexpr Bytes unused_key("\0", 1);  // No key of the engine begins so.

// Set by the first read that meets damage; shared by an index and its readers.
using Damage = std::shared_ptr<std::atomic<bool>>;

std::unexpected<Failure> rocksdb_failure(const rocksdb::Status& status, const Damage& damage = nullptr) {
  if (damage && status.IsCorruption()) damage->store(true);
  const auto kind = status.IsCorruption() ? Failure::Kind::corrupt : Failure::Kind::temporary;
  return failure(kind, "F-2041", "The index cannot be read or written now", status.ToString());
}

// Which keys mostly grow: those of one subspace and account, and in X (changes) of one kind of object. RocksDB
// remembers per such prefix where it inserted last, which saves most of the search. Keys that begin with a hash (blobs,
// references) are spread: no use there.
class GrowingPrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "facteur.growing"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override { return {key.data(), prefix_octets}; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return key.size() > prefix_octets && key[0] >= 0x20 && key[0] != 'B' && key[0] != 'Z';
  }

 private:
  static constexpr std::size_t prefix_octets = 5;  // Subspace, account.
};

class RocksdbReader final : public Reader {
 public:
  RocksdbReader(rocksdb::DB& db, Damage damage, bool fixed)
      : db_(db), damage_(std::move(damage)), snapshot_(fixed ? db.GetSnapshot() : nullptr) {}
  RocksdbReader(rocksdb::DB& db, Damage damage, const rocksdb::ReadOptions& options)
      : db_(db), damage_(std::move(damage)), options_(options) {}
  RocksdbReader(const RocksdbReader&) = delete;
  RocksdbReader& operator=(const RocksdbReader&) = delete;
  ~RocksdbReader() override {
    if (snapshot_) db_.ReleaseSnapshot(snapshot_);
  }

  Result<std::optional<std::string>> get(Bytes key) const override {
    rocksdb::PinnableSlice value;
    const auto status = db_.Get(options(), db_.DefaultColumnFamily(), slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return rocksdb_failure(status, damage_);
    return value.ToString();
  }

  Result<void> scan(Bytes from, Bytes to, const std::function<bool(Bytes, Bytes)>& visit) const override {
    if (to <= from) return {};
    rocksdb::ReadOptions read = options();
    const rocksdb::Slice end = slice(to);
    read.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> at(db_.NewIterator(read));
    for (at->Seek(slice(from)); at->Valid(); at->Next()) {
      if (!visit(bytes(at->key()), bytes(at->value()))) return {};
    }
    if (!at->status().ok()) return rocksdb_failure(at->status(), damage_);
    return {};
  }

  Result<void> scan_back(Bytes from, Bytes to, const std::function<bool(Bytes, Bytes)>& visit) const override {
    if (to <= from) return {};
    rocksdb::ReadOptions read = options();
    const rocksdb::Slice begin = slice(from);
    const rocksdb::Slice end = slice(to);
    read.iterate_lower_bound = &begin;
    read.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> at(db_.NewIterator(read));
    for (at->SeekToLast(); at->Valid(); at->Prev()) {
      if (!visit(bytes(at->key()), bytes(at->value()))) return {};
    }
    if (!at->status().ok()) return rocksdb_failure(at->status(), damage_);
    return {};
  }

 private:
  rocksdb::ReadOptions options() const {
    rocksdb::ReadOptions read = options_;
    read.snapshot = snapshot_;
    return read;
  }

  rocksdb::DB& db_;
  Damage damage_;
  const rocksdb::Snapshot* snapshot_ = nullptr;
  rocksdb::ReadOptions options_;
};

// The newest state, of which a part may wait beside the database.
class BridgedReader final : public Reader {
 public:
  BridgedReader(const Index& index, const Reader& database, const Bridge& bridge)
      : index_(index), database_(database), bridge_(bridge) {}

  Result<std::optional<std::string>> get(Bytes key) const override {
    return bridge_.active() ? bridge_.get(database_, key) : database_.get(key);
  }
  Result<void> scan(Bytes from, Bytes to, const Bridge::Visit& visit) const override {
    // A scan shows one moment, also while what waits passes into the database.
    return bridge_.active() ? index_.snapshot()->scan(from, to, visit) : database_.scan(from, to, visit);
  }
  Result<void> scan_back(Bytes from, Bytes to, const Bridge::Visit& visit) const override {
    return bridge_.active() ? index_.snapshot()->scan_back(from, to, visit) : database_.scan_back(from, to, visit);
  }

 private:
  const Index& index_;
  const Reader& database_;
  const Bridge& bridge_;
};

// Changes of a batch that the database did not take.
class Diversion final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Diversion(Bridge& bridge) : bridge_(bridge) {}
  void Put(const rocksdb::Slice& key, const rocksdb::Slice& value) override { bridge_.put(bytes(key), bytes(value)); }
  void Delete(const rocksdb::Slice& key) override { bridge_.remove(bytes(key)); }

 private:
  Bridge& bridge_;
};

class RocksdbIndex final : public Index {
 public:
  RocksdbIndex(std::unique_ptr<rocksdb::DB> db, bool waits) : db_(std::move(db)), waits_(waits) {}

  void put(Bytes key, Bytes value) override { batch_.Put(slice(key), slice(value)); }
  void remove(Bytes key) override { batch_.Delete(slice(key)); }

  Result<void> apply() override {
    if (!bridge_.active()) {
      auto status = write(batch_);
      if (!status.ok() && db_->Resume().ok()) status = write(batch_);
      if (status.ok()) {
        batch_.Clear();
        return {};
      }
      if (status.IsCorruption()) damage_->store(true);
      if (!waits_) return rocksdb_failure(status);
    }
    Diversion diversion(bridge_);
    const auto diverted = batch_.Iterate(&diversion);
    batch_.Clear();
    if (!diverted.ok()) return rocksdb_failure(diverted);
    const std::lock_guard lock(bridge_.passage());
    bridge_.apply();
    return {};
  }

  Result<void> recover() override {
    if (!bridge_.active()) return {};
    if (const auto resumed = db_->Resume(); !resumed.ok()) return rocksdb_failure(resumed);
    rocksdb::WriteBatch all;
    auto read = bridge_.each([&all](Bytes key, std::optional<Bytes> value) {
      if (value) {
        all.Put(slice(key), slice(*value));
      } else {
        all.Delete(slice(key));
      }
    });
    if (!read) return read;
    const std::lock_guard lock(bridge_.passage());
    if (const auto written = write(all); !written.ok()) return rocksdb_failure(written);
    bridge_.clear();
    return {};
  }
  std::uint64_t waiting_bytes() const override { return bridge_.bytes(); }

  Result<void> flush() override {
    // What waits cannot be made durable: the log must keep it.
    if (bridge_.active())
      return failure(Failure::Kind::temporary, "F-2043", "The index cannot be written now",
                     "its database refuses changes");
    const auto before = read_position(database_);
    rocksdb::FlushOptions flush;
    flush.wait = true;
    flush.allow_write_stall = true;
    // RocksDB 7.8.3 says "OK" although a full write buffer is still waiting when it has recovered from an error: what
    // counts is what can be read from its files (the log forgets what is said to be there).
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (const auto status = db_->Flush(flush); !status.ok()) return rocksdb_failure(status);
      if (!before || on_disk(before->position)) return {};
      // It takes the waiting one along with the next: so there must be something to write.
      rocksdb::WriteBatch nothing;
      nothing.Delete(slice(unused_key));
      if (const auto status = write(nothing); !status.ok()) return rocksdb_failure(status);
    }
    return failure(Failure::Kind::temporary, "F-2044", "The index cannot be written now", "a flush wrote nothing");
  }

  std::shared_ptr<const Reader> snapshot() const override {
    if (!bridge_.active()) return std::make_shared<RocksdbReader>(*db_, damage_, true);
    const std::lock_guard lock(bridge_.passage());
    auto below = std::make_shared<RocksdbReader>(*db_, damage_, true);
    return bridge_.snapshot_over(std::move(below));
  }
  const Reader& latest() const override { return latest_; }

  Result<void> verify(std::uint64_t limit) override {
    std::uint64_t size = 0;
    if (db_->GetIntProperty("rocksdb.total-sst-files-size", &size) && size > limit) return {};
    const auto status = db_->VerifyChecksum();
    if (!status.ok()) return rocksdb_failure(status, damage_);
    return {};
  }
  bool damaged() const override { return damage_->load(); }

 private:
  // Whether the files, without what is in memory, know the log up to this.
  bool on_disk(const Position& position) const {
    rocksdb::ReadOptions read;
    read.read_tier = rocksdb::kPersistedTier;
    const auto there = read_position(RocksdbReader(*db_, damage_, read));
    return there && there->position >= position;
  }

  rocksdb::Status write(rocksdb::WriteBatch& batch) {
    rocksdb::WriteOptions options;
    options.disableWAL = true;  // The log is the journal.
    return db_->Write(options, &batch);
  }

  Damage damage_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<rocksdb::DB> db_;
  bool waits_;
  RocksdbReader database_{*db_, damage_, false};
  Bridge bridge_;
  BridgedReader latest_{*this, database_, bridge_};
  rocksdb::WriteBatch batch_;
};

class RocksdbIndexMaker final : public IndexMaker {
 public:
  RocksdbIndexMaker(world::Disk& disk, const RocksdbSizes& sizes, std::string folder, bool waits)
      : disk_(disk), folder_(std::move(folder)), path_(disk.root() + "/" + folder_), sizes_(sizes), waits_(waits) {}

  Result<std::unique_ptr<Index>> open() override {
    if (auto made = disk_.create_directory(folder_); !made) return failed(made);
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options(), path_, &db);
    if (status.IsIOError() && status.ToString().find("LOCK") != std::string::npos) {
      return failure(Failure::Kind::refused, "F-2042", "Another server uses this data directory", status.ToString());
    }
    if (!status.ok()) return rocksdb_failure(status);
    return std::make_unique<RocksdbIndex>(std::unique_ptr<rocksdb::DB>(db), waits_);
  }

  // DestroyDB leaves what it does not know, and needs a readable manifest: the files go one by one.
  Result<void> remove() override {
    auto there = disk_.exists(folder_);
    if (!there) return failed(there);
    if (!*there) return {};
    auto names = disk_.list(folder_);
    if (!names) return failed(names);
    for (const std::string& name : *names) {
      if (auto removed = disk_.remove(folder_ + "/" + name); !removed) return removed;
    }
    return disk_.sync_directory(folder_);
  }

 private:
  rocksdb::Options options() const {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(sizes_.cache_bytes, 1);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = true;
    table.cache_index_and_filter_blocks = true;
    table.metadata_cache_options.top_level_index_pinning = rocksdb::PinningTier::kAll;
    // Whoever looks for what is not there asks the filter of each of the newest files: these need no search in the
    // cache (some hundred KiB for each of them, eight at most).
    table.metadata_cache_options.partition_pinning = rocksdb::PinningTier::kFlushedAndSimilar;
    table.format_version = 5;
    rocksdb::Options options;
    options.create_if_missing = true;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.write_buffer_size = sizes_.write_buffer_bytes;
    options.max_write_buffer_number = 2;
    options.max_background_jobs = 2;
    options.allow_concurrent_memtable_write = false;  // One writer.
    options.memtable_insert_with_hint_prefix_extractor = std::make_shared<GrowingPrefix>();
    // Most look-ups of a new message are for what is not there (its identifiers, its content).
    options.memtable_whole_key_filtering = true;
    options.memtable_prefix_bloom_size_ratio = 0.05;
    options.level0_file_num_compaction_trigger = 8;
    options.target_file_size_base = 32 << 20;
    options.max_bytes_for_level_base = 128 << 20;
    options.compression = rocksdb::kLZ4Compression;
    // What is new is soon written again one level down: compressing it before that only costs time.
    options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kNoCompression, rocksdb::kLZ4Compression};
    options.paranoid_checks = true;
    options.avoid_flush_during_shutdown = true;  // Engine::close flushes; a crash does not.
    options.max_open_files = 256;
    options.keep_log_file_num = 2;
    options.max_log_file_size = 1 << 20;
    options.max_manifest_file_size = 16 << 20;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.info_log_level = rocksdb::WARN_LEVEL;
    return options;
  }

  world::Disk& disk_;
  std::string folder_, path_;
  RocksdbSizes sizes_;
  bool waits_;
};

}  // namespace

std::unique_ptr<IndexMaker> rocksdb_index(world::Disk& disk, const RocksdbSizes& sizes, std::string folder,
                                          bool waits) {
  return std::make_unique<RocksdbIndexMaker>(disk, sizes, std::move(folder), waits);
}

}  // namespace facteur::store
