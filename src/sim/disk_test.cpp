#include "sim/disk.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace facteur;
using Mode = world::Disk::Mode;

namespace {

void put(world::Disk& disk, std::string_view path, std::string_view text, bool sync) {
  auto file = disk.open(path, Mode::create);
  REQUIRE(file);
  REQUIRE((*file)->write_at(0, text));
  if (sync) REQUIRE((*file)->sync());
}

}  // namespace

TEST_CASE("sim disk: reads what was written, also across sectors and behind holes") {
  sim::Disk disk(1);
  auto file = disk.open("a", Mode::create_new);
  REQUIRE(file);
  const std::string text(1500, 'x');
  REQUIRE((*file)->write_at(300, text));
  CHECK((*file)->size() == 1800);
  std::string all(2000, '?');
  CHECK((*file)->read_at(0, Room(all.data(), all.size())) == 1800);
  CHECK(all.substr(0, 300) == std::string(300, '\0'));
  CHECK(all.substr(300, 1500) == text);
  CHECK((*file)->map(300, 1500) == text);
  CHECK((*file)->map(300, 1501).empty());
  CHECK_FALSE(disk.open("a", Mode::create_new));
  CHECK_FALSE(disk.open("b", Mode::read));
  CHECK_FALSE(disk.open("no/b", Mode::create));
  CHECK_FALSE(disk.open("../b", Mode::create));
}

TEST_CASE("sim disk: truncated octets do not come back") {
  sim::Disk disk(1);
  auto file = disk.open("a", Mode::create);
  REQUIRE((*file)->write_at(0, Bytes("hello world")));
  REQUIRE((*file)->truncate(5));
  REQUIRE((*file)->reserve(11));
  CHECK(disk.content("a") == std::string("hello\0\0\0\0\0\0", 11));
}

TEST_CASE("sim disk: what was synced survives every crash") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    sim::Disk disk(seed);
    put(disk, "a", "durable", true);
    REQUIRE(disk.sync_directory(""));
    sim::Disk next(disk.crash(), seed);
    CHECK(next.content("a") == "durable");
    CHECK(disk.crashed());
    CHECK_FALSE(disk.exists("a"));
  }
}

TEST_CASE("sim disk: without sync_directory a new file may be lost, with it never") {
  std::set<bool> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    sim::Disk disk(seed);
    put(disk, "a", "text", true);
    sim::Disk next(disk.crash(), seed);
    seen.insert(*next.exists("a"));
    if (*next.exists("a")) CHECK(next.content("a") == "text");
  }
  CHECK(seen.size() == 2);
}

TEST_CASE("sim disk: unsynced sectors survive in any subset, each whole") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    sim::Disk disk(seed);
    put(disk, "a", std::string(1024, 'o'), true);
    REQUIRE(disk.sync_directory(""));
    auto file = disk.open("a", Mode::write);
    REQUIRE((*file)->write_at(0, std::string(1024, 'n')));
    sim::Disk next(disk.crash(), seed);
    const auto text = next.content("a");
    REQUIRE(text.size() == 1024);
    std::string shape;
    for (const std::size_t sector : {0u, 1u}) {
      const auto part = text.substr(sector * 512, 512);
      CHECK(part == std::string(512, part[0]));
      shape += part[0];
    }
    seen.insert(shape);
  }
  CHECK(seen == std::set<std::string>{"oo", "on", "no", "nn"});
}

TEST_CASE("sim disk: a rename survives whole or not at all") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    sim::Disk disk(seed);
    put(disk, "old", "1", true);
    put(disk, "new", "2", true);
    REQUIRE(disk.sync_directory(""));
    REQUIRE(disk.rename("new", "old"));
    CHECK(disk.content("old") == "2");
    sim::Disk next(disk.crash(), seed);
    seen.insert(next.content("old") + next.content("new"));
  }
  CHECK(seen == std::set<std::string>{"12", "2"});
}

TEST_CASE("sim disk: a folder that was not synced into its parent takes its files with it") {
  std::set<bool> seen;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    sim::Disk disk(seed);
    REQUIRE(disk.create_directory("d"));
    put(disk, "d/a", "text", true);
    REQUIRE(disk.sync_directory("d"));
    sim::Disk next(disk.crash(), seed);
    CHECK(*next.exists("d") == *next.exists("d/a"));
    seen.insert(*next.exists("d"));
  }
  CHECK(seen.size() == 2);
}

TEST_CASE("sim disk: after a failed sync the data is lost whatever later syncs say") {
  sim::Disk disk(3);
  put(disk, "a", "old", true);
  REQUIRE(disk.sync_directory(""));
  auto file = disk.open("a", Mode::write);
  REQUIRE((*file)->write_at(0, Bytes("new")));
  disk.fail_at(disk.operations() + 1, sim::Disk::Error::io);
  CHECK_FALSE((*file)->sync());
  CHECK((*file)->sync());
  CHECK(disk.content("a") == "new");
  sim::Disk next(disk.crash(), 3);
  CHECK(next.content("a") == "old");
}

TEST_CASE("sim disk: crash_at freezes the disk at that operation") {
  for (std::uint64_t at = 1; at <= 3; ++at) {
    sim::Disk disk(at);
    int told = 0;
    disk.on_crash([&told] { ++told; });
    disk.crash_at(at);
    auto file = disk.open("a", Mode::create);
    CHECK(file.has_value() == (at > 1));
    if (file) {
      CHECK((*file)->write_at(0, Bytes("text")).has_value() == (at > 2));
      CHECK_FALSE((*file)->sync());
    }
    CHECK(told == 1);
    CHECK(disk.crashed());
    CHECK_FALSE(disk.list(""));
  }
}

TEST_CASE("sim disk: a full disk takes the beginning of a write and goes on when there is room") {
  sim::Disk disk(1);
  disk.limit(100);
  auto file = disk.open("a", Mode::create);
  const std::string text(150, 'x');
  const auto full = (*file)->write_at(0, text);
  REQUIRE_FALSE(full);
  CHECK(full.error().kind == Failure::Kind::temporary);
  CHECK(disk.content("a").size() == 100);
  CHECK(disk.space()->free_bytes == 0);
  REQUIRE((*file)->truncate(10));
  CHECK((*file)->write_at(10, Bytes("yy")));
  REQUIRE(disk.remove("a"));
  CHECK(disk.space()->free_bytes == 100);
}

TEST_CASE("sim disk: rot and bad reads") {
  sim::Disk disk(1);
  put(disk, "a", "aaaa", true);
  CHECK(disk.flip_bit("a", 9));
  CHECK(disk.content("a") == "acaa");
  CHECK_FALSE(disk.flip_bit("a", 32));
  disk.fail_reads("a", 2, 1);
  auto file = disk.open("a", Mode::read);
  char room[2];
  CHECK((*file)->read_at(0, room));
  CHECK_FALSE((*file)->read_at(1, room));
  CHECK_FALSE((*file)->write_at(0, Bytes("x")));
}

TEST_CASE("sim disk: the same seed gives the same survivor, and the disk goes on") {
  sim::Disk disk(7);
  for (int i = 0; i < 20; ++i) put(disk, "f" + std::to_string(i), std::string(2000, 'x'), i % 3 == 0);
  sim::Disk one(disk.survivor(42), 1);
  sim::Disk two(disk.survivor(42), 1);
  CHECK(one.files() == two.files());
  for (const auto& path : one.files()) CHECK(one.content(path) == two.content(path));
  CHECK(disk.files().size() == 20);
  sim::Disk copy(disk.image(), 1);
  CHECK(copy.files().size() == 20);
}
