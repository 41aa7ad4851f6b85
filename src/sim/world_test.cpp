#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace facteur;

namespace {

const IpAddress here = IpAddress::v4(192, 0, 2, 1);
const IpAddress there = IpAddress::v4(192, 0, 2, 2);

// A peer that sends everything back, and one that sends and compares.
Task<void> echo(world::Stream& stream, world::Clock& clock) {
  std::string room(700, '\0');
  for (;;) {
    auto ready = co_await stream.readable(clock.now() + 5min);
    if (!ready) co_return;
    auto count = co_await stream.read(Room(room.data(), room.size()), clock.now() + 5min);
    if (!count || *count == 0) break;
    auto sent = co_await stream.write(Bytes(room.data(), *count), clock.now() + 5min);
    if (!sent) co_return;
  }
  stream.end();
}

Task<void> serve_one(std::unique_ptr<world::Stream> stream, world::Clock& clock) { co_await echo(*stream, clock); }

Task<void> serve(std::unique_ptr<world::Listener> listener, world::Clock& clock, TaskGroup& sessions) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) co_return;
    sessions.start(serve_one(std::move(*stream), clock));
  }
}

struct Outcome {
  std::string received;
  std::string trouble;
  bool done = false;
};

Task<void> send_all(world::Stream& stream, Bytes text, world::Clock& clock) {
  auto sent = co_await stream.write(text, clock.now() + 10min);
  if (sent) stream.end();
}

Task<void> talk(sim::Machine& machine, Endpoint to, std::string text, Outcome& outcome) {
  auto stream = co_await machine.network.connect(to, machine.clock.now() + 1min);
  if (!stream) {
    outcome.trouble = std::string(stream.error().code);
    outcome.done = true;
    co_return;
  }
  TaskGroup writer;
  writer.start(send_all(**stream, text, machine.clock));
  std::string room(333, '\0');
  for (;;) {
    auto count = co_await (*stream)->read(Room(room.data(), room.size()), machine.clock.now() + 2min);
    if (!count) outcome.trouble = std::string(count.error().code);
    if (!count || *count == 0) break;
    outcome.received.append(room, 0, *count);
  }
  outcome.done = true;
}

std::string long_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + i % 26);
  return text;
}

struct TwoMachines {
  explicit TwoMachines(std::uint64_t seed) : world(seed), server(world, {{here}}), client(world, {{there}}) {}
  void start_echo() {
    for (unsigned shard = 0; shard < server.shards.count(); ++shard) {
      server.shards.run(shard, [this] {
        auto listener = server.network.listen(Endpoint{here, 7});
        REQUIRE(listener);
        tasks.start(serve(std::move(*listener), server.clock, sessions));
      });
    }
  }
  sim::World world;
  sim::Machine server;
  sim::Machine client;
  TaskGroup sessions;
  TaskGroup tasks;
};

std::uint64_t one_run(std::uint64_t seed, Outcome& outcome) {
  TwoMachines two(seed);
  two.world.internet.weather.reset_per_mille = 100;
  two.world.internet.weather.stalled_per_mille = 100;
  two.start_echo();
  two.client.shards.run(
      0, [&] { two.tasks.start(talk(two.client, Endpoint{here, 7}, long_text(3000 + seed * 7), outcome)); });
  two.world.run_until([&] { return outcome.done; }, 1h);
  return two.world.hash();
}

}  // namespace

TEST_CASE("sim world: the same seed gives the same run, other seeds give others") {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Outcome one, two;
    const auto hash = one_run(seed, one);
    CHECK(hash == one_run(seed, two));
    CHECK(one.received == two.received);
    hashes.insert(hash);
    CHECK(one.done);
    const auto text = long_text(3000 + seed * 7);
    CHECK(text.starts_with(one.received));
    CHECK((one.received == text) == one.trouble.empty());
  }
  CHECK(hashes.size() == 50);
}

