// The acceptance test of the data model (DATA-MODEL.md section 6): random operations of all protocols, and readers that
// must always converge; on a map, and on the engines.
#include <cstdlib>
#include <deque>

#include "mailbox/model_test.hpp"
#include "store/worlds_test.hpp"

using namespace facteur;
using namespace facteur::mailbox;

namespace {

// An engine, with commits on their way that transactions already build on (DECISIONS.md 11).
template <class World>
class EngineKeeper final : public model::Keeper {
 public:
  explicit EngineKeeper(std::uint64_t seed) : world_(seed), durable_(world_.engine().latest()), pending_(durable_) {}
  ~EngineKeeper() override { settle(); }

  const KeyValue& durable() const override { return durable_; }
  const KeyValue& pending() const override { return pending_; }
  void commit(Layer layer, store::Batch batch) override {
    pending_.take(std::move(layer), ++number_);
    ++in_flight_;
    world_.shards().on(0, [&] { tasks_.start(carry_out(std::move(batch), number_)); });
    if (in_flight_ >= 16) settle();
  }
  void settle() override {
    while (in_flight_ > 0) model::require(world_.shards().step(), "a commit never came back");
  }

 private:
  Task<void> carry_out(store::Batch batch, std::uint64_t number) {
    auto result = co_await world_.engine().commit(std::move(batch));
    --in_flight_;
    model::must(std::move(result), "commit");
    pending_.forget(number);
  }

  World world_;
  Stored durable_;
  Pending pending_;
  std::uint64_t number_ = 0;
  std::size_t in_flight_ = 0;
  TaskGroup tasks_;
};

// The seed of the first failure, with what failed.
template <class Keeper>
std::string first_failure(std::uint64_t from, std::uint64_t seeds, model::Run parameters) {
  for (std::uint64_t seed = from; seed < from + seeds; ++seed) {
    parameters.seed = seed;
    try {
      if constexpr (std::is_default_constructible_v<Keeper>) {
        Keeper keeper;
        model::run(keeper, parameters);
      } else {
        Keeper keeper(seed);
        model::run(keeper, parameters);
      }
    } catch (const model::Broken& broken) {
      return "seed " + std::to_string(seed) + ": " + broken.what;
    }
  }
  return "none";
}

}  // namespace

TEST_CASE("acceptance: Every reader of every protocol sees what the server has, whatever happens") {
  CHECK(first_failure<model::MapKeeper>(0, 30, {.sync_per_mille = 60}) == "none");  // 45,000 operations.
}

TEST_CASE("acceptance: The same over the engine in memory, with many commits on their way") {
  // 200,000 operations.
  CHECK(first_failure<EngineKeeper<store::MemoryWorld>>(
            1000, 40, {.operations = 5000, .check_every = 500, .sync_per_mille = 4}) == "none");
}

TEST_CASE("acceptance: The same over the log with the simulator's map as index") {
  // 200,000 operations.
  CHECK(first_failure<EngineKeeper<store::LogWorld>>(
            3000, 40, {.operations = 5000, .check_every = 1250, .sync_per_mille = 2}) == "none");
}

TEST_CASE("acceptance: The same over the log with RocksDB as index") {
  // A disk in memory where there is one: 200,000 operations are many syncs.
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before ? before : "";
  if (std::filesystem::exists("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
  CHECK(first_failure<EngineKeeper<store::RocksWorld>>(
            2000, 40, {.operations = 5000, .check_every = 1250, .sync_per_mille = 2}) == "none");
  before ? ::setenv("TMPDIR", kept.c_str(), 1) : ::unsetenv("TMPDIR");
}

TEST_CASE(
    "acceptance: R18, RFC 9051 §2.3.1.1, RFC 7162: The same when all is lost now and then, and comes out of a backup") {
  CHECK(first_failure<model::MapKeeper>(5000, 30, {.sync_per_mille = 100, .restore_per_mille = 10}) == "none");
}

TEST_CASE("acceptance: A backup that is restored as it was is noticed by the readers") {
  model::Run parameters{.sync_per_mille = 100, .restore_per_mille = 10, .planted_plain_restore = true};
  for (std::uint64_t seed = 5000; seed < 5010; ++seed) {
    const auto noticed = first_failure<model::MapKeeper>(seed, 1, parameters);
    CHECK(noticed.find(": imap: ") + noticed.find(": jmap: ") + noticed.find(": dav: ") + noticed.find(": ics: ") !=
          4 * std::string::npos);
  }
}

TEST_CASE("acceptance: One modseq for a whole commit is noticed, by the invariants and by the readers alone") {
  const auto noticed = first_failure<model::MapKeeper>(0, 1, {.planted_one_modseq_per_commit = true});
  CHECK(noticed.starts_with("seed 0: invariant: "));
  const auto read = first_failure<model::MapKeeper>(0, 1, {.check_every = 0, .planted_one_modseq_per_commit = true});
  CHECK(read.starts_with("seed 0: "));
  CHECK(read.find("invariant") == std::string::npos);
}
