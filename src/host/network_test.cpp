#include "host/network.hpp"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.hpp"
#include "host/socket_stream.hpp"
#include "host/stage_test.hpp"

using namespace facteur;
using namespace facteur::host;

namespace {

const Endpoint any_port{IpAddress::loopback(), 0};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 + i / 251);
  return text;
}

// Both ends of one TCP connection.
struct Ends {
  std::unique_ptr<world::Listener> listener;
  std::unique_ptr<world::Stream> server, client;
};

Task<Ends> connected(Stage& stage) {
  Ends ends;
  ends.listener = std::move(*stage.world->network.listen(any_port));
  auto client = co_await stage.world->network.connect(ends.listener->local(), stage.soon());
  REQUIRE(client);
  auto server = co_await ends.listener->accept();
  REQUIRE(server);
  ends.client = std::move(*client);
  ends.server = std::move(*server);
  co_return ends;
}

Task<std::string> read_to_end(world::Stream& stream, std::size_t segment, Instant deadline) {
  std::string all, room(segment, '\0');
  for (;;) {
    const auto woken = co_await stream.readable(deadline);
    if (!woken) co_return all + "!" + std::string(woken.error().code);
    const auto size = co_await stream.read(Room(room), deadline);
    if (!size) co_return all + "!" + std::string(size.error().code);
    if (*size == 0) co_return all;
    all.append(room, 0, *size);
  }
}

// Sends `text` in pieces of `segment` octets, then ends its side.
Task<void> send_all(world::Stream& stream, const std::string& text, std::size_t segment, Instant deadline) {
  std::vector<Bytes> pieces;
  for (std::size_t at = 0; at < text.size(); at += segment) pieces.push_back(Bytes(text).substr(at, segment));
  const auto sent = co_await stream.write(pieces, deadline);
  CHECK(sent);
  stream.end();
}

Task<void> both_ways(Stage& stage, std::size_t segment) {
  Ends ends = co_await connected(stage);
  const std::string up = pattern(segment * 3000), down = pattern(2'000'000);
  TaskGroup tasks;
  tasks.start(send_all(*ends.client, up, segment, stage.soon()));
  tasks.start(send_all(*ends.server, down, 1000, stage.soon()));
  // Nobody reads yet: both must wait for room.
  co_await stage.world->clock.sleep_until(stage.in(20ms));
  const std::string at_server = co_await read_to_end(*ends.server, segment, stage.soon());
  const std::string at_client = co_await read_to_end(*ends.client, 8192, stage.soon());
  CHECK(at_server == up);
  CHECK(at_client == down);
  co_await tasks.finished();
}

}  // namespace

TEST_CASE("octets arrive in order in both directions, in any segmentation, and each side ends for itself") {
  for (const std::size_t segment : {1u, 3u, 100u, 1000u}) {
    Stage stage;
    stage.run(both_ways(stage, segment));
  }
}

