// Changes of the index that its database cannot take now (a background error of RocksDB: a full or failing disk): they
// wait in memory, and readers see them over the database. The log has them all, so that nothing is at stake but memory
// and the length of the next replay; both are bounded by whoever fills it (DECISIONS.md 13).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "store/engine.hpp"
#include "store/versioned_map.hpp"

namespace facteur::store {

class Bridge {
 public:
  // Changes that wait for apply(). One thread at a time, as for Index.
  void put(Bytes key, Bytes value);
  void remove(Bytes key);
  void apply();  // All at once.

  bool active() const { return bytes_.load() > 0; }
  std::uint64_t bytes() const { return bytes_.load(); }  // Keys and values since it became active.

  // Guards the passage from here to the database: hold it while both change, or while a snapshot of both is taken.
  std::mutex& passage() const { return passage_; }
  // All that waits, in order of keys; removals have no value.
  Result<void> each(const std::function<void(Bytes key, std::optional<Bytes> value)>& use) const;
  void clear();  // The database has them.

  // What `below` holds with the changes over it, at this moment or (snapshot) as both were; `below` is shared.
  std::shared_ptr<const Reader> snapshot_over(std::shared_ptr<const Reader> below) const;
  Result<std::optional<std::string>> get(const Reader& below, Bytes key) const;
  using Visit = std::function<bool(Bytes key, Bytes value)>;

 private:
  std::shared_ptr<const Reader> waiting() const;  // The changes, as they are now.

  mutable std::mutex passage_;
  mutable std::mutex map_mutex_;  // Guards the pointer below.
  std::shared_ptr<VersionedMap> map_ = std::make_shared<VersionedMap>();
  std::vector<VersionedMap::Change> changes_;
  std::uint64_t changed_bytes_ = 0;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace facteur::store
