// The door to the disk: files under one root. All calls block, so they run on the pool (Shards::offload) or at start.
//
// What is durable: after File::sync, the content of that file; after sync_directory, creations, renames and removals in
// that folder. Nothing else is, and a crash may keep any subset of what was not synced, torn at 512 octets.
// Paths are relative to the root, with '/', and never contain "..".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace facteur::world {

class File {
 public:
  virtual ~File() = default;  // Closes; never syncs.

  virtual Result<std::uint64_t> size() = 0;

  // Reads up to room.size() octets at `offset`; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, Room room) = 0;

  // Writes all pieces, one behind the other, from `offset` on; the file grows as needed. May be called from another
  // thread than read_at.
  virtual Result<void> write_at(std::uint64_t offset, std::span<const Bytes> pieces) = 0;
  Result<void> write_at(std::uint64_t offset, Bytes bytes) {
    return write_at(offset, std::span<const Bytes>(&bytes, 1));
  }

  // fdatasync. After a failure the file must be treated as lost: never sync it again (RELIABILITY R4).
  virtual Result<void> sync() = 0;

  virtual Result<void> truncate(std::uint64_t size) = 0;

  // Writes zeros up to `size`, so that later writes inside it need no journal commit of metadata.
  virtual Result<void> reserve(std::uint64_t size) = 0;

  // The octets at [offset, offset + length) as memory, valid as long as this File; nullopt-like empty Bytes with length
  // > 0 if this disk cannot. For files that do not change any more there. What the disk cannot read looks like zeros:
  // compare checksums, and ask read_at() why (RELIABILITY R16).
  virtual Bytes map(std::uint64_t offset, std::size_t length) = 0;

  // Gives back what the system keeps for an open file: only what was mapped may be used afterwards. Nobody else is
  // using it. All that was written is synced, or a failure to sync it would be lost.
  virtual void give_back() {}
};

class Disk {
 public:
  virtual ~Disk() = default;

  enum class Mode : std::uint8_t { read, write, create, create_new };  // write and create: read and write.

  virtual Result<std::unique_ptr<File>> open(std::string_view path, Mode mode) = 0;  // O_NOFOLLOW, O_CLOEXEC.
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;       // Replaces `to`.
  virtual Result<void> remove(std::string_view path) = 0;                            // A file, or an empty folder.
  virtual Result<void> create_directory(std::string_view path) = 0;                  // No error if it is there.
  virtual Result<std::vector<std::string>> list(std::string_view path) = 0;          // Names only, sorted.
  virtual Result<bool> exists(std::string_view path) = 0;
  virtual Result<void> sync_directory(std::string_view path) = 0;

  struct Space {
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
  };
  virtual Result<Space> space() = 0;

  // How many mapped pages could not be read so far and look like zeros now (File::map), wherever in this process. Who
  // has compared a checksum, and finds the same number after use, has used what was compared. Any thread.
  virtual std::uint64_t unreadable_pages() const { return 0; }

  // The real path of the root, for libraries that open files themselves (the index); empty in the simulator.
  virtual std::string root() const = 0;
};

}  // namespace facteur::world
