// The folder of a backup: what generations it has, a run that adds one, the check of all, and what is kept.
//
// A run that ends early, however, leaves all earlier generations as they were: it only appends behind what they name,
// and its own manifest is written last.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/manifest.hpp"
#include "base/result.hpp"
#include "crypto/hash.hpp"
#include "store/embedded_engine.hpp"
#include "world/disk.hpp"

namespace facteur::backup {

struct Generation {
  std::string name;  // "20261128T073219.123Z": when it was taken, UTC.
  Manifest manifest;
};

// Called after every piece of at most a MiB that was read or written, with its octets; a failure ends the work.
using Pace = std::function<Result<void>(std::uint64_t octets)>;

class Repository {
 public:
  // The disk is rooted at the folder; it may be empty, and outlives this. Reads all manifests.
  static Result<Repository> open(world::Disk& disk);

  const std::vector<Generation>& generations() const { return generations_; }  // In the order they were made.
  const std::vector<std::string>& unreadable() const { return unreadable_; }   // Manifests that are damaged.
  const Generation* find(std::string_view name) const;                         // "": the newest. nullptr: none.
  world::Disk& disk() const { return *disk_; }

  // Keeps the newest `count` generations (at least one), and removes what no other one names. How many went.
  // Fails (corrupt) while a manifest is unreadable: nobody knows what it needs.
  Result<std::size_t> keep(std::size_t count);

 private:
  friend class Run;
  explicit Repository(world::Disk& disk) : disk_(&disk) {}
  Result<void> read_all();
  Result<void> remove_unnamed(std::string_view folder, const std::vector<std::string>& named);

  world::Disk* disk_;
  std::vector<Generation> generations_;
  std::vector<std::string> unreadable_;
};

// One run: all parts, then finish().
class Run {
 public:
  // Makes the folders. `repository` and `pace` outlive the run.
  static Result<Run> begin(Repository& repository, const Pace& pace);

  // Copies what is new of a segment. Of the older part, every 16th segment is read again in each run, another 16th in
  // the next; what is found damaged is made good from the original. Damage of the original is noted, and copied.
  Result<void> add(const store::HeldLog::Part& part, world::File& original);
  Result<void> add(std::string what, std::string path, Bytes content);

  // The generation is there, durably. Its name.
  Result<std::string> finish(std::string instance, std::string version, UtcTime taken);

  std::uint64_t written() const { return written_; }                  // Octets.
  const std::vector<std::string>& mended() const { return mended_; }  // Files that had been damaged.
  const Manifest& manifest() const { return manifest_; }

 private:
  Run(Repository& repository, const Pace& pace) : repository_(repository), pace_(pace) {}
  bool intact(world::File& copy, const SegmentEntry& known, crypto::Sha256& hash);
  Result<void> bring(world::File& original, world::File& copy, std::uint32_t from, std::uint32_t to,
                     crypto::Sha256& hash);
  void carry_damage(const SegmentEntry& segment);
  Result<void> note_damage(world::File& original, const store::HeldLog::Part& part, std::uint32_t from);
  const SegmentEntry* longest(const SegmentEntry& of) const;  // That a generation names of this copy.
  const SegmentEntry* same(const SegmentEntry& of) const;     // Of just this length.

  Repository& repository_;
  const Pace& pace_;
  Manifest manifest_;
  std::uint64_t written_ = 0;
  std::vector<std::string> mended_;
};

// Reads everything that any generation names. What does not fit its checksum, by file.
struct Finding {
  std::string file;  // Below the folder of the backup.
  std::string why;   // For operators, in English.
};
Result<std::vector<Finding>> check(const Repository& repository, const Pace& pace);

// Makes the data folder `target` (empty, or left by a run that was broken off) of a generation: its log, its files of
// kind "data", and the others (configuration, certificates, keys) in the folder restored_folder, under their old paths:
// what stands there now is not ours to replace. The log appears last, at once. What does not fit its checksum is there
// all the same, and told: a store keeps its damaged records apart.
//
// Clients may have seen more than the backup knows: the folder is marked (store/folders.hpp), and its mailboxes are
// numbered anew before anybody uses them; unless the server has not run since the backup (`moved`).
inline constexpr std::string_view restored_folder = "restored";
enum class Since : std::uint8_t { lost, moved };
Result<std::vector<Finding>> restore(const Repository& repository, const Generation& generation, world::Disk& target,
                                     const Pace& pace, Since since = Since::lost);
Result<bool> restorable_to(world::Disk& target);  // Empty, or left by a run that was broken off.

// The octets of a file entry. They do not fit the checksum: file_is_damaged.
inline constexpr std::string_view file_is_damaged = "F-8002";
Result<std::string> read(const Repository& repository, const FileEntry& file);

// A small file as it is now, at most 16 MiB; and made durable under its name. For tools around backups.
Result<std::string> read_whole(world::Disk& disk, const std::string& path);
Result<void> write_whole(world::Disk& disk, const std::string& path, Bytes content);

}  // namespace facteur::backup
