#include "host/disk.hpp"

#include <unistd.h>

#include <filesystem>

#include "host/mapped_pages.hpp"
#include "host/stage_test.hpp"

using namespace facteur;
using namespace facteur::host;
using Mode = world::Disk::Mode;

TEST_CASE("files: write, read, map, truncate; what the door promises") {
  const TemporaryFolder folder;
  const auto disk = *Disk::open_root(folder.path + "/a/b");
  REQUIRE(disk->create_directory("log"));
  REQUIRE(disk->create_directory("log"));
  CHECK(!disk->open("log/1", Mode::read));
  CHECK(!disk->open("log/1", Mode::write));
  auto file = std::move(*disk->open("log/1", Mode::create_new));
  CHECK(!disk->open("log/1", Mode::create_new));
  std::vector<Bytes> pieces(700, "abc");
  pieces[3] = "";
  REQUIRE(file->write_at(10, pieces));
  CHECK(*file->size() == 10 + 3 * 699);
  std::string room(5000, 'x');
  CHECK(*file->read_at(0, Room(room)) == 10 + 3 * 699);
  CHECK(room.substr(0, 13) == std::string(10, '\0') + "abc");
  REQUIRE(file->sync());
  REQUIRE(disk->sync_directory("log"));
  REQUIRE(disk->sync_directory(""));

  const Bytes mapped = file->map(10, 6);
  CHECK(mapped == "abcabc");
  CHECK(file->map(10, 3 * 699).size() == 3 * 699);
  CHECK(file->map(10, 3 * 699 + 1).empty());
  CHECK(file->map(UINT64_MAX - 2, 5).empty());
  // Written behind what is mapped, and behind the end of the file then.
  REQUIRE(file->write_at(200'000'000, "far"));
  CHECK(file->map(200'000'000, 3) == "far");
  CHECK(file->map(0, 200'000'003).substr(200'000'000) == "far");
  REQUIRE(file->write_at(10, "ABC"));
  CHECK(mapped == "ABCabc");

  REQUIRE(file->truncate(5));
  CHECK(*file->size() == 5);
  CHECK(file->map(0, 6).empty());
  REQUIRE(file->reserve(3'000'000));
  CHECK(*file->size() == 3'000'000);
  CHECK(file->map(2'999'999, 1) == std::string_view("\0", 1));
}

TEST_CASE("folders: list, rename, remove, exists") {
  const TemporaryFolder folder;
  const auto disk = *Disk::open_root(folder.path);
  for (const auto* name : {"c", "a", "b"}) REQUIRE(disk->open(name, Mode::create));
  CHECK(*disk->list("") == std::vector<std::string>{"a", "b", "c"});
  REQUIRE(disk->rename("a", "b"));
  CHECK(*disk->list("") == std::vector<std::string>{"b", "c"});
  CHECK(*disk->exists("b"));
  CHECK(!*disk->exists("a"));
  CHECK(!*disk->exists("no/such/folder"));
  CHECK(!disk->remove("a"));
  REQUIRE(disk->remove("b"));
  REQUIRE(disk->create_directory("d"));
  REQUIRE(disk->open("d/x", Mode::create));
  CHECK(!disk->remove("d"));
  REQUIRE(disk->remove("d/x"));
  REQUIRE(disk->remove("d"));
  CHECK(!disk->list("d"));
  const auto space = disk->space();
  REQUIRE(space);
  CHECK(space->total_bytes >= space->free_bytes);
  CHECK(space->total_bytes > 0);
  CHECK(disk->root() == folder.path);
}

TEST_CASE("RELIABILITY S81: no way out of the root, and none through a symbolic link") {
  const TemporaryFolder folder;
  const auto disk = *Disk::open_root(folder.path + "/root");
  std::filesystem::create_directory(folder.path + "/outside");
  std::filesystem::create_symlink(folder.path + "/outside", folder.path + "/root/link");
  std::filesystem::create_symlink("/etc/passwd", folder.path + "/root/passwd");
  for (const auto* path : {"../outside/x", "/tmp/x", "link/x", "passwd", "a/../../x", ".."}) {
    CHECK(!disk->open(path, Mode::create));
    CHECK(!disk->open(path, Mode::read));
    CHECK(!disk->rename("passwd", std::string(path) + "/y"));
  }
  CHECK(!disk->list("link"));
  CHECK(!disk->create_directory("link/y"));
  CHECK(std::filesystem::is_empty(folder.path + "/outside"));
}

TEST_CASE("one server for one folder") {
  const TemporaryFolder folder;
  const auto first = *Disk::open_root(folder.path), second = *Disk::open_root(folder.path);
  CHECK(*first->lock());
  CHECK(!*second->lock());
}

TEST_CASE("RELIABILITY R16: a mapped page that cannot be read is zeros and a read error, not the end of the process") {
  const TemporaryFolder folder;
  const auto disk = *Disk::open_root(folder.path);
  auto file = std::move(*disk->open("log", Mode::create_new));
  const std::string octets(3 * 4096, 'x');
  REQUIRE(file->write_at(0, octets));
  const Bytes mapped = file->map(0, octets.size());
  REQUIRE(mapped == octets);
  const auto before = GuardedPages::unreadable();
  std::filesystem::resize_file(folder.path + "/log", 4096);  // Touching the pages behind is a SIGBUS from now on.
  CHECK(mapped.substr(0, 4096) == std::string(4096, 'x'));
  CHECK(mapped[5000] == 0);
  CHECK(GuardedPages::unreadable() == before + 1);
  CHECK(mapped.substr(4096) == std::string(2 * 4096, '\0'));
  CHECK(GuardedPages::unreadable() == before + 2);
  std::string room(octets.size(), ' ');
  CHECK(*file->read_at(0, Room(room)) == 4096);
}
