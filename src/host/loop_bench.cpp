// Echo round trips against a bare epoll loop and against Asio, and what crossing shards costs.
//   ./dev bench host
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "host/address.hpp"
#include "host/world.hpp"

namespace {

using namespace facteur;
using namespace facteur::host;

constexpr std::size_t message_size = 128;

double cpu_seconds(pthread_t thread) {
  clockid_t clock;
  std::timespec time{};
  pthread_getcpuclockid(thread, &clock);
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// Clients that each wait for their echo before they send again, all on the calling thread.
class Clients {
 public:
  Clients(std::uint16_t port, std::size_t count) : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    const SocketAddress to = to_socket_address({IpAddress::loopback(), port});
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      while (::connect(fd, to.get(), to.length) != 0) ::usleep(1000);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
      fds_.push_back(fd);
    }
    for (const int fd : fds_) send(fd);
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  ~Clients() {
    for (const int fd : fds_) ::close(fd);
    ::close(epoll_);
  }
  void round_trips(std::size_t wanted) {
    std::array<epoll_event, 256> events;
    for (std::size_t done = 0; done < wanted;) {
      const int count = epoll_wait(epoll_, events.data(), 256, 1000);
      for (int i = 0; i < count; ++i, ++done) {
        char room[4096];
        static_cast<void>(::recv(events[static_cast<std::size_t>(i)].data.fd, room, sizeof room, 0));
        send(events[static_cast<std::size_t>(i)].data.fd);
      }
    }
  }

 private:
  static void send(int fd) {
    static const std::string message(message_size, 'x');
    static_cast<void>(::send(fd, message.data(), message.size(), MSG_NOSIGNAL));
  }
  int epoll_;
  std::vector<int> fds_;
};

void measure(benchmark::State& state, std::uint16_t port, std::thread& server) {
  Clients clients(port, static_cast<std::size_t>(state.range(0)));
  clients.round_trips(2000);
  const double before = cpu_seconds(server.native_handle());
  std::size_t trips = 0;
  for (auto _ : state) {
    clients.round_trips(1000);
    trips += 1000;
  }
  const double used = cpu_seconds(server.native_handle()) - before;
  state.SetItemsProcessed(static_cast<std::int64_t>(trips));
  state.counters["server_us"] = used / static_cast<double>(trips) * 1e6;
}

int bare_listener(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  SocketAddress address = to_socket_address({IpAddress::loopback(), 0});
  ::bind(fd, address.get(), address.length);
  ::listen(fd, 1024);
  getsockname(fd, address.get(), &address.length);
  port = to_endpoint(address.get()).port;
  return fd;
}

void bare_server(int listener, std::atomic<bool>& stop) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::array<epoll_event, 256> events;
  char room[4096];
  while (!stop) {
    const int count = epoll_wait(epoll, events.data(), 256, 100);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        event.data.fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (event.data.fd >= 0) epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        continue;
      }
      const auto size = ::recv(fd, room, sizeof room, 0);
      if (size > 0) {
        static_cast<void>(::send(fd, room, static_cast<std::size_t>(size), MSG_NOSIGNAL));
      } else if (size == 0 || errno != EAGAIN) {
        ::close(fd);
      }
    }
  }
  ::close(epoll);
  ::close(listener);
}

void echo_bare(benchmark::State& state) {
  std::uint16_t port = 0;
  const int listener = bare_listener(port);
  std::atomic<bool> stop = false;
  std::thread server([&] { bare_server(listener, stop); });
  measure(state, port, server);
  stop = true;
  server.join();
}
BENCHMARK(echo_bare)->Arg(1)->Arg(100)->Arg(1000)->UseRealTime();

Task<void> echo(std::unique_ptr<world::Stream> stream) {
  char room[4096];
  for (;;) {
    const Instant deadline = Loop::now() + 300s;
    const auto ready = co_await stream->readable(deadline);
    if (!ready) co_return;
    const auto size = co_await stream->read(Room(room), deadline);
    if (!size || *size == 0) co_return;
    const auto sent = co_await stream->write(Bytes(room, *size), deadline);
    if (!sent) co_return;
  }
}

Task<void> serve(world::Listener& listener, TaskGroup& sessions) {
  for (;;) {
    auto stream = co_await listener.accept();
    if (!stream) co_return;
    sessions.start(echo(std::move(*stream)));
  }
}

