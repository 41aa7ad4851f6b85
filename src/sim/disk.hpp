// A disk in memory that can crash: world::Disk with every loss the real one may show.
//
//   sim::Disk disk(seed);
//   disk.crash_at(17);                      // The 17th change freezes it: all calls fail from then on.
//   ... run the code ...
//   sim::Disk next(disk.crash(), seed + 1); // The next life finds what survived.
//
// What a crash keeps: of each file, every 512-octet sector in its synced state or in any later one, and a size between
// the synced and the last; of each folder, the synced entries and any subset of the later changes (a rename within a
// folder is atomic).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/random.hpp"
#include "world/disk.hpp"

namespace facteur::sim {

class Disk : public world::Disk {
 public:
  struct Node;  // A file or folder.
  struct Life;  // What all open files of one life share.

  // What survived a crash; to start the next life from. May be copied by clone().
  class Image {
   public:
    Image();
    explicit Image(std::shared_ptr<Node> root) : root_(std::move(root)) {}
    Image clone() const;  // An independent copy.
   private:
    friend class Disk;
    std::shared_ptr<Node> root_;
  };

  explicit Disk(std::uint64_t seed);  // Empty.
  Disk(Image image, std::uint64_t seed);
  ~Disk() override;

  // ---- faults. Operations are counted from 1: every call that changes or syncs something.
  enum class Error : std::uint8_t { io, no_space, short_write };  // short_write: EIO after a part of a write.
  std::uint64_t operations() const;
  void crash_at(std::uint64_t operation);  // 0: never. The operation itself fails, and may have happened or not.
  void fail_at(std::uint64_t operation, Error error, std::uint64_t count = 1);         // Then `count` operations fail.
  void fail_reads(std::string_view path, std::uint64_t offset, std::uint64_t length);  // EIO there, in this life.
  void limit(std::uint64_t total_bytes);                           // ENOSPC beyond; unlimited at first (1 TiB).
  bool flip_bit(std::string_view path, std::uint64_t bit_offset);  // Rot; false if there is no such bit.
  bool cut(std::string_view path, std::uint64_t size);             // Truncates durably: a lost tail.
  bool crashed() const;                                            // crash_at has come, or crash() was called.
  void on_crash(std::function<void()> notify);                     // Called once when crash_at comes.

  // Freezes this disk and draws what survives. All files of this life fail from now on.
  Image crash();
  // Everything as it is, synced or not: a clean stop or a copy. This disk goes on.
  Image image() const;
  // As after a crash at this moment (with `chance` as the draw), while this disk goes on.
  Image survivor(std::uint64_t chance) const;

  // Before the `operation`-th change: as survivor(chance) at that moment, between two steps of the code. `take` must
  // only keep the image. One at a time.
  void survey_at(std::uint64_t operation, std::uint64_t chance, std::function<void(Image)> take);

  // ---- looking from outside (tests): whole content as it is now; all files below the root with their paths, sorted.
  std::string content(std::string_view path) const;
  std::vector<std::string> files() const;

  // ---- world::Disk
  Result<std::unique_ptr<world::File>> open(std::string_view path, Mode mode) override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> remove(std::string_view path) override;
  Result<void> create_directory(std::string_view path) override;
  Result<std::vector<std::string>> list(std::string_view path) override;
  Result<bool> exists(std::string_view path) override;
  Result<void> sync_directory(std::string_view path) override;
  Result<Space> space() override;
  std::string root() const override { return {}; }

 private:
  std::shared_ptr<Life> life_;
};

}  // namespace facteur::sim
