// What the mailbox layer costs: a delivery, and a mailbox of 100,000 messages. Everything runs on one thread (shards,
// log and pool in turn) over the embedded engine with RocksDB, on a disk in memory where there is one ($TMPDIR
// otherwise): what is measured is processor time, not the disk. `deliver_core` is the share of this layer alone.
#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <time.h>

#include <chrono>
#include <filesystem>
#include <iostream>

#include "crypto/hash.hpp"
#include "host/disk.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/thread_keys.hpp"
#include "mailbox/transaction.hpp"
#include "message/structure.hpp"
#include "sim/random.hpp"
#include "store/embedded_engine.hpp"
#include "store/stage_test.hpp"

namespace {

using namespace facteur;
using namespace facteur::mailbox;

constexpr AccountId anne{7};
constexpr std::size_t many = 100'000;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }
  // Of this thread's processor: less disturbed by others, and without what RocksDB has done in the background.
  double cpu_seconds() const { return cpu() - cpu_begin_; }

 private:
  static double cpu() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  }
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double cpu_begin_ = cpu();
};

[[noreturn]] void stop(const Failure& why) {
  std::cerr << why.code << ' ' << why.text << ' ' << why.cause << '\n';
  abort();
}

std::string message(std::uint64_t number, std::size_t size) {
  std::string text = "Return-Path: <sender" + std::to_string(number % 97) + "@example.net>\r\nFrom: \"Somebody " +
                     std::to_string(number % 97) + "\" <sender@example.net>\r\nTo: Anne <anne@example.org>\r\n" +
                     "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nSubject: A subject as long as subjects are, number " +
                     std::to_string(number) + "\r\nMessage-ID: <" + std::to_string(number) +
                     "@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
  while (text.size() < size) text += "A line of text, and what is in it does not matter at all to anybody.\r\n";
  return text;
}

