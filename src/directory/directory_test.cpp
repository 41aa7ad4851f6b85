#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crypto/scram.hpp"
#include "directory/brake.hpp"
#include "directory/store_authenticator.hpp"
#include "directory/store_directory.hpp"
#include "rfc_test.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

using namespace facteur;
using namespace facteur::directory;

namespace {

constexpr crypto::Argon2Cost cheap{8, 1, 1};

Settings example_settings() {
  Settings settings;
  settings.domains = {"example.org", "other.example"};
  settings.postmaster = "anne@example.org";
  settings.cost = cheap;
  return settings;
}

// A machine with a directory that forgets everything with it.
struct Stage {
  explicit Stage(Duration cache_for = 5min)
      : world(7),
        machine(world, {}),
        engine(store::make_memory_engine({.shards = machine.shards, .clock = machine.clock})),
        directory(*engine, machine.shards, machine.random, example_settings()),
        authenticator(directory, machine.shards, machine.clock, machine.random, observe::Scope(sink), {cache_for}) {}

  template <class T>
  T finish(Task<T> task, unsigned shard = 1) {
    struct Run {
      static Task<void> to(Task<T> task, std::optional<T>& out) { out.emplace(co_await std::move(task)); }
    };
    std::optional<T> out;
    TaskGroup group;
    machine.shards.run(shard, [&] { group.start(Run::to(std::move(task), out)); });
    REQUIRE(world.run_until([&] { return out.has_value(); }));
    return std::move(*out);
  }

  AccountId add(const std::string& address, const std::string& password = "secret", bool shared = false) {
    auto id = finish(directory.add_account({address, {password}, "", std::nullopt, shared}));
    REQUIRE(id.has_value());
    return *id;
  }
  // "account 1 detail", "to a@b,c@d", "nobody", "foreign"
  std::string where(std::string_view local, std::string_view domain) {
    const auto target = directory.resolve(local, domain);
    REQUIRE(target.has_value());
    if (target->kind == Target::Kind::foreign) return "foreign";
    if (target->kind == Target::Kind::nobody) return "nobody";
    if (target->kind == Target::Kind::account) {
      return "account " + std::to_string(target->account.value) + (target->detail.empty() ? "" : " " + target->detail);
    }
    std::string out = "to";
    for (const auto& address : target->addresses) out += " " + address;
    return out + (target->detail.empty() ? "" : " / " + target->detail);
  }
  bool sends(AccountId id, std::string_view local, std::string_view domain = "example.org") {
    return directory.may_send_as(id, local, domain).value();
  }
  auto login(const std::string& login, const std::string& password, IpAddress from = IpAddress::v4(192, 0, 2, 1)) {
    return finish(authenticator.check_password(login, {password}, from));
  }

  sim::World world;
  sim::Machine machine;
  observe::NullSink sink;
  std::unique_ptr<store::MemoryEngine> engine;
  StoreDirectory directory;
  StoreAuthenticator authenticator;
};

std::string code(const Result<void>& result) { return result ? "" : std::string(result.error().code); }

}  // namespace

