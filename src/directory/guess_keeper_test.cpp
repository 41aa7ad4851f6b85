// The brakes on guessing over restarts: a process ends, and another one begins on the same store.
#include "directory/guess_keeper.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "directory/record.hpp"
#include "rfc_test.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

using namespace facteur;
using namespace facteur::directory;

namespace {

const auto home = IpAddress::v4(203, 0, 113, 9);
const auto elsewhere = IpAddress::v4(203, 0, 113, 10);

Settings settings() {
  Settings out;
  out.domains = {"example.org"};
  out.cost = {8, 1, 1};
  return out;
}

struct Stage {
  // What a process has.
  struct Process {
    StoreAuthenticator authenticator;
    GuessKeeper keeper;
    Wakeup drain;
    TaskGroup tasks;

    explicit Process(Stage& s)
        : authenticator(s.directory, s.machine.shards, s.machine.clock, s.machine.random, observe::Scope(s.sink), {}),
          keeper(authenticator, *s.engine, s.machine.shards, s.machine.clock, observe::Scope(s.sink)) {}
  };

  sim::World world{7};
  sim::Machine machine{world, {}};
  observe::NullSink sink;
  std::unique_ptr<store::MemoryEngine> engine =
      store::make_memory_engine({.shards = machine.shards, .clock = machine.clock});
  StoreDirectory directory{*engine, machine.shards, machine.random, settings()};
  std::unique_ptr<Process> process;

  Stage() {
    start();
    REQUIRE(finish(directory.add_account({"anne@example.org", {"secret"}, "", std::nullopt, false})));
  }
  template <class T>
  T finish(Task<T> task) {
    struct Run {
      static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
    };
    std::optional<T> out;
    TaskGroup group;
    machine.shards.run(0, [&] { group.start(Run::to(std::move(task), out)); });
    REQUIRE(world.run_until([&] { return out.has_value(); }));
    return std::move(*out);
  }
  void start() {
    process = std::make_unique<Process>(*this);
    REQUIRE(finish(process->keeper.recall()));
  }
  void restart() {
    REQUIRE(finish(process->keeper.keep()));
    start();
  }
  auto login(const std::string& login, const std::string& password, IpAddress from) {
    return finish(process->authenticator.check_password(login, {password}, from));
  }
  // Wrong ones, each from a network of its own; how many were looked at.
  int guess(const std::string& name, int tries) {
    int looked_at = 0;
    for (int i = 0; i < tries; ++i, ++made_) {
      const auto from =
          IpAddress::v4(10, static_cast<std::uint8_t>(made_ / 250), static_cast<std::uint8_t>(made_ % 250), 1);
      if (login(name, "guess " + std::to_string(made_), from)) ++looked_at;
    }
    return looked_at;
  }
  std::vector<Remembered> remembered() { return finish(process->authenticator.remembered()); }
  void recall(std::vector<Remembered> all) {
    TaskGroup group;
    machine.shards.run(0, [&] { group.start(process->authenticator.recall(std::move(all))); });
    world.run_for(1s);
  }
  std::size_t records() {
    std::size_t count = 0;
    const auto first = guesses_prefix();
    REQUIRE(engine->latest().scan(first, store::behind(first), [&](Bytes, Bytes) { return ++count > 0; }));
    return count;
  }
  bool quiet() {  // Nothing to write.
    engine->fail_commits(1);
    const bool good = finish(process->keeper.keep()).has_value();
    engine->fail_commits(0);
    return good;
  }

 private:
  int made_ = 0;
};

}  // namespace

TEST_CASE("S14: a restart gives no fresh tries, and a source that is known to be good stays in") {
  Stage s;
  CHECK(s.login("anne@example.org", "secret", home).value());
  CHECK(s.guess("anne@example.org", 80) < 60);
  const auto before = s.remembered();
  for (int i = 0; i < 3; ++i) {
    s.restart();
    CHECK(s.guess("anne@example.org", 20) <= 2);
    CHECK(s.login("anne@example.org", "secret", home).value());
    CHECK_FALSE(s.login("anne@example.org", "secret", elsewhere));
  }
  CHECK(before.size() > 80);
  // A network that has used up its own, and one source that is made slower.
  for (int i = 0; i < 120; ++i) (void)s.login("x" + std::to_string(i), "x", *IpAddress::parse("2001:db8::1"));
  CHECK_FALSE(s.login("y", "x", *IpAddress::parse("2001:db8::2")));
  const auto slow = IpAddress::v4(192, 0, 2, 1);
  s.restart();
  CHECK_FALSE(s.login("z", "x", *IpAddress::parse("2001:db8::3")));
  for (int i = 0; i < 12; ++i) {
    s.world.run_for(65s);
    CHECK(s.login("paul@example.org", "guess " + std::to_string(i), slow));
  }
  s.restart();
  CHECK_FALSE(s.login("paul@example.org", "again", slow));
  s.world.run_for(65s);
  CHECK(s.login("paul@example.org", "again", slow));  // It ends as it would have.
  s.world.run_for(2h);
  s.restart();
  CHECK(s.guess("anne@example.org", 60) >= 50);
}