TEST_CASE("a stream knows both of its addresses") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      Ends ends = co_await connected(stage);
      CHECK(ends.server->local() == ends.listener->local());
      CHECK(ends.client->peer() == ends.listener->local());
      CHECK(ends.client->local() == ends.server->peer());
      CHECK(!peer_credentials(*ends.server));
      // From an address that is chosen.
      const IpAddress source = IpAddress::v4(127, 0, 0, 77);
      auto other = co_await stage.world->network.connect(ends.listener->local(), stage.soon(), &source);
      REQUIRE(other);
      auto taken = co_await ends.listener->accept();
      CHECK((*taken)->peer().address == source);
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("IPv6 loopback") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      auto listener = stage.world->network.listen({*IpAddress::parse("::1"), 0});
      if (!listener) {
        MESSAGE("skipped: no IPv6 here");
        co_return;
      }
      auto client = co_await stage.world->network.connect((*listener)->local(), stage.soon());
      REQUIRE(client);
      auto server = co_await (*listener)->accept();
      CHECK((*server)->peer().address == *IpAddress::parse("::1"));
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("every wait ends by its deadline") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      Ends ends = co_await connected(stage);
      const Instant begin = stage.world->clock.now();
      char room[10];
      const auto read = co_await ends.server->read(Room(room), stage.in(150ms));
      CHECK(read.error().kind == Failure::Kind::timed_out);
      const auto readable = co_await ends.server->readable(stage.in(150ms));
      CHECK(readable.error().kind == Failure::Kind::timed_out);
      // A peer that does not read.
      const std::string much = pattern(20'000'000);
      const auto written = co_await ends.server->write(Bytes(much), stage.in(150ms));
      CHECK(written.error().kind == Failure::Kind::timed_out);
      const Duration took = stage.world->clock.now() - begin;
      CHECK(took >= 450ms);
      CHECK(took < 5s);  // A machine that others use, too.
      // One that is over already.
      const auto over = co_await ends.client->readable(stage.in(-1s));
      CHECK(over);  // Octets are there: no need to wait.
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("sleeps are exact to about a millisecond") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      std::vector<Duration> late;
      for (int i = 0; i < 15; ++i) {
        const Instant wanted = stage.in(3ms);
        const bool woken = co_await stage.world->clock.sleep_until(wanted);
        CHECK(!woken);
        late.push_back(stage.world->clock.now() - wanted);
        CHECK(late.back() >= 0ms);
      }
      CHECK(*std::ranges::min_element(late) < 5ms);  // The best one: others may use the machine, too.
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("a wakeup ends waits for octets and for time, also from another shard") {
  struct Scenario {
    static Task<void> ring(Stage& stage, Wakeup& bell) {
      co_await stage.world->clock.sleep_until(stage.in(5ms));
      bell.fire();
    }
    static Task<void> run(Stage& stage) {
      Ends ends = co_await connected(stage);
      Wakeup bell;
      TaskGroup tasks;
      tasks.start(ring(stage, bell));
      auto woken = co_await ends.server->readable(stage.soon(), &bell);
      CHECK(*woken);
      CHECK(bell.fired());
      woken = co_await ends.server->readable(stage.soon(), &bell);  // Not cleared: at once.
      CHECK(*woken);
      bell.clear();
      stage.world->shards.post(1, [&] { stage.world->shards.post(0, [&] { bell.fire(); }); });
      const bool early = co_await stage.world->clock.sleep_until(stage.soon(), &bell);
      CHECK(early);
      bell.clear();
      const bool late = co_await stage.world->clock.sleep_until(stage.in(2ms), &bell);
      CHECK(!late);
      const auto sent = co_await ends.client->write(Bytes("x"), stage.soon());
      CHECK(sent);
      woken = co_await ends.server->readable(stage.soon(), &bell);
      CHECK(!*woken);
      co_await tasks.finished();
    }
  };
  Stage stage(2);
  stage.run(Scenario::run(stage));
}