TEST_CASE("the order of resolving: account, alias, subaddress, postmaster, catch-all, nobody (truth table)") {
  Stage s;
  s.add("anne@example.org");       // 1
  s.add("Paul@Example.ORG");       // 2
  s.add("weird+tag@example.org");  // 3: an account that looks like a subaddress
  CHECK(s.finish(s.directory.add_address("paul@example.org", "p.martin@example.org")));
  CHECK(s.finish(s.directory.set_alias("team@example.org", {"anne@example.org", "Bob@Elsewhere.example"})));
  struct Row {
    std::string_view local, domain, expected;
  };
  const Row table[] = {
      {"anne", "example.org", "account 1"},
      {"ANNE", "EXAMPLE.org.", "account 1"},
      {"paul", "example.org", "account 2"},
      {"p.martin", "example.org", "account 2"},
      {"anne+Shop", "example.org", "account 1 Shop"},
      {"p.martin+x+y", "example.org", "account 2 x+y"},
      {"weird+tag", "example.org", "account 3"},
      {"weird", "example.org", "nobody"},
      {"team", "example.org", "to anne@example.org Bob@elsewhere.example"},
      {"team+x", "example.org", "to anne@example.org Bob@elsewhere.example / x"},
      {"postmaster", "example.org", "to anne@example.org"},
      {"Abuse", "other.example", "to anne@example.org"},
      {"nobody", "example.org", "nobody"},
      {"+x", "example.org", "nobody"},
      {"", "example.org", "nobody"},
      {"anne", "other.example", "nobody"},
      {"anne", "elsewhere.example", "foreign"},
      {"anne", "sub.example.org", "foreign"},
      {"anne", "", "foreign"},
  };
  for (const auto& row : table) {
    CAPTURE(row.local);
    CHECK(s.where(row.local, row.domain) == row.expected);
  }

  SUBCASE("a catch-all ranks below all of them") {
    auto settings = example_settings();
    settings.catch_all["example.org"] = "paul@example.org";
    s.directory.configure(settings);
    CHECK(s.where("nobody", "example.org") == "to paul@example.org");
    CHECK(s.where("nobody", "other.example") == "nobody");
    CHECK(s.where("anne", "example.org") == "account 1");
    CHECK(s.where("anne+x", "example.org") == "account 1 x");
    CHECK(s.where("postmaster", "example.org") == "to anne@example.org");
  }
  SUBCASE("a real postmaster account gets its own mail") {
    s.add("postmaster@other.example");
    CHECK(s.where("postmaster", "other.example") == "account 4");
  }
  SUBCASE("a catch-all or postmaster who does not exist leads nowhere, not in circles") {
    auto settings = example_settings();
    settings.catch_all["example.org"] = "ghost@example.org";
    settings.postmaster = "postmaster@other.example";
    s.directory.configure(settings);
    CHECK(s.where("ghost", "example.org") == "nobody");
    CHECK(s.where("postmaster", "other.example") == "nobody");
  }
  SUBCASE("without a separator there are no subaddresses") {
    auto settings = example_settings();
    settings.separator.reset();
    s.directory.configure(settings);
    CHECK(s.where("anne+x", "example.org") == "nobody");
    CHECK(s.where("weird+tag", "example.org") == "account 3");
  }
}

TEST_RFC("6409 §6.1", "a sender may use its addresses, what leads to it alone, and nothing else") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  const auto paul = s.add("paul@example.org");
  CHECK(s.finish(s.directory.add_address("anne@example.org", "a@other.example")));
  CHECK(s.finish(s.directory.set_alias("sales@example.org", {"anne@example.org"})));
  CHECK(s.finish(s.directory.set_alias("shop@example.org", {"sales@example.org"})));
  CHECK(s.finish(s.directory.set_alias("team@example.org", {"anne@example.org", "paul@example.org"})));
  CHECK(s.sends(anne, "anne"));
  CHECK(s.sends(anne, "ANNE", "EXAMPLE.ORG"));
  CHECK(s.sends(anne, "a", "other.example"));
  CHECK(s.sends(anne, "anne+shop"));
  CHECK(s.sends(anne, "sales"));
  CHECK(s.sends(anne, "shop"));
  CHECK(s.sends(anne, "postmaster"));
  CHECK(!s.sends(anne, "team"));
  CHECK(!s.sends(anne, "paul"));
  CHECK(!s.sends(anne, "nobody"));
  CHECK(!s.sends(anne, "anne", "elsewhere.example"));
  CHECK(!s.sends(paul, "anne"));
  CHECK(!s.sends(paul, "sales"));
  CHECK(!s.sends(AccountId{99}, "anne"));

  auto settings = example_settings();
  settings.catch_all["example.org"] = "paul@example.org";
  s.directory.configure(settings);
  CHECK(s.sends(paul, "anything"));
  CHECK(!s.sends(paul, "anne"));
  CHECK(!s.sends(anne, "anything"));

  CHECK(s.finish(s.directory.set_enabled("paul@example.org", false)));
  CHECK(!s.sends(paul, "paul"));
}

TEST_CASE("aliases that go in circles let nobody send and end") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  CHECK(s.finish(s.directory.set_alias("a@example.org", {"b@example.org"})));
  CHECK(s.finish(s.directory.set_alias("b@example.org", {"a@example.org"})));
  CHECK(!s.sends(anne, "a"));
}

TEST_CASE("domains: configured ones are permanent, added ones go when they are empty") {
  Stage s;
  CHECK(code(s.finish(s.directory.add_domain("example.org"))) == "F-6011");
  CHECK(code(s.finish(s.directory.add_domain("no domain"))) == "F-6010");
  CHECK(code(s.finish(s.directory.remove_domain("example.org"))) == "F-6012");
  CHECK(code(s.finish(s.directory.remove_domain("new.example"))) == "F-6013");
  CHECK(s.finish(s.directory.add_domain("New.Example")));
  CHECK(s.directory.is_local_domain("new.example"));
  CHECK(s.directory.domains() == std::vector<std::string>{"example.org", "new.example", "other.example"});
  s.add("carl@new.example");
  CHECK(code(s.finish(s.directory.remove_domain("new.example"))) == "F-6014");
  CHECK(s.finish(s.directory.set_catch_all("new.example", "carl@new.example")));
  CHECK(s.where("any", "new.example") == "to carl@new.example");
  CHECK(s.finish(s.directory.set_catch_all("new.example", "")));
  CHECK(s.where("any", "new.example") == "nobody");
  CHECK(s.finish(s.directory.remove_account("carl@new.example", UtcTime{1000})));
  CHECK(s.finish(s.directory.remove_domain("new.example")));
  CHECK(!s.directory.is_local_domain("new.example"));
}