TEST_CASE("sim network: bytes arrive whole and in order through small buffers and any segmentation") {
  for (const std::size_t segment : {1u, 7u, 100u, 100'000u}) {
    TwoMachines two(segment);
    two.world.internet.weather.most_segment = segment;
    two.world.internet.weather.most_buffer = 2048;
    two.start_echo();
    Outcome outcome;
    const auto text = long_text(20'000);
    two.client.shards.run(1, [&] { two.tasks.start(talk(two.client, Endpoint{here, 7}, text, outcome)); });
    CHECK(two.world.run_until([&] { return outcome.done; }));
    CHECK(outcome.received == text);
    CHECK(outcome.trouble.empty());
  }
}

TEST_CASE("sim network: refused, nobody there, parted") {
  TwoMachines two(1);
  two.start_echo();
  const auto attempt = [&two](Endpoint to) {
    Outcome outcome;
    two.client.shards.run(0, [&] { two.tasks.start(talk(two.client, to, "x", outcome)); });
    CHECK(two.world.run_until([&] { return outcome.done; }));
    return outcome.trouble;
  };
  CHECK(attempt(Endpoint{here, 8}) == "F-1224");
  CHECK(attempt(Endpoint{IpAddress::v4(9, 9, 9, 9), 7}) == "F-1223");
  two.world.internet.part(here, there);
  CHECK(attempt(Endpoint{here, 7}) == "F-1223");
  two.world.internet.heal();
  CHECK(attempt(Endpoint{here, 7}).empty());
  CHECK_FALSE(two.client.network.listen(Endpoint{here, 7}));
}

TEST_CASE("sim network: a stalled connection ends by the deadline, a reset at once") {
  for (const bool stall : {true, false}) {
    TwoMachines two(5);
    two.world.internet.fate = [stall](const Endpoint&, const Endpoint&) {
      return stall ? sim::Fate{{}, 100} : sim::Fate{100, {}};
    };
    two.start_echo();
    Outcome outcome;
    two.client.shards.run(0, [&] { two.tasks.start(talk(two.client, Endpoint{here, 7}, long_text(5000), outcome)); });
    const auto before = two.world.timeline.now();
    CHECK(two.world.run_until([&] { return outcome.done; }));
    CHECK(outcome.trouble == (stall ? "F-1221" : "F-1220"));
    CHECK((two.world.timeline.now() - before >= 2min) == stall);
  }
}

TEST_CASE("sim world: a crash in the middle leaves nothing behind, and the peer notices") {
  int broken = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    sim::World world(seed);
    sim::Machine client(world, {{there}});
    Outcome outcome;
    TaskGroup client_tasks;
    {
      sim::Machine server(world, {{here}});
      {
        TaskGroup sessions;
        TaskGroup tasks;
        server.shards.run(0, [&] {
          tasks.start(serve(std::move(*server.network.listen(Endpoint{here, 7})), server.clock, sessions));
        });
        client.shards.run(0, [&] { client_tasks.start(talk(client, Endpoint{here, 7}, long_text(600'000), outcome)); });
        world.run_for(Duration(5'000'000 + static_cast<Duration::rep>(seed) * 300'000));
        server.halt();
      }
    }
    CHECK(world.run_until([&] { return outcome.done; }, 1h));
    CHECK((outcome.received.size() < 600'000) == !outcome.trouble.empty());
    broken += !outcome.trouble.empty();
  }
  CHECK(broken > 20);
}

TEST_CASE("sim shards: the order of one sender to one receiver is kept, others mix") {
  std::set<std::string> orders;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    sim::World world(seed);
    sim::Machine machine(world, {{here}, 3});
    std::string log;
    for (const unsigned sender : {0u, 1u}) {
      machine.shards.run(sender, [&machine, &log, sender] {
        for (int i = 0; i < 4; ++i) {
          machine.shards.post(2, [&machine, &log, c = static_cast<char>((sender == 0 ? 'a' : 'A') + i)] {
            CHECK(machine.shards.current() == 2);
            log += c;
          });
        }
      });
    }
    world.run_for(1s);
    std::string lower, upper;
    for (const char c : log) (c >= 'a' ? lower : upper) += c;
    CHECK(lower == "abcd");
    CHECK(upper == "ABCD");
    orders.insert(log);
  }
  CHECK(orders.size() > 10);
}

namespace {
Task<void> hops(sim::Machine& machine, std::string& log) {
  for (const unsigned shard : {1u, 0u, 2u, 0u}) {
    co_await world::hop(machine.shards, shard);
    log += static_cast<char>('0' + machine.shards.current());
  }
  auto work = [] { return 42; };
  const int answer = co_await world::blocking(machine.shards, world::Shards::Lane::pool, work);
  log += answer == 42 && machine.shards.current() == 0 ? '!' : '?';
}
}  // namespace

TEST_CASE("sim shards: hop and blocking, also when the machine crashes on the way") {
  for (std::uint64_t steps = 0; steps < 12; ++steps) {
    sim::World world(steps);
    sim::Machine machine(world, {{here}, 3});
    std::string log;
    TaskGroup tasks;
    machine.shards.run(0, [&] { tasks.start(hops(machine, log)); });
    for (std::uint64_t i = 0; i < steps; ++i) world.timeline.step();
    CHECK(std::string("1020!").starts_with(log));
    if (steps >= 6) CHECK(log == "1020!");
    machine.halt();
  }
}

TEST_CASE("sim shards: the log lane keeps its order") {
  sim::World world(3);
  sim::Machine machine(world, {{here}});
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) machine.shards.offload(world::Shards::Lane::log, [&order, i] { order.push_back(i); });
  world.run_for(1min);
  REQUIRE(order.size() == 100);
  CHECK(std::ranges::is_sorted(order));
}

namespace {
Task<void> sleeper(sim::Machine& machine, Instant until, Wakeup* bell, std::string& log) {
  const bool belled = co_await machine.clock.sleep_until(until, bell);
  log += belled ? 'b' : 'e';
}
}  // namespace

TEST_CASE("sim clock: time jumps, bells end a sleep early, the calendar may be set") {
  sim::World world(1);
  sim::Machine machine(world, {{here}});
  std::string log;
  TaskGroup tasks;
  Wakeup bell;
  const auto start = machine.clock.now();
  const auto utc = machine.clock.utc();
  tasks.start(sleeper(machine, start + 24h * 30, nullptr, log));
  tasks.start(sleeper(machine, start + 1h, &bell, log));
  world.run_for(30min);
  bell.fire();
  world.run_for(1min);
  CHECK(log == "b");
  tasks.start(sleeper(machine, Instant::never(), &bell, log));  // Still fired: no wait.
  CHECK(log == "bb");
  machine.clock.step_wall(-1h);
  CHECK(machine.clock.utc() - utc == 31min - 1h);
  world.run_for(24h * 31);
  CHECK(log == "bbe");
  machine.clock.set_wall(UtcTime{0});
  CHECK(machine.clock.utc() == UtcTime{0});
}

namespace {
Task<void> ask(dns::Resolver& resolver, sim::Machine& machine, std::string name, std::string& log) {
  auto mx = co_await resolver.mx(name, machine.clock.now() + 10s);
  if (!mx) {
    log += mx.error().kind == Failure::Kind::timed_out ? "timeout " : "fail ";
  } else {
    for (const auto& record : mx->records) log += std::to_string(record.preference) + "=" + record.host + " ";
    if (mx->records.empty()) log += mx->name_exists ? "none " : "nx ";
  }
  auto addresses = co_await resolver.addresses(name, machine.clock.now() + 10s);
  if (addresses) {
    for (const auto& address : addresses->addresses) log += to_string(address) + " ";
  }
}
}  // namespace

TEST_CASE("sim resolver: answers, absence and trouble") {
  sim::World world(1);
  world.zone.add(R"(
    Example.org. MX 10 mx.example.org.   # a comment
    example.org MX 20 backup.example.org
    null.example MX 0 .
    mx.example.org A 192.0.2.1
    mx.example.org AAAA 2001:db8::1
    www.example.org CNAME mx.example.org
    broken.example SERVFAIL
    slow.example TIMEOUT
  )");
  sim::Machine machine(world, {{here}});
  const auto answer = [&](std::string name) {
    std::string log;
    TaskGroup tasks;
    tasks.start(ask(machine.resolver, machine, std::move(name), log));
    CHECK(world.run_until([&] { return tasks.empty(); }));
    return log;
  };
  CHECK(answer("example.org") == "10=mx.example.org 20=backup.example.org ");
  CHECK(answer("EXAMPLE.ORG.") == "10=mx.example.org 20=backup.example.org ");
  CHECK(answer("null.example") == "0= ");
  CHECK(answer("mx.example.org") == "none 192.0.2.1 2001:db8::1 ");
  CHECK(answer("www.example.org") == "none 192.0.2.1 2001:db8::1 ");
  CHECK(answer("org") == "none ");
  CHECK(answer("nowhere.example") == "nx ");
  CHECK(answer("broken.example") == "fail ");
  CHECK(answer("slow.example") == "timeout ");
  world.zone.weather(sim::Zone::Weather::servfail);
  CHECK(answer("example.org") == "fail ");
}

TEST_CASE("sim events: counted, looked at, hashed") {
  sim::World world(1);
  const auto before = world.hash();
  observe::Scope scope(world.events);
  scope.with("trace", "t1").event("mail_filed").field("size_bytes", 3);
  CHECK(world.events.count("mail_filed") == 1);
  CHECK(world.events.seen().back().field("trace") == "t1");
  CHECK(world.events.text().find("mail_filed trace=t1 size_bytes=3") != std::string::npos);
  CHECK(world.hash() != before);
}

namespace {
Task<void> run_program(sim::Machine& machine, std::string path, std::string& log) {
  std::vector<std::string> argv{std::move(path), "x"};
  auto result = co_await machine.programs.run(argv, "input", machine.clock.now() + 1s);
  log += result ? result->output : std::string(result.error().code);
}
}  // namespace

TEST_CASE("sim programs: scripted, missing, too slow") {
  sim::World world(1);
  sim::Machine machine(world, {{here}});
  const auto say = [](const std::vector<std::string>& argv, Bytes input) {
    return world::ProgramResult{0, argv[1] + std::string(input)};
  };
  machine.programs.add("/bin/quick", {say, 10ms});
  machine.programs.add("/bin/slow", {say, 10s});
  std::string log;
  TaskGroup tasks;
  for (const auto* path : {"/bin/quick", "/bin/missing", "/bin/slow"}) {
    tasks.start(run_program(machine, path, log));
    CHECK(world.run_until([&] { return tasks.empty(); }));
    log += ' ';
  }
  CHECK(log == "xinput F-1216 F-1217 ");
}
