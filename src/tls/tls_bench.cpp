// Handshakes, bulk transfer, and what an idle connection keeps in memory.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <chrono>
#include <deque>

#include "memory_stream.hpp"
#include "tls/stream.hpp"

namespace {

using namespace facteur;
using facteur::tests::MemoryLink;

struct Contexts {
  std::shared_ptr<const crypto::TlsServerContext> server;
  std::shared_ptr<const crypto::TlsClientContext> client;
  Contexts() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto certificate = *crypto::make_self_signed(
        {"mx.example.org"}, UtcTime{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()});
    server = *crypto::TlsServerContext::make({{certificate}});
    client = *crypto::TlsClientContext::make({certificate.chain_pem, true});
  }
};

struct Connection {
  MemoryLink link{};
  std::unique_ptr<world::Stream> server{}, client{};
  TaskGroup tasks{};

  Task<void> accept(const Contexts& contexts) {
    auto secured = co_await tls::accept(link.first(), contexts.server, {}, Instant::never());
    server = std::move(secured->stream);
  }
  Task<void> connect(const Contexts& contexts) {
    crypto::TlsClientParameters parameters{"mx.example.org", {}, {}};
    auto secured = co_await tls::connect(link.second(), contexts.client, std::move(parameters), Instant::never());
    client = std::move(secured->stream);
  }
  explicit Connection(const Contexts& contexts) {
    tasks.start(accept(contexts));
    tasks.start(connect(contexts));
    link.run();
  }
  Task<void> idle() { static_cast<void>(co_await server->readable(Instant::never())); }
  Task<void> send(Bytes octets) { static_cast<void>(co_await client->write(octets, Instant::never())); }
  Task<void> receive(std::size_t size) {
    static char room[16 * 1024];
    for (std::size_t got = 0; got < size;) got += *co_await server->read(Room(room), Instant::never());
  }
};

void handshake_both_sides(benchmark::State& state) {
  const Contexts contexts;
  for (auto _ : state) Connection connection(contexts);
}
BENCHMARK(handshake_both_sides);

void bulk_both_sides(benchmark::State& state) {
  const Contexts contexts;
  Connection connection(contexts);
  const std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    connection.tasks.start(connection.send(octets));
    connection.tasks.start(connection.receive(octets.size()));
    connection.link.run();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bulk_both_sides)->Arg(64)->Arg(16 << 10)->Arg(1 << 20);

// The server's side of connections that wait in readable(), the link in memory (about 500 octets) included.
void idle_memory(benchmark::State& state) {
  const Contexts contexts;
  constexpr std::size_t count = 500;
  double kept = 0;
  for (auto _ : state) {
    std::deque<Connection> connections;
    connections.emplace_back(contexts);
    const auto before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < count; ++i) {
      Connection& one = connections.emplace_back(contexts);
      one.tasks.start(one.idle());
      one.client.reset();
    }
    kept = static_cast<double>(mallinfo2().uordblks - before) / count;
  }
  state.counters["octets_each"] = kept;
}
BENCHMARK(idle_memory)->Iterations(1);

}  // namespace
