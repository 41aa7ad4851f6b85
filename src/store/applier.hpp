// Turns records of the log into changes of the index: the only place that decides what a record means.
//
// The same code runs when a group has just become durable and when the log is replayed; all decisions depend on nothing
// but the records and the index as the records before made it.
//
// Keys of the engine: 0x01 position; 0x02 segment -> live octets; 0x03 segment, blob -> blobs in several pieces;
// 0x04 blob -> may have become unneeded; 0x05 position -> damaged record; 0x06 newest complete snapshot; 'B' blob ->
// Location; 'Z' blob, owner.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "store/format.hpp"
#include "store/index.hpp"
#include "store/transaction.hpp"

namespace facteur::store {

// What of a segment is needed by blobs.
struct Live {
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
};

std::string write_live(const Live& live);                 // As the index keeps it.
Live read_live(const std::optional<std::string>& value);  // Nothing: no octets.

// Which log, and up to where, an index knows.
struct IndexPosition {
  InstanceId instance{};
  Position position;
};
std::optional<IndexPosition> read_position(const Reader& reader);

// The newest complete snapshot of the index in the log.
struct SnapshotPlace {
  Position begin, end, of;  // First and last record; all of the log below `of` is in it.
};
SnapshotPlace read_snapshot_place(const Reader& reader);

std::string blob_key(const BlobId& id);                            // 'B'
std::string pieces_key(std::uint32_t segment, Bytes blob_octets);  // 0x03
inline constexpr Bytes position_key{"\x01", 1}, snapshot_key{"\x06", 1};
inline constexpr char live_subspace = '\x02', pieces_subspace = '\x03', unneeded_subspace = '\x04',
                      damaged_subspace = '\x05';

class Applier {
 public:
  Applier(Index& index, const InstanceId& instance) : index_(index), instance_(instance) {}

  Result<void> load();  // The live octets, from the index; after it was opened or restored.

  // One group: begin, its records in order, end. Failures of `kind` corrupt: this record means nothing (quarantine it
  // and go on); others: the index does not work.
  void begin(std::int64_t time_ms) { time_ms_ = time_ms; }
  void body(const Piece& piece, bool known_absent);  // Of a body record.
  void existing();
  Result<void> transaction(Bytes payload);
  Result<void> move(Bytes payload);
  Result<void> drop(Bytes payload);
  Result<void> snapshot_end(const Position& at, Bytes payload);
  void damaged(const Position& at, Bytes why);
  Result<void> end(const Position& upto);  // All becomes visible.

  std::optional<Location> location(const BlobId& id) const;  // What is applied.
  std::map<std::uint32_t, Live> live() const;                // Thread-safe.

 private:
  struct Before {  // A body or `existing` in front of a transaction.
    std::optional<Piece> piece;
    bool known_absent = false;
  };
  void add(const AddedBlob& blob, const Before& before);
  void place(const BlobId& id, const Location* from, const Location* to);
  void count(const Piece& piece, int sign);
  void write_live();
  bool referenced(const BlobId& id) const;
  std::optional<Location> pending_or_applied(const BlobId& id) const;

  Index& index_;
  InstanceId instance_;
  std::int64_t time_ms_ = 0;
  std::vector<Before> before_;
  std::unordered_map<BlobId, std::optional<Location>> pending_;  // Since the last apply.
  bool referring_ = false;                                       // Transactions since then may refer to blobs.
  std::set<std::uint32_t> touched_;                              // Whose live octets have changed since write_live().
  mutable std::mutex mutex_;                                     // Guards live_.
  std::map<std::uint32_t, Live> live_;
};

}  // namespace facteur::store