TEST_CASE("domains: thousands of them, more than are kept in memory") {
  Stage s;
  store::Batch batch;
  for (int i = 0; i < 5000; ++i) batch.put(domain_key("d" + std::to_string(i) + ".example"), write(DomainRecord{}));
  struct Run {
    static Task<Result<void>> commit(store::Engine& engine, store::Batch batch) {
      co_return co_await engine.commit(std::move(batch));
    }
  };
  CHECK(s.finish(Run::commit(*s.engine, std::move(batch))));
  for (int turn = 0; turn < 2; ++turn) {
    CHECK(s.directory.is_local_domain("d4999.example"));
    CHECK_FALSE(s.directory.is_local_domain("d5000.example"));
  }
  CHECK(s.finish(s.directory.add_domain("d5000.example")));
  CHECK(s.directory.is_local_domain("d5000.example"));
  CHECK(s.finish(s.directory.remove_domain("d4999.example")));
  CHECK_FALSE(s.directory.is_local_domain("d4999.example"));
}

TEST_CASE("ids are never used again; addresses are") {
  Stage s;
  const auto first = s.add("anne@example.org");
  CHECK(!s.finish(s.directory.add_account({"Anne@example.org", {"x"}, "", {}, false})));
  CHECK(s.finish(s.directory.remove_account("anne@example.org", UtcTime{1000})).value() == first);
  CHECK(!s.directory.account(first).value());
  CHECK(s.where("anne", "example.org") == "nobody");
  CHECK(s.finish(s.directory.add_account({"anne@example.org", {"x"}, "", {}, false})).error().code ==
        account_was_removed);
  NewAccount fresh{"anne@example.org", {"x"}, "", {}, false};
  fresh.fresh = true;
  const auto second = s.finish(s.directory.add_account(std::move(fresh)));
  REQUIRE(second);
  CHECK(*second > first);
}

TEST_CASE("a removed account comes back as it was, with the addresses that are still free, until it is forgotten") {
  Stage s;
  const auto id = s.add("anne@example.org");
  CHECK(s.finish(s.directory.add_address("anne@example.org", "a@example.org")));
  CHECK(s.finish(s.directory.add_address("anne@example.org", "b@example.org")));
  CHECK(s.finish(s.directory.remove_account("anne@example.org", UtcTime{5000})));
  CHECK(!s.login("anne@example.org", "secret").value());
  CHECK(s.where("a", "example.org") == "nobody");
  const auto removed = s.directory.list_removed();
  REQUIRE(removed->size() == 1);
  CHECK(removed->front().account.id == id);
  CHECK(removed->front().at == UtcTime{5000});
  CHECK(s.finish(s.directory.set_alias("a@example.org", {"x@elsewhere.example"})));

  const auto back = s.finish(s.directory.restore_account(id));
  REQUIRE(back);
  CHECK(back->addresses == std::vector<std::string>{"anne@example.org", "b@example.org"});
  CHECK(s.login("anne@example.org", "secret").value() == id);
  CHECK(s.where("a", "example.org") == "to x@elsewhere.example");
  CHECK(s.where("b", "example.org") == "account 1");
  CHECK(s.directory.list_removed()->empty());
  CHECK(!s.finish(s.directory.restore_account(id)));

  CHECK(s.finish(s.directory.remove_account("anne@example.org", UtcTime{6000})));
  CHECK(s.finish(s.directory.set_alias("anne@example.org", {"x@elsewhere.example"})));
  CHECK(s.finish(s.directory.restore_account(id)).error().code == "F-6020");  // Its main address is an alias now.
  CHECK(s.finish(s.directory.forget_account(id)));
  CHECK(s.directory.list_removed()->empty());
}