class Stage {
 public:
  Stage() {
    const std::filesystem::path base =
        std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string name = (base / "facteur-bench-XXXXXX").string();
    if (!::mkdtemp(name.data())) abort();
    folder_ = name;
    auto disk = host::Disk::open_root(folder_);
    if (!disk) stop(disk.error());
    disk_ = std::move(*disk);
    store::EngineSizes sizes;
    sizes.ballast_bytes = 0;
    sizes.low_space_bytes = 1 << 20;
    auto opened = store::open({.disk = *disk_,
                               .shards = shards,
                               .clock = clock,
                               .random = random_,
                               .scope = observe::Scope(sink_),
                               .sizes = sizes});
    if (!opened) stop(opened.error());
    engine = std::move(*opened);
    restart();
    get(mailboxes->create_account(anne));
  }
  ~Stage() {
    shards.run();
    mailboxes = nullptr;
    shards.drop_all();
    engine = nullptr;
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void restart() {
    shards.run();
    mailboxes = make_mailboxes(*engine, shards, clock, random_, observe::Scope(sink_), message::make_structure);
  }
  template <class T>
  T get(Task<Result<T>> task) {
    auto result = store::stage::finish(shards, std::move(task), 0);
    if (!result) abort();
    if (!*result) stop(result->error());
    if constexpr (!std::is_void_v<T>) return std::move(**result);
  }
  MailboxId box(const char* path) { return get(mailboxes->find(anne, path))->id; }
  void fill(MailboxId mailbox, std::size_t count) {
    for (std::size_t done = 0; done < count; done += 1000) {
      std::vector<std::pair<NewMessage, Placing>> messages(1000);
      for (auto& [one, placing] : messages) one.octets = message(++made_, 600);
      get(mailboxes->append(anne, mailbox, std::move(messages)));
    }
    shards.run();
  }
  // The mailbox of 100,000 messages; made at the first call.
  MailboxId large() {
    if (!large_) {
      large_ = get(mailboxes->create(anne, "Large"));
      fill(large_, many);
    }
    return large_;
  }

  store::stage::Shards shards{1, 1};
  store::stage::Clock clock{shards};
  std::unique_ptr<store::EmbeddedEngine> engine;
  std::unique_ptr<Mailboxes> mailboxes;

 private:
  std::string folder_;
  observe::NullSink sink_;
  sim::Random random_{1};
  std::unique_ptr<host::Disk> disk_;
  MailboxId large_;
  std::uint64_t made_ = 0;
};

Stage& stage() {
  static Stage one;
  return one;
}

std::vector<Uid> first_uids(std::size_t count) {
  std::vector<Uid> uids;
  for (std::size_t i = 1; i <= count; ++i) uids.emplace_back(static_cast<std::uint32_t>(i));
  return uids;
}

// The transaction of one delivery, without engine, hash and structure record: from nothing to a batch, and what is done
// when it is durable.
void deliver_core(benchmark::State& state) {
  Stage& s = stage();
  const MailboxId inbox = s.box("INBOX");
  const Stored stored(s.engine->latest());
  auto account = AccountState::load(stored, anne);
  if (!account) stop(account.error());
  Pending pending(stored);
  const std::string text = message(1, 10'000);
  const std::string structure = message::make_structure("", text);
  std::uint64_t number = 0;
  for (auto _ : state) {
    Transaction transaction(anne, *account, pending, {.now = s.clock.utc()});
    Transaction::NewItem item;
    item.size = static_cast<std::uint32_t>(text.size());
    item.prefix = std::string(300, 'p');
    item.structure = structure;
    item.thread_keys = thread_keys(text);
    item.thread_keys[0] += ++number;
    const auto made = transaction.make_item(std::move(item));
    if (!transaction.place(*made, inbox)) abort();
    store::Batch batch;
    const auto effects = transaction.finish(batch);
    if (!effects) stop(effects.error());
    pending.take(transaction.take_layer(), number);
    account->apply(*effects);
    benchmark::DoNotOptimize(batch.operations.data());
    if (number > 32) pending.forget(number - 32);
  }
}
BENCHMARK(deliver_core)->Unit(benchmark::kMicrosecond);

void structure_record(benchmark::State& state) {
  const std::string text = message(1, 10'000);
  for (auto _ : state) benchmark::DoNotOptimize(message::make_structure("", text));
}
BENCHMARK(structure_record)->Unit(benchmark::kMicrosecond);

// All of it: hash, structure record, transaction, log, index; 32 at a time, as from many connections.
Task<void> file_one(Stage& s, std::string text) {
  NewMessage one;
  one.octets = std::move(text);
  std::vector<Placing> placings(1);
  placings[0].account = anne;
  auto filed = co_await s.mailboxes->file(std::move(one), std::move(placings));
  if (!filed) stop(filed.error());
}
void deliver_all(benchmark::State& state) {
  Stage& s = stage();
  std::uint64_t number = 1'000'000;
  for (auto _ : state) {
    TaskGroup group;
    for (int i = 0; i < 32; ++i) group.start(file_one(s, message(++number, 10'000)));
    while (!group.empty()) s.shards.step();
  }
  state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(deliver_all)->Unit(benchmark::kMicrosecond);

void select_cold(benchmark::State& state) {
  Stage& s = stage();
  const MailboxId large = s.large();
  for (auto _ : state) {
    s.restart();
    const Stopwatch watch;
    const auto view = s.get(s.mailboxes->view(anne, large));
    if (view->size() != many) abort();
    benchmark::DoNotOptimize(view->uidnext());
    state.SetIterationTime(watch.seconds());
  }
}
BENCHMARK(select_cold)->UseManualTime()->Iterations(20)->Unit(benchmark::kMillisecond);

void rows_cold(benchmark::State& state) {
  Stage& s = stage();
  const MailboxId large = s.large();
  for (auto _ : state) {
    s.restart();
    const auto view = s.get(s.mailboxes->view(anne, large));
    const Stopwatch watch;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < view->size(); ++i) {
      const Row row = view->row(i);
      sum += row.uid.value + row.modseq.value + row.flags.bits;
    }
    benchmark::DoNotOptimize(sum);
    state.SetIterationTime(watch.seconds());
  }
}
BENCHMARK(rows_cold)->UseManualTime()->Iterations(20)->Unit(benchmark::kMillisecond);

void rows_loaded(benchmark::State& state) {
  Stage& s = stage();
  const auto view = s.get(s.mailboxes->view(anne, s.large()));
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < view->size(); ++i) {
      const Row row = view->row(i);
      sum += row.uid.value + row.modseq.value + row.flags.bits;
    }
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(rows_loaded)->Unit(benchmark::kMillisecond);

void structures_all(benchmark::State& state) {
  Stage& s = stage();
  const auto view = s.get(s.mailboxes->view(anne, s.large()));
  benchmark::DoNotOptimize(view->row(0));
  for (auto _ : state) {
    std::uint64_t octets = 0;
    std::size_t count = 0;
    const std::function<bool(std::size_t, Bytes)> visit = [&](std::size_t, Bytes record) {
      octets += record.size();
      count += record.empty() ? 0 : 1;
      return true;
    };
    s.get(s.mailboxes->structures(anne, view, 0, view->size(), {.envelope = true}, visit));
    if (count != many) abort();
    benchmark::DoNotOptimize(octets);
  }
}
BENCHMARK(structures_all)->Unit(benchmark::kMillisecond);

void store_flags_all(benchmark::State& state) {
  Stage& s = stage();
  const MailboxId large = s.large();
  const auto uids = first_uids(many);
  FlagChange change = FlagChange::add;
  for (auto _ : state) {
    s.get(s.mailboxes->store_flags(anne, large, uids, change, Flags::seen, {}));
    change = change == FlagChange::add ? FlagChange::remove : FlagChange::add;
  }
}
BENCHMARK(store_flags_all)->Iterations(2)->Unit(benchmark::kMillisecond);

void copy_and_expunge(benchmark::State& state) {
  Stage& s = stage();
  const MailboxId large = s.large();
  const auto uids = first_uids(10'000);
  double copying = 0, marking = 0, expunging = 0, behind = 0;
  int round = 0;
  const auto rest = [&] {  // What goes on in the background when the command is done.
    const Stopwatch watch;
    s.shards.run();
    behind += watch.cpu_seconds();
  };
  for (auto _ : state) {
    const auto to = s.get(s.mailboxes->create(anne, "Copy " + std::to_string(++round)));
    const Stopwatch copy;
    const auto copied = s.get(s.mailboxes->copy(anne, large, uids, to));
    copying += copy.cpu_seconds();
    rest();
    const Stopwatch mark;
    s.get(s.mailboxes->store_flags(anne, to, copied.to, FlagChange::add, Flags::deleted, {}));
    marking += mark.cpu_seconds();
    const Stopwatch expunge;
    if (s.get(s.mailboxes->expunge(anne, to, std::nullopt)).size() != uids.size()) abort();
    expunging += expunge.cpu_seconds();
    rest();
  }
  state.counters["copy_cpu_ms"] = copying * 1000 / round;
  state.counters["mark_cpu_ms"] = marking * 1000 / round;
  state.counters["expunge_cpu_ms"] = expunging * 1000 / round;
  state.counters["behind_cpu_ms"] = behind * 1000 / round;
}
BENCHMARK(copy_and_expunge)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
