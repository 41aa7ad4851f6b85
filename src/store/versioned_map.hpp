// An ordered map that keeps old values as long as a snapshot needs them: the memory engine and the simulator's index
// stand on it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/engine.hpp"

namespace facteur::store {

class VersionedMap {
 public:
  VersionedMap();
  VersionedMap(const VersionedMap&) = delete;
  VersionedMap& operator=(const VersionedMap&) = delete;

  // A change: the key gets the value, or goes (nullopt).
  using Change = std::pair<std::string, std::optional<std::string>>;

  // All changes become visible at once; the last one of a key counts. Thread-safe, one caller at a time.
  void apply(std::vector<Change> changes);

  // Thread-safe. Readers and snapshots may outlive this object.
  std::shared_ptr<const Reader> snapshot() const;
  const Reader& latest() const;

 private:
  struct Inside;
  std::shared_ptr<Inside> inside_;
  std::unique_ptr<const Reader> latest_;
};

}  // namespace facteur::store