TEST_CASE("an account keeps id and password when its address changes") {
  Stage s;
  const auto id = s.add("anne@example.org");
  CHECK(s.finish(s.directory.rename_account("anne@example.org", "anne.martin@other.example", true)));
  CHECK(s.directory.account(id).value()->address == "anne.martin@other.example");
  CHECK(s.where("anne", "example.org") == "account 1");
  CHECK(s.login("anne.martin@other.example", "secret").value() == id);
  CHECK(s.finish(s.directory.rename_account("anne@example.org", "a@example.org", false)));
  CHECK(s.where("anne.martin", "other.example") == "nobody");
  CHECK(s.where("anne", "example.org") == "account 1");
  CHECK(code(s.finish(s.directory.remove_address("a@example.org", "a@example.org"))) == "F-6025");
  CHECK(s.finish(s.directory.remove_address("a@example.org", "anne@example.org")));
  CHECK(s.where("anne", "example.org") == "nobody");
}

TEST_CASE("many changes at once from several shards: each happens wholly, ids differ") {
  Stage s;
  struct Run {
    static Task<void> add(StoreDirectory& directory, std::string address, std::vector<AccountId>& out) {
      auto id = co_await directory.add_account({std::move(address), {"x"}, "", {}, false});
      if (id) out.push_back(*id);
    }
  };
  std::vector<AccountId> ids;
  TaskGroup group;
  for (unsigned i = 0; i < 20; ++i) {
    const std::string address = "u" + std::to_string(i % 10) + "@example.org";  // Each address twice.
    s.machine.shards.run(i % 2, [&] { group.start(Run::add(s.directory, address, ids)); });
  }
  REQUIRE(s.world.run_until([&] { return group.empty(); }));
  std::ranges::sort(ids);
  CHECK(ids.size() == 10);
  CHECK(std::ranges::adjacent_find(ids) == ids.end());
  CHECK(s.directory.accounts()->size() == 10);
}

TEST_CASE("what look-ups keep in memory is never older than a change, also one that was broken off at any step") {
  for (std::size_t steps = 0; steps < 40; ++steps) {
    Stage stage;
    stage.add("anne@example.org");
    CHECK(stage.where("anne", "example.org") == "account 1");
    {
      struct Run {
        static Task<void> remove(StoreDirectory& directory) {
          auto removed = co_await directory.remove_account("anne@example.org", UtcTime{});
          CHECK(removed);
        }
      };
      TaskGroup group;
      stage.machine.shards.run(0, [&] { group.start(Run::remove(stage.directory)); });
      for (std::size_t i = 0; i < steps; ++i) {
        stage.where("anne", "example.org");
        stage.world.timeline.step();
      }
    }
    stage.world.run_for(1s);  // A commit that had been sent on its way arrives.
    const StoreDirectory truth(*stage.engine, stage.machine.shards, stage.machine.random, example_settings());
    const bool there = truth.resolve("anne", "example.org")->kind == Target::Kind::account;
    CHECK_FALSE(there);
    CHECK(stage.where("anne", "example.org") == "nobody");
    CHECK_FALSE(stage.directory.account(AccountId(1))->has_value());
  }
}

TEST_CASE("a change that cannot be made durable fails and changes nothing") {
  Stage s;
  s.engine->fail_commits(1);
  CHECK(!s.finish(s.directory.add_account({"anne@example.org", {"x"}, "", {}, false})));
  CHECK(s.where("anne", "example.org") == "nobody");
  s.add("anne@example.org");
}

TEST_CASE("records survive being cut at every octet, and rot") {
  AccountRecord record;
  record.account = {AccountId{5}, "a@example.org", "Anne", 1000, true, {"a@example.org", "b@example.org"}};
  record.password_phc = "$argon2id$...";
  record.scram_salt = std::string("\0\1", 2);
  const std::string whole = write(record);
  CHECK(read_account(AccountId{5}, whole)->account.addresses == record.account.addresses);
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(!read_account(AccountId{5}, whole.substr(0, size)));
  CHECK(!read_account(AccountId{5}, whole + "x"));
  CHECK(!read_account(AccountId{5}, "\2" + whole.substr(1)));
  const std::string alias = write(AddressRecord{AccountId{}, {"x@y", "z@y"}});
  for (std::size_t size = 0; size < alias.size(); ++size) CHECK(!read_address(alias.substr(0, size)));
  CHECK(read_address(alias)->targets.size() == 2);
  CHECK(!read_domain(""));
}

TEST_CASE("logins: by any address of the account, by the bare name when it is unambiguous, in any case") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  s.add("paul@example.org");
  s.add("paul@other.example");
  CHECK(s.login("anne@example.org", "secret").value() == anne);
  CHECK(s.login("ANNE@Example.org", "secret").value() == anne);
  CHECK(s.login("anne", "secret").value() == anne);
  CHECK(s.login("anne@example.org", "secret").value() == anne);  // From memory.
  CHECK(!s.login("paul", "secret").value());
  CHECK(!s.login("anne@example.org", "Secret").value());
  CHECK(!s.login("anne@example.org", "").value());
  CHECK(!s.login("anne+x@example.org", "secret").value());
  CHECK(!s.login("ghost@example.org", "secret").value());
  CHECK(!s.login("", "").value());
  CHECK(!s.login(std::string(100000, 'a'), "x").value());
  CHECK(!s.login("anne@example.org", std::string(100000, 'a')).value());
}