TEST_CASE("a reset, and a close on our own side, end what waits") {
  struct Scenario {
    static Task<void> wait_for_octets(world::Stream& stream, Instant deadline, std::string& outcome) {
      outcome = co_await read_to_end(stream, 100, deadline);
    }
    static Task<void> run(Stage& stage) {
      Ends ends = co_await connected(stage);
      std::string outcome;
      TaskGroup tasks;
      tasks.start(wait_for_octets(*ends.server, stage.soon(), outcome));
      const linger abrupt{1, 0};
      const int fd = static_cast<SocketStream&>(*ends.client).fd();
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
      ends.client->close();
      co_await tasks.finished();
      CHECK(outcome == "!F-1062");

      ends = co_await connected(stage);
      tasks.start(wait_for_octets(*ends.server, stage.soon(), outcome));
      ends.server->close();
      ends.server->close();
      co_await tasks.finished();
      CHECK(outcome == "!F-1060");
      const auto written = co_await ends.server->write(Bytes("x"), stage.soon());
      CHECK(written.error().kind == Failure::Kind::closed);
      const std::string rest = co_await read_to_end(*ends.client, 10, stage.soon());
      CHECK(rest.empty());

      ends.listener->close();
      const auto none = co_await ends.listener->accept();
      CHECK(none.error().kind == Failure::Kind::closed);
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("nobody listens: refused at once; an endpoint that is taken: a failure") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      Ends ends = co_await connected(stage);
      const Endpoint gone = ends.listener->local();
      ends.listener->close();
      const auto refused = co_await stage.world->network.connect(gone, stage.soon());
      CHECK(refused.error().temporary());
      CHECK(refused.error().cause.find("refused") != std::string::npos);
      CHECK(!stage.world->network.listen({IpAddress::v4(192, 0, 2, 1), 0}));
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("RELIABILITY R6: without descriptors accept() fails for a while, and does not spin") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      auto listener = std::move(*stage.world->network.listen(any_port));
      std::vector<std::unique_ptr<world::Stream>> clients;
      for (int i = 0; i < 4; ++i) {
        clients.push_back(std::move(*co_await stage.world->network.connect(listener->local(), stage.soon())));
      }
      rlimit before{};
      getrlimit(RLIMIT_NOFILE, &before);
      const int next = dup(0);
      close(next);
      const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
      setrlimit(RLIMIT_NOFILE, &none);
      const auto first = co_await listener->accept();
      const auto second = co_await listener->accept();
      setrlimit(RLIMIT_NOFILE, &before);
      CHECK(first.error().kind == Failure::Kind::temporary);
      CHECK(first.error().cause.find("one connection was closed unserved") != std::string::npos);
      CHECK(!second);
      // Two were shed, two are still there.
      for (int i = 0; i < 2; ++i) {
        const auto good = co_await listener->accept();
        CHECK(good);
      }
      const std::string shed = co_await read_to_end(*clients[0], 10, stage.soon());
      CHECK(shed.size() <= 7);  // The end, or a reset.
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("connections to one endpoint are spread evenly over its shards") {
  struct Scenario {
    static Task<void> collect(world::Listener& listener, std::vector<std::unique_ptr<world::Stream>>& to) {
      for (;;) {
        auto stream = co_await listener.accept();
        if (!stream) co_return;
        to.push_back(std::move(*stream));
      }
    }
    static Task<void> run(Stage& stage) {
      auto& shards = stage.world->shards;
      std::unique_ptr<world::Listener> listeners[2];
      std::vector<std::unique_ptr<world::Stream>> taken[2], clients;
      TaskGroup tasks[2];
      listeners[0] = std::move(*stage.world->network.listen(any_port));
      const Endpoint where = listeners[0]->local();
      tasks[0].start(collect(*listeners[0], taken[0]));
      co_await world::hop(shards, 1);
      listeners[1] = std::move(*stage.world->network.listen(where));
      tasks[1].start(collect(*listeners[1], taken[1]));
      co_await world::hop(shards, 0);
      for (int i = 0; i < 60; ++i) {
        clients.push_back(std::move(*co_await stage.world->network.connect(where, stage.soon())));
      }
      co_await stage.world->clock.sleep_until(stage.in(100ms));
      listeners[0]->close();
      co_await tasks[0].finished();
      co_await world::hop(shards, 1);
      listeners[1]->close();
      co_await tasks[1].finished();
      const std::size_t there = taken[1].size();
      taken[1].clear();
      co_await world::hop(shards, 0);
      CHECK(taken[0].size() + there == 60);
      CHECK(there >= 27);
      CHECK(there <= 33);
    }
  };
  Stage stage(2);
  stage.run(Scenario::run(stage));
}

TEST_CASE("Unix sockets: credentials, permissions, and what is left of a dead server") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      const TemporaryFolder folder;
      const std::string path = folder.path + "/control.sock";
      auto& network = stage.world->network;
      auto listener = network.listen_local(path);
      REQUIRE(listener);
      struct stat found{};
      REQUIRE(::stat(path.c_str(), &found) == 0);
      CHECK((found.st_mode & 0777) == 0600);
      auto client = co_await network.connect_local(path, stage.soon());
      REQUIRE(client);
      auto server = co_await (*listener)->accept();
      REQUIRE(server);
      const auto who = peer_credentials(**server);
      REQUIRE(who);
      CHECK(who->user == ::getuid());
      CHECK(who->process == ::getpid());
      CHECK(network.listen_local(path).error().code == "F-1069");
      (*listener)->close();
      CHECK(::stat(path.c_str(), &found) != 0);
      const auto nobody = co_await network.connect_local(path, stage.soon());
      CHECK(!nobody);
      // A socket that nobody serves any more.
      const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
      CHECK(dead >= 0);
      listener = network.listen_local(path);
      REQUIRE(listener);
      ::close(dead);
      CHECK(!network.listen_local(std::string(200, 'x')));
    }
  };
  Stage stage;
  stage.run(Scenario::run(stage));
}

