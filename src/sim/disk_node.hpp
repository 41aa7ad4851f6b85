// The inodes of the simulated disk: what is in memory, and what of it a crash may take back. Internal to disk.cpp.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/disk.hpp"

namespace facteur::sim {

inline constexpr std::uint64_t sector_bytes = 512;

// A file or a folder. Sectors that are all zeros may be absent.
struct Disk::Node {
  bool directory = false;

  // ---- of a file
  std::map<std::uint64_t, std::string> sectors;  // Present content, 512 octets each.
  std::uint64_t size = 0;
  // Former contents of each sector changed since the last sync, the synced one first (empty: zeros).
  std::map<std::uint64_t, std::vector<std::string>> former;
  std::uint64_t least_size = 0;  // The range the size has had since the last sync.
  std::uint64_t synced_size = 0;
  bool lost = false;  // A sync has failed: what was dirty will never be durable, whatever later syncs say.

  void write(std::uint64_t offset, Bytes bytes);
  std::size_t read(std::uint64_t offset, Room room) const;
  void resize(std::uint64_t to);
  void synced();

  // ---- of a folder
  using Entries = std::map<std::string, std::shared_ptr<Node>, std::less<>>;
  // One change of entries: all of it survives a crash or nothing. nullptr: the name goes.
  using Change = std::vector<std::pair<std::string, std::shared_ptr<Node>>>;
  Entries entries;
  Entries synced_entries;
  std::vector<Change> changes;  // Since the last sync.

  void change(Change what);

  // A copy in which everything is synced: as it is now (no chance), or as a crash leaves it.
  std::shared_ptr<Node> copy(Random* chance) const;

 private:
  void remember(std::uint64_t sector);
  void copy_file(Node& to, Random* chance) const;
};

struct Disk::Life {
  mutable std::mutex lock;
  Random chance;
  std::shared_ptr<Node> root;
  std::uint64_t operations = 0;
  std::uint64_t crash_at = 0;
  std::uint64_t fail_from = 0;
  std::uint64_t fail_count = 0;
  Error fail_with = Error::io;
  std::uint64_t total_bytes = 1ULL << 40;
  std::uint64_t used_bytes = 0;
  bool dead = false;
  bool short_write = false;  // The operation that just failed is to be carried out in part.
  std::function<void()> notify;
  std::uint64_t survey_at = 0;
  std::uint64_t survey_chance = 0;
  std::function<void(Image)> survey;
  struct BadRange {
    std::weak_ptr<Node> node;
    std::uint64_t from, to;
  };
  std::vector<BadRange> bad;

  explicit Life(std::uint64_t seed) : chance(seed) {}

  // Counts an operation; the failure it must end with, if any. `happened` runs when a crash may have let it happen.
  Result<void> operation(const std::function<void()>& happened);
  Result<void> alive() const;
  bool fits(std::uint64_t more) const { return used_bytes + more <= total_bytes; }

  std::shared_ptr<Node> find(std::string_view path) const;
  // The folder of `path` and the last name in it; nullptr if there is no such folder.
  std::pair<std::shared_ptr<Node>, std::string> parent(std::string_view path) const;
};

}  // namespace facteur::sim