TEST_CASE("a new password is in force at once, a disabled account is out at once") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  CHECK(s.login("anne@example.org", "secret").value() == anne);
  CHECK(s.finish(s.directory.set_password("anne@example.org", {"next"}, false)));
  CHECK(!s.login("anne@example.org", "secret").value());
  CHECK(s.login("anne@example.org", "next").value() == anne);
  CHECK(s.finish(s.directory.set_enabled("anne@example.org", false)));
  CHECK(!s.login("anne@example.org", "next").value());
  CHECK(!s.authenticator.scram_verifier("anne@example.org", "SCRAM-SHA-256")->account);
}

TEST_CASE("guessing slows down; the same wrong password again does not count") {
  Stage s;
  s.add("anne@example.org");
  int refused_unseen = 0;
  for (int i = 0; i < 40; ++i) {
    const auto outcome = s.login("anne@example.org", "guess " + std::to_string(i));
    if (!outcome) ++refused_unseen;
  }
  CHECK(refused_unseen > 20);
  // The right password from there has to wait too, from elsewhere not.
  CHECK(!s.login("anne@example.org", "secret"));
  CHECK(s.login("anne@example.org", "secret", IpAddress::v4(192, 0, 2, 2)).value());
  s.world.run_for(61s);
  CHECK(s.login("anne@example.org", "secret").value());

  for (int i = 0; i < 40; ++i) CHECK(s.login("anne", "old", IpAddress::v4(192, 0, 2, 3)).has_value());
}

TEST_CASE("a source that logged in well is never refused, whatever it tries later") {
  Stage s;
  s.add("anne@example.org");
  CHECK(s.login("anne@example.org", "secret").value());
  for (int i = 0; i < 40; ++i) CHECK(s.login("anne@example.org", "guess " + std::to_string(i)).has_value());
  CHECK(s.login("anne@example.org", "secret").value());
}

TEST_CASE("the brake forgets after an hour and is bounded") {
  Brake brake(100);
  const Instant start{1'000'000'000'000};
  for (int i = 0; i < 10; ++i) brake.went_wrong("a", std::to_string(i), start);
  CHECK(!brake.may_try("a", start + 59s));
  CHECK(brake.may_try("a", start + 60s));
  CHECK(brake.went_wrong("a", "x", start + 2h).hold == 500ms);
  CHECK(brake.went_wrong("a", "x", start + 2h).again);
  CHECK(brake.went_wrong("a", "y", start + 2h).hold == 1s);
  for (int i = 0; i < 1000; ++i) brake.went_wrong("b" + std::to_string(i), "x", start);
  CHECK(brake.may_try("a", start + 2h));  // Gone for others.
  brake.went_well("g", start);
  for (int i = 0; i < 10; ++i) CHECK(brake.went_wrong("g", std::to_string(i), start + 1s).hold <= 1s);
  CHECK(brake.may_try("g", start + 2s));
  const auto v6 = [](std::string_view text) { return Brake::source(*IpAddress::parse(text), "l"); };
  CHECK(v6("2001:db8::1") == v6("2001:db8::ffff:2"));
  CHECK(v6("2001:db8::1") != v6("2001:db8:0:1::1"));
}

TEST_CASE("a budget of guesses: half at once, the rest over the hour, and it is bounded") {
  GuessBudget budget(100, 10);
  const Instant start{1'000'000'000'000};
  int taken = 0;
  for (int second = 0; second < 3600; ++second) {
    for (int i = 0; i < 5; ++i) taken += budget.take("a", start + Duration(1s) * second) ? 1 : 0;
  }
  CHECK(taken == 99);  // The hundredth comes back with the hour.
  REQUIRE(budget.used(start + 1h).size() == 1);
  CHECK(budget.used(start + 1h)[0].guesses == 49);
  CHECK(budget.used(start + 3h).empty());
  for (int i = 0; i < 50; ++i) CHECK(budget.take("b", start));
  CHECK_FALSE(budget.take("b", start));
  budget.give_back("b", 72s);
  CHECK(budget.take("b", start));
  CHECK_FALSE(budget.take("b", start));
  CHECK(budget.used(start)[0].all);
  CHECK(budget.clear("b"));
  CHECK_FALSE(budget.clear("b"));
  CHECK(budget.take("b", start));
  const auto ten_times = [](const std::string&) { return std::int64_t{10}; };
  for (int i = 0; i < 500; ++i) {
    CHECK(budget.take("c", start, 10) == Duration(7200ms));
    CHECK(budget.used(start, ten_times)[0].guesses == i + 1);
    CHECK(budget.used(start, ten_times)[0].all == (i == 499));
  }
  CHECK_FALSE(budget.take("c", start, 10));
  for (int i = 0; i < 100; ++i) budget.take("d" + std::to_string(i), start);
  CHECK(budget.used(start).size() <= 10);
}