TEST_CASE("a stream used on another shard than its own is a bug that is caught") {
  struct Scenario {
    static Task<void> run(Stage& stage) {
      Ends ends = co_await connected(stage);
      co_await world::hop(stage.world->shards, 1);
      bool caught = false;
      try {
        static_cast<void>(co_await ends.server->readable(stage.soon()));
      } catch (const Bug&) {
        caught = true;
      }
      co_await world::hop(stage.world->shards, 0);
      CHECK(caught);
    }
  };
  Stage stage(2);
  stage.run(Scenario::run(stage));
}

TEST_CASE("sockets that another process opened are listened on, one for each shard, and connections wait in them") {
  struct Scenario {
    static Task<void> run(Stage& stage, Endpoint endpoint) {
      auto& network = stage.world->network;
      // Nobody accepts yet: the connection stands in the backlog.
      auto client = co_await network.connect(endpoint, stage.soon());
      REQUIRE(client);
      auto listener = network.listen(endpoint);
      REQUIRE(listener);
      CHECK((*listener)->local() == endpoint);
      auto server = co_await (*listener)->accept();
      REQUIRE(server);
      CHECK((*server)->peer().port == (*client)->local().port);
      listener->reset();
      // The other one is not asked for: it must not keep connections that nobody will take.
      network.close_adopted();
      CHECK(!co_await network.connect(endpoint, stage.soon()));
    }
  };
  Endpoint endpoint = any_port;
  std::vector<int> sockets{open_listener(endpoint)};
  REQUIRE(sockets[0] >= 0);
  sockaddr_in bound{};
  socklen_t length = sizeof bound;
  REQUIRE(::getsockname(sockets[0], reinterpret_cast<sockaddr*>(&bound), &length) == 0);
  endpoint.port = ntohs(bound.sin_port);
  Stage stage;
  stage.world->network.adopt(sockets);
  const int second = open_listener(endpoint);
  REQUIRE(second >= 0);
  ::close(second);  // Before the connection, which would go to either.
  stage.run(Scenario::run(stage, endpoint));
}

TEST_CASE("a port that cannot be had: the reason is said") {
  struct Scenario {
    static Task<void> run(Stage& stage, Endpoint taken) {
      auto listener = stage.world->network.listen(taken);
      REQUIRE(!listener);
      CHECK(listener.error().text.ends_with(": another program is using it"));
      listener = stage.world->network.listen({*IpAddress::parse("192.0.2.1"), 0});  // For documentation: nobody has it.
      REQUIRE(!listener);
      CHECK(listener.error().text.ends_with(": this machine does not have the address"));
      co_return;
    }
  };
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in bound{};
  bound.sin_family = AF_INET;
  bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(other, reinterpret_cast<sockaddr*>(&bound), sizeof bound) == 0);
  REQUIRE(::listen(other, 1) == 0);
  socklen_t length = sizeof bound;
  REQUIRE(::getsockname(other, reinterpret_cast<sockaddr*>(&bound), &length) == 0);
  Endpoint taken = any_port;
  taken.port = ntohs(bound.sin_port);
  Stage stage;
  stage.run(Scenario::run(stage, taken));
  ::close(other);
}

TEST_CASE("what still waits when the world stops is destroyed without a trace") {
  struct Scenario {
    static Task<void> wait_for_ever(Stage& stage, Ends ends) {
      Wakeup bell;
      static_cast<void>(co_await ends.server->readable(stage.soon(), &bell));
    }
    static Task<void> accept_for_ever(std::unique_ptr<world::Listener> listener) {
      static_cast<void>(co_await listener->accept());
    }
    static Task<void> sleep_for_ever(Stage& stage) {
      co_await stage.world->clock.sleep_until(Instant::never());
      co_await stage.world->clock.sleep_until(stage.in(1h));
    }
    static Task<void> run(Stage& stage) {
      stage.tasks.start(wait_for_ever(stage, co_await connected(stage)));
      stage.tasks.start(accept_for_ever(std::move(*stage.world->network.listen(any_port))));
      stage.tasks.start(sleep_for_ever(stage));
      stage.world->shards.post(1, [&] { stage.world->shards.post(0, [&] {}); });
    }
  };
  Stage stage(2);
  stage.run(Scenario::run(stage));
  CHECK(stage.tasks.size() == 3);
}