void echo_host(benchmark::State& state) {
  Shards shards(1);
  host::Network network;
  std::unique_ptr<world::Listener> listener;
  TaskGroup sessions, tasks;
  std::atomic<std::uint16_t> port = 0;
  shards.post(0, [&] {
    listener = std::move(*network.listen({IpAddress::loopback(), 0}));
    tasks.start(serve(*listener, sessions));
    port = listener->local().port;
  });
  std::thread server([&] { shards.run(); });
  while (port == 0) ::usleep(1000);
  measure(state, port, server);
  shards.stop();
  server.join();
}
BENCHMARK(echo_host)->Arg(1)->Arg(100)->Arg(1000)->UseRealTime();

namespace asio = boost::asio;

asio::awaitable<void> asio_echo(asio::ip::tcp::socket socket) {
  char room[4096];
  try {
    for (;;) {
      const std::size_t size = co_await socket.async_read_some(asio::buffer(room), asio::use_awaitable);
      co_await asio::async_write(socket, asio::buffer(room, size), asio::use_awaitable);
    }
  } catch (const std::exception&) {
  }
}

asio::awaitable<void> asio_serve(asio::ip::tcp::acceptor& acceptor) {
  for (;;) {
    auto socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), asio_echo(std::move(socket)), asio::detached);
  }
}

void echo_asio(benchmark::State& state) {
  asio::io_context context(1);
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio::co_spawn(context, asio_serve(acceptor), asio::detached);
  std::thread server([&] { context.run(); });
  measure(state, acceptor.local_endpoint().port(), server);
  context.stop();
  server.join();
}
BENCHMARK(echo_asio)->Arg(1)->Arg(100)->Arg(1000)->UseRealTime();

// `state.range(0)` coroutines hop to the other shard and back.
struct Hopping {
  Shards& shards;
  std::atomic<std::int64_t>& hops;
  std::atomic<bool>& stop;
  Task<void> go() {
    while (!stop) {
      co_await world::hop(shards, 1);
      co_await world::hop(shards, 0);
      hops += 2;
    }
  }
};

void hop(benchmark::State& state) {
  Shards shards(2);
  std::atomic<std::int64_t> hops = 0;
  std::atomic<bool> stop = false;
  Hopping hopping{shards, hops, stop};
  TaskGroup tasks;
  shards.post(0, [&] {
    for (int i = 0; i < state.range(0); ++i) tasks.start(hopping.go());
  });
  std::thread server([&] { shards.run(); });
  const std::int64_t before = hops;
  for (auto _ : state) {
    const std::int64_t until = hops + 10'000;
    while (hops < until) ::usleep(100);
  }
  state.SetItemsProcessed(hops - before);
  stop = true;
  ::usleep(20'000);
  shards.stop();
  server.join();
}
BENCHMARK(hop)->Arg(1)->Arg(10)->Arg(100)->UseRealTime();

// `state.range(0)` coroutines send empty work to a lane and come back.
struct Blocking {
  Shards& shards;
  world::Shards::Lane lane;
  std::atomic<std::int64_t>& done;
  std::atomic<bool>& stop;
  Task<void> go() {
    auto work = [] { return 1; };
    while (!stop) {
      static_cast<void>(co_await world::blocking(shards, lane, work));
      ++done;
    }
  }
};

void blocking(benchmark::State& state) {
  Shards shards(1);
  std::atomic<std::int64_t> done = 0;
  std::atomic<bool> stop = false;
  Blocking blocking{shards, state.range(1) ? world::Shards::Lane::log : world::Shards::Lane::pool, done, stop};
  TaskGroup tasks;
  shards.post(0, [&] {
    for (int i = 0; i < state.range(0); ++i) tasks.start(blocking.go());
  });
  std::thread server([&] { shards.run(); });
  const std::int64_t before = done;
  for (auto _ : state) {
    const std::int64_t until = done + 10'000;
    while (done < until) ::usleep(100);
  }
  state.SetItemsProcessed(done - before);
  stop = true;
  ::usleep(20'000);
  shards.stop();
  server.join();
}
BENCHMARK(blocking)->ArgsProduct({{1, 10, 100}, {0, 1}})->UseRealTime();

// What a deadline costs: a wait that begins and ends without time passing.
void arm_deadline(benchmark::State& state) {
  Loop loop(0);
  const Instant deadline = Loop::now() + 300s;
  struct Never {
    static Task<void> wait(Loop& on, Instant until, Wait*& place) {
      Wait waiting(on, until, nullptr, &place);
      co_await waiting;
    }
  };
  for (auto _ : state) {
    Wait* place = nullptr;
    TaskGroup tasks;
    tasks.start(Never::wait(loop, deadline, place));
  }
}
BENCHMARK(arm_deadline);

}  // namespace