TEST_CASE("what a guess has cost its network is given back whole, whatever guesses cost by then") {
  const Instant start{1'000'000'000'000};
  const auto from = IpAddress::v4(192, 0, 2, 7);
  NetworkBrake brake(100);
  const auto before = brake.take(from, start);
  REQUIRE(before);
  brake.went_well(from, start);  // By somebody else: guesses cost a tenth from now on.
  brake.give_back(from, *before);
  CHECK(brake.used(start).empty());
  for (int i = 0; i < 20; ++i) CHECK(brake.take(from, start) == *before / 10);
  REQUIRE(brake.used(start).size() == 1);
  CHECK(brake.used(start)[0].guesses == 20);
  CHECK_FALSE(brake.used(start)[0].all);
  for (int i = 20; i < 500; ++i) CHECK(brake.take(from, start));
  CHECK_FALSE(brake.take(from, start));
  CHECK(brake.used(start)[0].guesses == 500);
  CHECK(brake.used(start)[0].all);
  CHECK(brake.take(IpAddress::loopback(), start) == Duration::zero());
}

// RELIABILITY S14: 10,000 guesses from 1,000 addresses on 100 accounts within one hour.
TEST_CASE("guessing from many addresses: at most 100 an hour are looked at for each account, the owner stays in") {
  Stage s(0s);
  std::vector<std::string> logins;
  for (int i = 0; i < 100; ++i) logins.push_back("user" + std::to_string(i) + "@example.org");
  for (const auto& login : logins) s.add(login);
  const auto home = IpAddress::v4(203, 0, 113, 9);
  CHECK(s.login(logins[0], "secret", home).value());
  const Instant start = s.machine.clock.now();
  std::map<std::string, int> looked_at;
  for (int i = 0; i < 10'000; ++i) {
    const auto& login = logins[i % 100 < 50 ? 0 : static_cast<std::size_t>(i % 100)];
    // Each address in a /24 of its own.
    const auto from =
        IpAddress::v4(10, static_cast<std::uint8_t>(i % 1000 / 250), static_cast<std::uint8_t>(i % 250), 1);
    if (s.login(login, "guess " + std::to_string(i), from)) ++looked_at[login];
    if (i % 1000 == 999) CHECK(s.login(logins[0], "secret", home).value());  // Whatever others do.
  }
  for (const auto& [login, count] : looked_at) {
    CAPTURE(login);
    CHECK(count <= 51 + (s.machine.clock.now() - start) / 72s);  // 50 at once, 50 an hour.
  }
  CHECK(looked_at[logins[0]] >= 50);
  // From a new place the owner waits like everybody while it lasts, but not for ever.
  for (int i = 0;
       s.login(logins[0], "more " + std::to_string(i), IpAddress::v4(10, 9, static_cast<std::uint8_t>(i), 1));) {
    REQUIRE(++i < 60);
  }
  CHECK_FALSE(s.login(logins[0], "secret", IpAddress::v4(203, 0, 113, 10)));
  s.world.run_for(2min);
  CHECK(s.login(logins[0], "secret", IpAddress::v4(203, 0, 113, 10)).value());
}

