// The index: ordered keys derived from the log. It may be lost, stale or damaged at any time; the log gives it back.
//
// put, remove, apply and recover are called by one thread at a time (the log's lane, or the start); all else from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "store/engine.hpp"
#include "world/disk.hpp"
#include "world/random.hpp"

namespace facteur::store {

class Index {
 public:
  virtual ~Index() = default;  // What was not flushed is lost.

  virtual void put(Bytes key, Bytes value) = 0;  // Waits for apply(). The last change of a key counts.
  virtual void remove(Bytes key) = 0;
  virtual Result<void> apply() = 0;  // Makes all of them visible at once; durable some time later, in order.

  // Changes that were applied but that the database cannot take now wait in memory, visible like all others; flush()
  // fails meanwhile. recover() tries to bring them in; called like apply().
  virtual Result<void> recover() { return {}; }
  virtual std::uint64_t waiting_bytes() const { return 0; }

  virtual Result<void> flush() = 0;  // What was applied before the call is durable afterwards.

  virtual std::shared_ptr<const Reader> snapshot() const = 0;  // Must go before the index.
  virtual const Reader& latest() const = 0;

  // Reads all of it and compares checksums, unless it has more octets than `limit`.
  virtual Result<void> verify(std::uint64_t limit) = 0;
  virtual bool damaged() const = 0;  // A read has met damage: it should be built anew at the next start.
};

// Makes or opens an index; fails when what is there cannot be used. remove(): so that the next one begins empty.
class IndexMaker {
 public:
  virtual ~IndexMaker() = default;
  virtual Result<std::unique_ptr<Index>> open() = 0;
  virtual Result<void> remove() = 0;
};

struct RocksdbSizes {
  std::size_t cache_bytes = 24 << 20;         // Blocks of data.
  std::size_t write_buffer_bytes = 16 << 20;  // Two of them at most.
};
// Below disk.root() + "/" + folder. RocksDB opens its files itself, so the disk must be a real one.
// `waits`: whether changes that it cannot take wait in memory (bridge.hpp); else apply() fails.
std::unique_ptr<IndexMaker> rocksdb_index(world::Disk& disk, const RocksdbSizes& sizes, std::string folder = "index",
                                          bool waits = true);

// A map that writes itself to FOLDER/map at random moments, one in `persist_one_in` applies (0: at flush() only).
std::unique_ptr<IndexMaker> map_index(world::Disk& disk, world::Random& random, unsigned persist_one_in,
                                      std::string folder = "index");

}  // namespace facteur::store
