#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "queue/queue.hpp"
#include "queue/record.hpp"
#include "sim/world.hpp"
#include "store/key.hpp"
#include "store/memory_engine.hpp"

using namespace facteur;
using namespace facteur::queue;

namespace {

using Status = Recipient::Status;

struct Fixture {
  sim::World world{7};
  sim::Machine machine{world, {}};
  std::unique_ptr<store::MemoryEngine> engine = store::make_memory_engine({machine.shards, machine.clock});
  std::unique_ptr<Queue> queue = restarted();

  std::unique_ptr<Queue> restarted() {
    return make_queue(*engine, machine.shards, machine.clock, machine.random, observe::Scope(world.events));
  }

  // Runs one task of the queue to its end.
  Result<void> run(Task<Result<void>> task) {
    TaskGroup tasks;
    std::optional<Result<void>> out;
    tasks.start(keep(std::move(task), out));
    REQUIRE(world.run_until([&] { return out.has_value(); }));
    return *out;
  }
  static Task<void> keep(Task<Result<void>> task, std::optional<Result<void>>& out) { out = co_await std::move(task); }

  Result<void> commit(store::Batch batch) { return run(engine->commit(std::move(batch))); }

  Entry enter(int recipients = 1) {
    Entry entry;
    entry.id = queue->new_id();
    entry.sender = "anne@example.org";
    auto upload = engine->upload();
    REQUIRE(run(upload->append("text " + std::to_string(entry.id.value))));
    entry.content = upload->finish();
    for (int i = 0; i < recipients; ++i) {
      Recipient recipient;
      recipient.address = "r" + std::to_string(i) + "@elsewhere.example";
      entry.recipients.push_back(recipient);
    }
    store::Batch batch;
    batch.add_blob(std::move(upload));
    queue->enter(entry, batch);
    REQUIRE(commit(std::move(batch)));
    return entry;
  }