TEST_CASE("spraying: one password on many accounts from one network ends, people known there stay in") {
  Stage s(0s);
  const auto anne = s.add("anne@example.org");
  s.add("paul@example.org");
  CHECK(s.login("paul@example.org", "secret", IpAddress::v4(198, 51, 100, 7)).value());
  const auto spray = [&](auto address) {
    int looked_at = 0;
    for (int i = 0; i < 3000; ++i) {
      if (s.login("ghost" + std::to_string(i) + "@example.org", "Winter2026", address(i))) ++looked_at;
    }
    return looked_at;
  };
  const auto from_v4 = [](int i) { return IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(i % 250 + 1)); };
  CHECK(spray(from_v4) <= 200);
  CHECK_FALSE(s.login("anne@example.org", "secret", IpAddress::v4(192, 0, 2, 9)));
  CHECK(s.login("anne@example.org", "secret", IpAddress::v4(192, 0, 3, 9)).value() == anne);
  const auto from_v6 = [](int i) {
    auto address = *IpAddress::parse("2001:db8::");
    address.octets[9] = static_cast<std::uint8_t>(i % 256);  // All of one /64.
    return address;
  };
  CHECK(spray(from_v6) <= 200);
  CHECK_FALSE(s.login("anne@example.org", "secret", *IpAddress::parse("2001:db8::77")));
  CHECK(s.login("anne@example.org", "secret", *IpAddress::parse("2001:db8:0:1::77")).value() == anne);
  // A network that people log in from has ten times as many, and they are not asked to wait at all.
  const auto from_good = [](int i) { return IpAddress::v4(198, 51, 100, static_cast<std::uint8_t>(i % 250 + 1)); };
  const int good = spray(from_good);
  CHECK(good > 900);
  CHECK(good <= 2000);
  CHECK(s.login("paul@example.org", "secret", IpAddress::v4(198, 51, 100, 7)).value());
  // What is on loopback is a proxy or webmail of many people.
  CHECK(spray([](int) { return IpAddress::loopback(); }) == 3000);
}

TEST_CASE("many guesses at the same moment are not more than one after the other") {
  Stage s(0s);
  s.add("anne@example.org");
  struct Run {
    static Task<void> one(Authenticator& a, int i, int& looked_at, int& ended) {
      const auto from = IpAddress::v4(10, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(i % 250), 1);
      const auto outcome = co_await a.check_password("anne@example.org", {"guess " + std::to_string(i)}, from);
      looked_at += outcome ? 1 : 0;
      ++ended;
    }
  };
  int looked_at = 0;
  int ended = 0;
  TaskGroup group;
  s.machine.shards.run(1, [&] {
    for (int i = 0; i < 1000; ++i) group.start(Run::one(s.authenticator, i, looked_at, ended));
  });
  REQUIRE(s.world.run_until([&] { return ended == 1000; }));
  CHECK(looked_at <= 50);
}

TEST_CASE("an old phone with a wrong password locks nobody out, and is only made slower") {
  Stage s(0s);
  s.add("anne@example.org");
  const auto home = IpAddress::v4(203, 0, 113, 9);
  // Never logged in well from here: the same wrong password all day counts once.
  for (int i = 0; i < 500; ++i) {
    CHECK(s.login("anne@example.org", "old", home).has_value());
    s.world.run_for(1min);
  }
  CHECK(s.login("anne@example.org", "secret", home).value());
  // And from a good address guesses come one a second, however many connections make them.
  const Instant start = s.machine.clock.now();
  for (int i = 0; i < 60; ++i) CHECK(s.login("anne@example.org", "guess " + std::to_string(i), home).has_value());
  CHECK(s.machine.clock.now() - start > 50s);
  CHECK(s.login("anne@example.org", "secret", home).value());
}

TEST_CASE("what is held back can be seen and let go") {
  Stage s(0s);
  s.add("anne@example.org");
  for (int i = 0; i < 150; ++i) (void)s.login("x" + std::to_string(i), "x", *IpAddress::parse("2001:db8::1"));
  for (int i = 0; i < 60; ++i) {
    (void)s.login("anne@example.org", "guess " + std::to_string(i),
                  IpAddress::v4(10, 0, static_cast<std::uint8_t>(i), 1));
  }
  const auto find = [&](const std::string& name) {
    const auto all = s.finish(s.authenticator.guesses());
    const auto found = std::ranges::find_if(all, [&](const Guesses& one) { return one.name == name; });
    return found == all.end() ? Guesses{} : *found;
  };
  CHECK(find("anne@example.org").wrong == 50);
  CHECK(find("anne@example.org").held);
  CHECK(find("2001:db8::/64").wrong > 90);
  CHECK(find("2001:db8::/64").of == Guesses::Of::network);
  CHECK(find("10.0.49.1 anne@example.org").wrong == 1);
  CHECK(find("10.0.49.0/24").wrong == 1);
  CHECK_FALSE(s.login("anne@example.org", "secret", IpAddress::v4(203, 0, 113, 9)));
  CHECK(s.finish(s.authenticator.forget_guesses("anne@example.org")) == 1);
  CHECK(s.login("anne@example.org", "secret", IpAddress::v4(203, 0, 113, 9)).value());
  CHECK(s.finish(s.authenticator.forget_guesses("nobody at all")) == 0);
  CHECK(s.finish(s.authenticator.forget_guesses("2001:db8::/64")) == 1);
  CHECK(s.login("anne@example.org", "secret", *IpAddress::parse("2001:db8::2")).value());
  CHECK(s.finish(s.authenticator.forget_guesses("10.0.49.1 anne@example.org")) == 1);
  CHECK(s.finish(s.authenticator.forget_guesses("")) > 50);
  CHECK(s.finish(s.authenticator.guesses()).empty());
}

