// The descriptors of the log are bounded, whatever is read, mapped and held.
#include <doctest/doctest.h>

#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "store/resting_file.hpp"
#include "store/script_test.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

std::string octets_of(std::uint64_t seed, std::size_t size) {
  std::string text(size, '\0');
  sim::Random(seed).fill(text);
  return text;
}

// How many descriptors this process has of files below `folder`.
std::size_t descriptors(const std::string& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code wrong;
    const auto target = std::filesystem::read_symlink(entry.path(), wrong).string();
    if (!wrong && target.starts_with(folder + "/")) ++count;
  }
  return count;
}

// Files of 100,000 octets on the real disk.
struct Folder {
  static constexpr std::size_t size = 100'000;
  std::string path;
  std::unique_ptr<host::Disk> disk;

  explicit Folder(std::uint32_t files) {
    path = "/tmp/facteur-resting-XXXXXX";
    REQUIRE(mkdtemp(path.data()) != nullptr);
    disk = std::move(*host::Disk::open_root(path));
    for (std::uint32_t i = 0; i < files; ++i) {
      auto file = disk->open(std::to_string(i), world::Disk::Mode::create);
      REQUIRE(file);
      REQUIRE((*file)->write_at(0, Bytes(octets_of(i + 1, size))));
    }
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("store: Files rest when others are used, open again by themselves, and what they mapped stays") {
  constexpr std::uint32_t count = 30;
  Folder folder(count);
  const auto open_files = std::make_shared<OpenFiles>(4);
  std::vector<std::unique_ptr<RestingFile>> files;
  std::vector<Bytes> mapped;
  for (std::uint32_t i = 0; i < count; ++i) {
    files.push_back(std::make_unique<RestingFile>(open_files, *folder.disk, std::to_string(i), nullptr, true));
    mapped.push_back(files.back()->map(0, Folder::size));
    REQUIRE(mapped.back().size() == Folder::size);
    CHECK(descriptors(folder.path) <= 4);
    CHECK(open_files->open() == descriptors(folder.path));
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    CHECK(mapped[i] == octets_of(i + 1, Folder::size));
    CHECK(files[i]->map(10, 50).data() == mapped[i].data() + 10);  // No second mapping of the same.
    CHECK(*files[i]->size() == Folder::size);
    std::string room(100, '\0');
    CHECK(*files[i]->read_at(500, Room(room.data(), room.size())) == 100);
    CHECK(room == mapped[i].substr(500, 100));
    CHECK(descriptors(folder.path) == 4);
  }
  files.clear();
  CHECK(descriptors(folder.path) == 0);
  CHECK(open_files->open() == 0);
}

TEST_CASE("store: A file that is still written does not rest before it may") {
  Folder folder(8);
  const auto open_files = std::make_shared<OpenFiles>(2);
  auto opened = folder.disk->open("0", world::Disk::Mode::write);
  REQUIRE(opened);
  RestingFile written(open_files, *folder.disk, "0", std::move(*opened), false);
  std::vector<std::unique_ptr<RestingFile>> others;
  const auto use_others = [&] {
    for (std::uint32_t i = 1; i < 8; ++i) {
      others.push_back(std::make_unique<RestingFile>(open_files, *folder.disk, std::to_string(i), nullptr, true));
      REQUIRE(others.back()->size());
    }
  };
  use_others();
  CHECK(descriptors(folder.path) == 2);
  REQUIRE(written.write_at(0, Bytes("new")));
  REQUIRE(written.sync());
  written.may_rest();
  others.clear();
  use_others();
  CHECK(descriptors(folder.path) == 2);
  std::string room(3, '\0');
  CHECK(*written.read_at(0, Room(room.data(), room.size())) == 3);
  CHECK(room == "new");
}

TEST_CASE("store: Many threads read files of which only two may be open") {
  constexpr std::uint32_t count = 12;
  Folder folder(count);
  const auto open_files = std::make_shared<OpenFiles>(2);
  std::vector<std::unique_ptr<RestingFile>> files;
  for (std::uint32_t i = 0; i < count; ++i) {
    files.push_back(std::make_unique<RestingFile>(open_files, *folder.disk, std::to_string(i), nullptr, true));
  }
  std::atomic<std::uint64_t> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        sim::Random chance(t + 1);
        std::string room(64, '\0');
        for (int i = 0; i < 3000; ++i) {
          const auto file = static_cast<std::uint32_t>(chance.next() % count);
          const auto at = chance.next() % (Folder::size - room.size());
          Bytes got;
          if (chance.next() % 2 == 0) {
            const auto read = files[file]->read_at(at, Room(room.data(), room.size()));
            if (read && *read == room.size()) got = room;
          } else {
            got = files[file]->map(at, room.size());
          }
          if (got != Bytes(octets_of(file + 1, at + room.size())).substr(at)) ++wrong;
        }
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(open_files->open() <= 2);
}

TEST_CASE("store: A log of many segments is served with four open ones; what readers hold stays valid") {
  EngineSizes sizes = small_sizes();
  sizes.open_segments = 4;
  sizes.ballast_bytes = 0;
  LogWorld world(1, {}, sizes);
  constexpr std::uint32_t count = 200;  // Sixteen segments.
  std::vector<BlobId> ids;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string text = octets_of(i + 1, 20'000);
    ids.push_back(BlobId::from(crypto::sha256(text).view()));
    Batch batch;
    batch.add_blob(ids.back(), text);
    batch.reference(ids.back(), Key().u32(i));
    REQUIRE(world.commit(std::move(batch)));
  }
  for (int life = 0; life < 2; ++life) {
    REQUIRE(world.engine().statistics().segments > 12);
    std::vector<Content> held;
    for (const BlobId& id : ids) {
      auto content = world.engine().content(id);
      REQUIRE((content && *content));
      held.push_back(std::move(**content));
      CHECK(world.engine().statistics().open_segments <= 4);
    }
    for (std::uint32_t i = 0; i < count; ++i) CHECK(held[i].text() == octets_of(i + 1, 20'000));
    held.clear();
    world.stop();
    REQUIRE(world.start());
  }
}
