// The index of the simulator: a map in memory, written as one file at random moments, so that every start replays a
// different part of the log.
#include <mutex>

#include "crypto/crc32c.hpp"
#include "store/index.hpp"
#include "store/key.hpp"
#include "store/versioned_map.hpp"

namespace facteur::store {

namespace {

constexpr Bytes map_magic = "FACTMAP1";

class MapIndex final : public Index {
 public:
  MapIndex(world::Disk& disk, world::Random& random, unsigned persist_one_in, std::string folder)
      : disk_(disk), random_(random), persist_one_in_(persist_one_in), folder_(std::move(folder)) {}

  Result<void> load() {
    auto there = disk_.exists(map_path());
    if (!there) return failed(there);
    if (!*there) return {};
    auto file = disk_.open(map_path(), world::Disk::Mode::read);
    if (!file) return failed(file);
    auto size = (*file)->size();
    if (!size) return failed(size);
    std::string octets(*size, '\0');
    auto read = (*file)->read_at(0, Room(octets.data(), octets.size()));
    if (!read) return failed(read);
    Parser p(Bytes(octets).substr(0, *read));
    const bool magic = p.raw(map_magic.size()) == map_magic;
    const std::uint32_t checksum = p.u32();
    if (!magic || !p.ok() || crypto::crc32c(p.rest()) != checksum) return unusable();
    while (!p.rest().empty()) {
      const Bytes key = p.string();
      const Bytes value = p.string();
      if (!p.ok()) return unusable();
      changes_.emplace_back(key, value);
    }
    map_.apply(std::exchange(changes_, {}));
    return {};
  }

  void put(Bytes key, Bytes value) override { changes_.emplace_back(key, std::string(value)); }
  void remove(Bytes key) override { changes_.emplace_back(key, std::nullopt); }
  Result<void> apply() override {
    map_.apply(std::exchange(changes_, {}));
    // A failure to write only makes the next replay longer.
    if (persist_one_in_ > 0 && random_.below(persist_one_in_) == 0) static_cast<void>(flush());
    return {};
  }

  Result<void> flush() override {
    const std::lock_guard lock(flushing_);
    const auto snapshot = map_.snapshot();
    Key body;
    auto scanned = snapshot->scan({}, "\xff", [&](Bytes key, Bytes value) {
      body.string(key).string(value);
      return true;
    });
    if (!scanned) return scanned;
    auto file = disk_.open(new_path(), world::Disk::Mode::create);
    if (!file) return failed(file);
    if (auto emptied = (*file)->truncate(0); !emptied) return emptied;
    const std::string head = Key().raw(map_magic).u32(crypto::crc32c(body)).take();
    const Bytes pieces[] = {head, body};
    if (auto written = (*file)->write_at(0, pieces); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
    if (auto named = disk_.rename(new_path(), map_path()); !named) return named;
    return disk_.sync_directory(folder_);
  }

  std::shared_ptr<const Reader> snapshot() const override { return map_.snapshot(); }
  const Reader& latest() const override { return map_.latest(); }
  Result<void> verify(std::uint64_t) override { return {}; }
  bool damaged() const override { return false; }

 private:
  std::string map_path() const { return folder_ + "/map"; }
  std::string new_path() const { return folder_ + "/map.new"; }
  std::unexpected<Failure> unusable() const {
    return failure(Failure::Kind::corrupt, "F-2040", "The index is damaged", map_path());
  }

  world::Disk& disk_;
  world::Random& random_;
  unsigned persist_one_in_;
  std::string folder_;
  VersionedMap map_;
  std::vector<VersionedMap::Change> changes_;
  std::mutex flushing_;
};

class MapIndexMaker final : public IndexMaker {
 public:
  MapIndexMaker(world::Disk& disk, world::Random& random, unsigned persist_one_in, std::string folder)
      : disk_(disk), random_(random), persist_one_in_(persist_one_in), folder_(std::move(folder)) {}

  Result<std::unique_ptr<Index>> open() override {
    if (auto made = disk_.create_directory(folder_); !made) return failed(made);
    auto index = std::make_unique<MapIndex>(disk_, random_, persist_one_in_, folder_);
    if (auto loaded = index->load(); !loaded) return failed(loaded);
    return index;
  }
  Result<void> remove() override {
    auto there = disk_.exists(folder_ + "/map");
    if (!there) return failed(there);
    if (!*there) return {};
    if (auto removed = disk_.remove(folder_ + "/map"); !removed) return removed;
    return disk_.sync_directory(folder_);
  }

 private:
  world::Disk& disk_;
  world::Random& random_;
  unsigned persist_one_in_;
  std::string folder_;
};

}  // namespace

std::unique_ptr<IndexMaker> map_index(world::Disk& disk, world::Random& random, unsigned persist_one_in,
                                      std::string folder) {
  return std::make_unique<MapIndexMaker>(disk, random, persist_one_in, std::move(folder));
}

}  // namespace facteur::store