TEST_RFC("5802 §3", "the stored keys verify the password's proof, and made-up ones stay the same") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  const auto verifier = s.authenticator.scram_verifier("anne@example.org", "SCRAM-SHA-256");
  REQUIRE(verifier.has_value());
  CHECK(verifier->account == anne);
  const auto keys = crypto::scram_keys(crypto::ScramHash::sha256, "secret", verifier->salt, verifier->iterations);
  CHECK(keys.stored_key == verifier->stored_key);
  CHECK(keys.server_key == verifier->server_key);
  const auto ghost = s.authenticator.scram_verifier("ghost@example.org", "SCRAM-SHA-256");
  const auto again = s.authenticator.scram_verifier("GHOST@example.org", "SCRAM-SHA-256-PLUS");
  REQUIRE(ghost.has_value());
  CHECK(!ghost->account);
  CHECK(ghost->salt == again->salt);
  CHECK(ghost->salt.size() == verifier->salt.size());
  CHECK(ghost->stored_key.size() == verifier->stored_key.size());
  CHECK(!s.authenticator.scram_verifier("anne@example.org", "SCRAM-MD5"));
}

TEST_CASE("the password itself is kept only for those who opted in") {
  Stage s;
  s.add("anne@example.org");
  CHECK(!s.authenticator.any_shared_secret());
  CHECK(!s.authenticator.shared_secret("anne@example.org").value());
  s.add("paul@example.org", "hunter2", true);
  CHECK(s.authenticator.any_shared_secret());
  CHECK(s.authenticator.shared_secret("paul")->value().secret.value == "hunter2");
  CHECK(s.finish(s.directory.set_password("paul@example.org", {"next"}, false)));
  CHECK(!s.authenticator.any_shared_secret());
}

TEST_CASE("of exchanges at the same time, each gives back what it has taken and nothing else") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  struct Run {
    static Task<Result<void>> end(Authenticator& a, IpAddress from, AccountId account, GuessCost cost) {
      co_await a.attempt_finished("anne@example.org", from, account, cost);
      co_return Result<void>();
    }
  };
  const auto from = IpAddress::v4(192, 0, 2, 9);
  const auto begin = [&] { return s.finish(s.authenticator.may_attempt("anne@example.org", from)).value(); };
  const auto end_well = [&](GuessCost cost) { CHECK(s.finish(Run::end(s.authenticator, from, anne, cost))); };
  const auto one = begin();
  const auto two = begin();
  CHECK(s.finish(s.authenticator.guesses()).size() == 2);  // Of the login and of the network.
  end_well(one);
  end_well(two);  // The source is known to be good now, and was not when this one began.
  CHECK(s.finish(s.authenticator.guesses()).empty());
  const auto three = begin();  // Costs nothing.
  s.world.run_for(24h * 31);   // And is no good source any more.
  const auto refused = s.login("anne@example.org", "wrong", IpAddress::v4(198, 51, 100, 7));
  REQUIRE(refused.has_value());
  CHECK_FALSE(refused->has_value());
  const auto wrong = [&] {
    const auto all = s.finish(s.authenticator.guesses());
    return std::ranges::count_if(all,
                                 [](const Guesses& one) { return one.of == Guesses::Of::login && one.wrong == 1; });
  };
  CHECK(wrong() == 1);
  end_well(three);
  CHECK(wrong() == 1);
}

TEST_CASE("the proofs of exchanges computed elsewhere are braked too") {
  Stage s;
  const auto anne = s.add("anne@example.org");
  struct Run {
    static Task<Result<void>> attempt(Authenticator& a, std::optional<AccountId> outcome) {
      auto may = co_await a.may_attempt("anne@example.org", IpAddress::v4(192, 0, 2, 9));
      if (!may) co_return failed(may);
      co_await a.attempt_finished("anne@example.org", IpAddress::v4(192, 0, 2, 9), outcome, *may);
      co_return Result<void>();
    }
  };
  int refused = 0;
  for (int i = 0; i < 20; ++i) refused += s.finish(Run::attempt(s.authenticator, std::nullopt)) ? 0 : 1;
  CHECK(refused > 5);
  s.world.run_for(61s);
  CHECK(s.finish(Run::attempt(s.authenticator, anne)));
  for (int i = 0; i < 20; ++i) CHECK(s.finish(Run::attempt(s.authenticator, std::nullopt)));
}
