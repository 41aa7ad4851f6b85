// A post office for tests: one machine with store, queue, directory and postman, which may crash and start again.
#pragma once

#include <doctest/doctest.h>

#include "delivery/delivery.hpp"
#include "delivery/fake_mailboxes_test.hpp"
#include "delivery/peer_test.hpp"
#include "routing/fake_directory_test.hpp"
#include "sim/world.hpp"
#include "store/memory_engine.hpp"

namespace facteur::delivery {

class Office {
 public:
  explicit Office(std::uint64_t seed) : world(seed), machine(world, {.addresses = {IpAddress::v4(10, 0, 0, 1)}}) {
    engine = store::make_memory_engine({machine.shards, machine.clock});
    mailboxes = std::make_unique<mailbox::FakeMailboxes>(*engine);
    directory.users = {{"anne@example.org", 1}, {"bob@example.org", 2}};
    parameters.hostname = "mx.example.org";
    parameters.our_addresses = {IpAddress::v4(10, 0, 0, 1)};
    routing.hostname = "mx.example.org";
    routing.postmaster = "anne@example.org";
  }
  ~Office() { stop(); }

  // A life of the postman: queue and delivery over the same store.
  void start() {
    queue = queue::make_queue(*engine, machine.shards, machine.clock, machine.random, observe::Scope(world.events));
    Surroundings around{machine.network,  machine.shards, machine.clock, machine.random,
                        machine.resolver, *engine,        *mailboxes,    directory,
                        *queue,           nullptr,        nullptr,       observe::Scope(world.events)};
    postman = make_delivery(std::move(around), parameters, routing);
    drain = std::make_unique<Wakeup>();
    tasks = std::make_unique<TaskGroup>();
    tasks->start(postman->run(*drain));
  }
  // As if the process were killed: what it was about to do does not happen. (The store in memory survives.)
  void stop() {
    tasks.reset();
    postman.reset();
    queue.reset();
  }

  queue::QueueId send(std::vector<std::string> recipients, std::string sender = "anne@example.org",
                      const std::function<void(queue::Entry&)>& change = {}) {
    queue::Entry entry;
    entry.id = queue->new_id();
    entry.sender = std::move(sender);
    const std::string octets =
        text.empty() ? "Subject: " + std::to_string(entry.id.value) + "\r\n\r\nHello\r\n.dot\r\n" : text;
    entry.content_size = octets.size();
    entry.prefix = "Received: by mx.example.org\r\n";
    entry.arrived = machine.clock.utc();
    entry.expires = entry.arrived + parameters.expiry;
    entry.authenticated = true;
    for (auto& address : recipients) {
      queue::Recipient recipient;
      recipient.address = std::move(address);
      entry.recipients.push_back(std::move(recipient));
    }
    if (change) change(entry);
    bool done = false;
    TaskGroup committing;
    committing.start(commit(entry, octets, done));
    REQUIRE(world.run_until([&] { return done; }));
    return entry.id;
  }

  bool empty() {
    const auto all = queue->list();
    REQUIRE(all);
    return all->empty();
  }
  bool run_until_empty(Duration limit = 24h * 30) {
    // What waits is looked at first: the store is read only when nothing does.
    return world.run_until(
               [this] {
                 const auto status = postman->status();
                 return status.active == 0 && status.waiting == 0 && world.timeline.steps() % 16 == 0 && empty();
               },
               limit) ||
           (postman->status().active == 0 && empty());
  }
  // Runs until that many events of that name have been seen.
  bool run_until_seen(std::string_view event, std::uint64_t count, Duration limit = 24h * 30) {
    return world.run_until([&] { return world.events.count(event) >= count; }, limit);
  }

  std::string text;  // Of the next letters; empty: a short one of its own for each.

  sim::World world;
  sim::Machine machine;
  std::unique_ptr<store::MemoryEngine> engine;
  std::unique_ptr<mailbox::FakeMailboxes> mailboxes;
  directory::FakeDirectory directory;
  Parameters parameters;
  routing::Parameters routing;
  std::unique_ptr<queue::Queue> queue;
  std::unique_ptr<Delivery> postman;
  std::unique_ptr<Wakeup> drain;
  std::unique_ptr<TaskGroup> tasks;

 private:
  Task<void> commit(queue::Entry entry, std::string octets, bool& done) {
    auto upload = engine->upload();
    auto appended = co_await upload->append(octets);
    REQUIRE(appended);
    entry.content = upload->finish();
    store::Batch batch;
    batch.add_blob(std::move(upload));
    queue->enter(entry, batch);
    auto committed = co_await engine->commit(std::move(batch));
    REQUIRE(committed);
    queue->accepted(std::move(entry));
    done = true;
  }
};

inline const IpAddress peer_address = IpAddress::v4(192, 0, 2, 1);

}  // namespace facteur::delivery