TEST_CASE("what is remembered is the same after a restart, and is written only when it has changed") {
  Stage s;
  CHECK(s.login("anne@example.org", "secret", home).value());
  s.guess("paul@example.org", 10);
  s.restart();
  CHECK(s.quiet());
  const auto sorted = [&] {
    auto all = s.remembered();
    std::ranges::sort(all, {}, [](const Remembered& one) { return guess_key(one); });
    return all;
  };
  const auto before = sorted();
  CHECK(before.size() == 2 + 10 + 1 + 10);  // A good source and its network; guesses: sources, a login, networks.
  for (int i = 0; i < 20; ++i) {
    s.world.run_for(317ms);
    s.restart();
    CHECK(sorted() == before);
    CHECK(s.quiet());
  }
  // Who logs in well all day changes nothing that day.
  for (int i = 0; i < 50; ++i) CHECK(s.login("anne@example.org", "secret", home).value());
  CHECK(s.quiet());
  s.world.run_for(25h);
  CHECK(s.login("anne@example.org", "secret", home).value());
  CHECK_FALSE(s.quiet());
  s.restart();
  CHECK(s.records() == 2);  // What is over goes.
  s.world.run_for(24h * 31);
  CHECK(s.finish(s.process->keeper.keep()));
  CHECK(s.records() == 0);
}

TEST_CASE("what cannot be written is written later; the last is written at the end; what is let go is gone") {
  Stage s;
  s.guess("anne@example.org", 5);
  s.engine->fail_commits(1);
  CHECK(!s.finish(s.process->keeper.keep()));
  CHECK(s.records() == 0);
  s.machine.shards.run(0, [&] { s.process->tasks.start(s.process->keeper.run(s.process->drain)); });
  s.world.run_for(GuessKeeper::every + 1s);
  CHECK(s.records() == 5 + 1 + 5);
  s.guess("anne@example.org", 1);
  s.machine.shards.run(0, [&] { s.process->drain.fire(); });
  s.world.run_for(1s);
  CHECK(s.records() == 6 + 1 + 6);
  s.start();
  CHECK(s.finish(s.process->authenticator.forget_guesses("")) == 6 + 1 + 6);
  s.restart();
  CHECK(s.records() == 0);
}

TEST_CASE("it is bounded, whatever is guessed: the newest stay, also over a restart") {
  Stage s;
  const BothClocks clocks{s.machine.clock.now(), s.machine.clock.utc()};
  std::vector<Remembered> many;
  for (int i = 0; i < 40'000; ++i) {
    many.push_back({Remembered::What::network, "n" + std::to_string(i), clocks.utc + std::chrono::seconds(i / 20), 0});
  }
  std::ranges::reverse(many);
  s.recall(std::move(many));
  REQUIRE(s.finish(s.process->keeper.keep()));
  CHECK(s.records() == 16384);
  s.restart();
  const auto all = s.remembered();
  CHECK(all.size() == 16384);
  CHECK(std::ranges::any_of(all, [](const Remembered& one) { return one.key == "n39999"; }));
}

TEST_CASE("a calendar that has jumped lets nobody in who was held, and shuts nobody out for longer than before") {
  for (const Duration jump : {Duration(-24h * 365), Duration(-2h)}) {
    const BothClocks before{Instant{}, UtcTime{1'800'000'000'000}};
    const BothClocks after{Instant{}, before.utc + jump};
    CHECK(after.instant_of(before.second_of(Instant{} + 30min), 1h) == Instant{} + 1h);
    CHECK(after.instant_of(before.second_of(Instant{}), 0s) == Instant{});
    CHECK(after.instant_of(before.noon_of(Instant{}), 12h) <= Instant{} + 12h);
  }
  const BothClocks far{Instant{}, UtcTime{INT64_MAX / 2'000'000}};
  CHECK(far.instant_of(UtcTime{}, 1h) < Instant{} + -24h * 30);
  CHECK(far.instant_of(UtcTime{INT64_MIN / 4}, 1h) < Instant{});
  CHECK(far.instant_of(UtcTime{INT64_MAX / 4}, 1h) == Instant{} + 1h);
}

TEST_CASE("a record of guesses: read as it was written, damaged ones are refused") {
  using What = Remembered::What;
  for (const Remembered& one :
       {Remembered{What::wrong, Brake::source(home, "anne@example.org"), UtcTime{-7000}, 3},
        Remembered{What::good, Brake::source(*IpAddress::parse("2001:db8::1"), ""), UtcTime{}, 0},
        Remembered{What::login, "", UtcTime{5000}, 0}, Remembered{What::network, "192.0.2.0/24", UtcTime{5000}, 0},
        Remembered{What::good_network, "2001:db8::/64", UtcTime{5000}, 0}}) {
    const auto key = guess_key(one);
    const auto value = write(one);
    const auto read = read_guess(key, value);
    REQUIRE(read);
    CHECK(*read == one);
    for (std::size_t i = 0; i < value.size(); ++i) CHECK(!read_guess(key, Bytes(value).substr(0, i)));
    CHECK(!read_guess(key, value + "x"));
    CHECK(!read_guess(Bytes(key).substr(0, 2), value));
    CHECK(!read_guess(guesses_prefix() + "?x", value));
    CHECK(!read_guess(key, "\x09" + value.substr(1)));
  }
  CHECK(!read_guess(guesses_prefix() + "w4abc", write(Remembered{})));
  CHECK(!read_guess(guesses_prefix() + "g6abcdefg", write(Remembered{})));
}