  std::size_t records() {
    std::size_t count = 0;
    const auto prefix = prefix_of_all();
    REQUIRE(engine->latest().scan(prefix, store::behind(prefix), [&count](Bytes, Bytes) {
      ++count;
      return true;
    }));
    return count;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "queue: what was committed is there after a restart, the rest is not (Q0 to Q3)") {
  CHECK(queue->list()->empty());
  const auto entry = enter(3);
  store::Batch never_committed;
  Entry lost = entry;
  lost.id = queue->new_id();
  queue->enter(lost, never_committed);
  for (const auto* which : {"same", "restarted"}) {
    CAPTURE(which);
    const auto all = queue->list();
    REQUIRE(all);
    REQUIRE(all->size() == 1);
    CHECK(all->front().id == entry.id);
    CHECK(all->front().recipients.size() == 3);
    CHECK(all->front().recipients[2].address == "r2@elsewhere.example");
    CHECK(queue->find(entry.id)->has_value());
    CHECK_FALSE(queue->find(lost.id)->has_value());
    queue = restarted();
  }
}

TEST_CASE_FIXTURE(Fixture, "queue: settled recipients stay settled over a restart; the last one removes all (Q3, Q4)") {
  auto entry = enter(3);
  entry.recipients[1].status = Status::delivered;
  entry.recipients[0].attempts = 2;
  entry.recipients[0].next_try = UtcTime{99};
  REQUIRE(run(queue->settle(entry)));
  queue = restarted();
  const auto half = *queue->find(entry.id);
  REQUIRE(half);
  CHECK(half->recipients[0].status == Status::waiting);
  CHECK(half->recipients[0].attempts == 2);
  CHECK(half->recipients[0].next_try == UtcTime{99});
  CHECK(half->recipients[1].status == Status::delivered);
  CHECK(engine->content(entry.content)->has_value());
  entry.recipients[0].status = Status::failed;
  entry.recipients[2].status = Status::relayed;
  REQUIRE(run(queue->settle(entry)));
  CHECK(records() == 0);
  CHECK(queue->list()->empty());
}

TEST_CASE_FIXTURE(Fixture, "queue: a failed commit settles nothing") {
  auto entry = enter(1);
  entry.recipients[0].status = Status::delivered;
  engine->fail_commits(1);
  CHECK_FALSE(run(queue->settle(entry)));
  CHECK((*queue->find(entry.id))->recipients[0].status == Status::waiting);
}

TEST_CASE_FIXTURE(Fixture, "queue: settle after removal leaves nothing behind; added recipients are kept") {
  auto entry = enter(2);
  entry.recipients[0].status = Status::expanded;
  entry.recipients.push_back(entry.recipients[1]);
  entry.recipients[2].address = "new@elsewhere.example";
  REQUIRE(run(queue->settle(entry)));
  CHECK((*queue->find(entry.id))->recipients.size() == 3);
  CHECK((*queue->find(entry.id))->recipients[2].address == "new@elsewhere.example");
  REQUIRE(run(queue->remove(entry.id)));
  CHECK(records() == 0);
  entry.recipients[1].attempts = 1;
  REQUIRE(run(queue->settle(entry)));
  CHECK(records() == 0);
  CHECK_FALSE(run(queue->remove(entry.id)));
}

TEST_CASE_FIXTURE(Fixture, "queue: one damaged record among 1,000 is quarantined, the others go on (Q5)") {
  std::vector<Entry> entries;
  for (int i = 0; i < 1000; ++i) entries.push_back(enter());
  const auto damage = [this](const std::string& key, std::string value) {
    store::Batch batch;
    batch.put(key, value);
    REQUIRE(commit(std::move(batch)));
  };
  damage(envelope_key(entries[500].id), "rubbish");
  CHECK(queue->list()->size() == 999);
  damage(recipient_key(entries[10].id, 0), "");
  damage(recipient_key(entries[20].id, 2), write_recipient(entries[20].recipients[0]));  // Number 1 is missing.
  damage(prefix_of(entries[30].id) + '\x07', "x");
  const auto rest = queue->list();
  REQUIRE(rest);
  CHECK(rest->size() == 996);
  CHECK(std::ranges::none_of(*rest, [&](const Entry& entry) { return entry.id == entries[500].id; }));
  auto broken = queue->find(entries[500].id);
  REQUIRE_FALSE(broken);
  CHECK(broken.error().kind == Failure::Kind::corrupt);
  CHECK(queue->quarantined().size() == 4);
  CHECK(world.events.count("queue_record_quarantined") == 4);  // Once each, whatever often they are met.
  REQUIRE(run(queue->remove(entries[500].id)));
  CHECK(queue->list()->size() == 996);
}

TEST_CASE_FIXTURE(Fixture, "queue: recipient records without an envelope are nothing to do") {
  const auto entry = enter(1);
  store::Batch batch;
  batch.remove(envelope_key(entry.id));
  REQUIRE(commit(std::move(batch)));
  CHECK(queue->list()->empty());
  CHECK_FALSE(queue->find(entry.id)->has_value());
  CHECK(queue->quarantined().empty());
}

TEST_CASE_FIXTURE(Fixture, "queue: ids rise, also when the calendar steps back and after a restart") {
  QueueId last = enter().id;
  std::set<QueueId> all{last};
  for (int i = 0; i < 100; ++i) {
    if (i % 10 == 0) machine.clock.step_wall(i % 20 == 0 ? -1h : 10min);
    if (i % 25 == 0) queue = restarted();
    const auto id = enter().id;
    CHECK(id > last);
    last = id;
    all.insert(id);
  }
  CHECK(all.size() == 101);
}

TEST_CASE_FIXTURE(Fixture, "queue: hold, retry and remove are heard by the scheduler's shard") {
  const auto entry = enter(2);
  std::string heard;
  {
    const auto ear = queue->listen(1, [&](Queue::Change change) {
      CHECK(machine.shards.current() == 1);
      CHECK((change.id == entry.id || !change.id));
      heard += static_cast<char>('a' + static_cast<int>(change.kind));
      if (change.entry) CHECK(change.entry->recipients.size() == 2);
    });
    queue->accepted(entry);
    world.run_for(1s);
    REQUIRE(run(queue->hold(entry.id, true)));
    CHECK((*queue->find(entry.id))->held);
    CHECK((*queue->find(entry.id))->recipients.size() == 2);
    REQUIRE(run(queue->hold(entry.id, false)));
    CHECK_FALSE((*queue->find(entry.id))->held);
    REQUIRE(run(queue->retry(entry.id)));
    REQUIRE(run(queue->retry({})));
    REQUIRE(run(queue->remove(entry.id)));
    world.run_for(1s);
    CHECK(heard == "abcdde");
    queue->accepted(entry);
  }
  world.run_for(1s);
  CHECK(heard == "abcdde");
  CHECK_FALSE(run(queue->hold(entry.id, true)));
  CHECK_FALSE(run(queue->retry(entry.id)));
}
