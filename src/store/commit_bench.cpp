// Commits a second, and processor time a commit: a body of 10 KiB (or 4 KiB, 64 KiB), 14 puts and 2 deletes, each
// durable before its writer goes on, on real shards and the real disk below $TMPDIR.
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>

#include "crypto/hash.hpp"
#include "host/world.hpp"
#include "store/embedded_engine.hpp"
#include "store/key.hpp"

namespace {

using namespace facteur;
using namespace facteur::store;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Stage {
 public:
  Stage() {
    std::string name = (std::filesystem::temp_directory_path() / "facteur-bench-XXXXXX").string();
    if (!::mkdtemp(name.data())) abort();
    folder_ = name;
    auto made = host::World::open({.root = folder_, .shards = 2});
    if (!made) abort();
    world = std::move(*made);
    reopen();
  }
  ~Stage() {
    engine = nullptr;
    world = nullptr;
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void reopen() {
    engine = nullptr;
    auto opened = open({.disk = *world->disk,
                        .shards = world->shards,
                        .clock = world->clock,
                        .random = world->random,
                        .scope = observe::Scope(sink),
                        .sizes = sizes});
    if (!opened) {
      std::cerr << opened.error().cause << "\n";
      abort();
    }
    engine = std::move(*opened);
  }

  observe::NullSink sink;
  EngineSizes sizes{.ballast_bytes = 0};  // Written once in the life of a store: not what is measured here.
  std::unique_ptr<host::World> world;
  std::unique_ptr<EmbeddedEngine> engine;

 private:
  std::string folder_;
};

struct Load {
  Engine& engine;
  host::World& world;
  std::size_t body;
  std::int64_t commits;
  std::atomic<std::int64_t> begun{0}, running{0}, failed{0};
  std::chrono::nanoseconds longest{0};
};

Batch message(std::uint64_t n) {
  Batch batch;
  for (char table = 'a'; table < 'o'; ++table) {
    const std::string value(table == 'a' ? 300 : 40, static_cast<char>('a' + n % 23));
    batch.put(Key(table).u32(static_cast<std::uint32_t>(n % 1000)).u64(n), value);
  }
  batch.remove(Key('a').u32(1).u64(n - 7));
  batch.remove(Key('c').u32(1).u64(n - 7));
  return batch;
}

Task<void> writer(Load& load) {
  std::string body(load.body, 'x');
  for (;;) {
    const std::int64_t n = load.begun++;
    if (n >= load.commits) break;
    const std::string unique = std::to_string(n) + std::to_string(load.engine.health() == Engine::Health::good);
    body.replace(0, unique.size(), unique);
    for (std::size_t i = 64; i < body.size(); i += 97)
      body[i] = static_cast<char>('a' + (n + static_cast<std::int64_t>(i)) % 26);
    auto upload = load.engine.upload();
    const auto appended = co_await upload->append(body);
    Batch batch = message(static_cast<std::uint64_t>(n));
    const BlobId id = upload->finish();
    batch.add_blob(std::move(upload));
    batch.reference(id, Key().u64(static_cast<std::uint64_t>(n)));
    const auto done = co_await load.engine.commit(std::move(batch));
    if (!appended || !done) ++load.failed;
  }
  if (--load.running == 0) load.world.stop();
}

void commits(benchmark::State& state) {
  Stage stage;
  for (auto _ : state) {
    const auto writers = static_cast<unsigned>(state.range(0));
    Load load{.engine = *stage.engine,
              .world = *stage.world,
              .body = static_cast<std::size_t>(state.range(1)),
              .commits = state.range(2)};
    load.running = writers;
    TaskGroup groups[2];
    for (unsigned i = 0; i < writers; ++i) {
      stage.world->shards.post(i % 2, [&load, &group = groups[i % 2]] { group.start(writer(load)); });
    }
    const double cpu = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    stage.world->run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(took.count());
    const auto n = static_cast<double>(load.commits);
    state.counters["commits/s"] = n / took.count();
    state.counters["cpu_us/commit"] = (cpu_seconds() - cpu) * 1e6 / n;
    const Statistics seen = stage.engine->statistics();
    state.counters["commits/sync"] = static_cast<double>(seen.commits) / static_cast<double>(seen.groups);
    state.counters["failed"] = static_cast<double>(load.failed);
  }
}

// A start after a crash: a million messages with small bodies, the index as it was when the process died.
void start_after_crash(benchmark::State& state) {
  Stage stage;
  Load load{.engine = *stage.engine, .world = *stage.world, .body = 200, .commits = state.range(0)};
  load.running = 200;
  TaskGroup groups[2];
  for (unsigned i = 0; i < 200; ++i) {
    stage.world->shards.post(i % 2, [&load, &group = groups[i % 2]] { group.start(writer(load)); });
  }
  stage.world->run();
  for (auto _ : state) {
    stage.engine = nullptr;
    const auto begin = std::chrono::steady_clock::now();
    stage.reopen();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(took.count());
    const Statistics seen = stage.engine->statistics();
    state.counters["replayed_MB"] = static_cast<double>(seen.replayed_bytes) / 1e6;
    state.counters["segments"] = seen.segments;
    state.counters["log_MB"] = static_cast<double>(seen.log_bytes) / 1e6;
  }
}

BENCHMARK(commits)
    ->ArgNames({"writers", "body", "commits"})
    ->Args({1, 10240, 5000})
    ->Args({10, 10240, 30000})
    ->Args({64, 4096, 60000})
    ->Args({100, 10240, 60000})
    ->Args({64, 65536, 10000})
    ->Iterations(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(start_after_crash)->Arg(1'000'000)->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
