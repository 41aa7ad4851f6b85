#include "server/patient_write.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

namespace facteur::server {
namespace {

class Clock final : public world::Clock {
 public:
  Instant now() const override { return time; }
  UtcTime utc() const override { return {}; }
  Task<bool> sleep_until(Instant, Wakeup*) override { co_return false; }
  Instant time{};
};

// A peer that takes so many octets a second.
class SlowPeer final : public world::Stream {
 public:
  SlowPeer(Clock& clock, std::size_t rate) : clock_(clock), rate_(rate) {}
  Task<Result<bool>> readable(Instant, Wakeup*) override { co_return false; }
  Task<Result<std::size_t>> read(Room, Instant) override { co_return std::size_t{0}; }
  Task<Result<void>> write(Bytes bytes, Instant deadline) override {
    co_return co_await write(std::span<const Bytes>(&bytes, 1), deadline);
  }
  Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) override {
    for (const Bytes piece : pieces) {
      clock_.time = clock_.time + std::chrono::milliseconds(piece.size() * 1000 / rate_);
      if (clock_.time > deadline) {
        co_return failure(Failure::Kind::timed_out, "F-1061", "The peer took too long");
      }
      taken += piece;
    }
    co_return Result<void>();
  }
  void end() override {}
  void close() override {}
  Endpoint peer() const override { return {}; }
  Endpoint local() const override { return {}; }
  std::string taken;

 private:
  Clock& clock_;
  std::size_t rate_;
};

Task<void> send(world::Stream& stream, Clock& clock, std::vector<Bytes> pieces, std::optional<bool>& done) {
  auto sent = co_await write_patiently(stream, clock, pieces);
  done = sent.has_value();
}

Task<void> send_while(world::Stream& stream, Clock& clock, Bytes octets, std::function<bool()> intact,
                      std::optional<Result<void>>& done) {
  const std::vector<Bytes> pieces{octets};
  done = co_await write_patiently(stream, clock, pieces, std::move(intact));
}

}  // namespace

TEST_CASE("server: Of stored octets that became unreadable nothing more is sent") {
  const std::string large(patient_slice * 3, 'x');
  for (int slices = 0; slices < 4; ++slices) {
    CAPTURE(slices);
    Clock clock;
    SlowPeer peer(clock, 10'000'000);
    int asked = 0;
    std::optional<Result<void>> done;
    TaskGroup tasks;
    tasks.start(send_while(peer, clock, large, [&] { return asked++ < slices; }, done));
    REQUIRE(done);
    REQUIRE_FALSE(*done);
    CHECK(done->error().kind == Failure::Kind::corrupt);
    CHECK(peer.taken.size() == static_cast<std::size_t>(slices) * patient_slice);
  }
}

TEST_CASE("server: A slow client gets a large message; one that does not go on is given up") {
  std::string large(20'000'000, 'x');
  for (std::size_t i = 0; i < large.size(); i += 1000) large[i] = static_cast<char>('a' + i / 1000 % 26);
  const std::vector<Bytes> pieces{"head", Bytes(large).substr(0, 3), {}, Bytes(large).substr(3), "tail"};
  for (const auto& [rate, fits] : {std::pair{std::size_t{2'000}, true}, {std::size_t{1'000}, false}}) {
    Clock clock;
    SlowPeer peer(clock, rate);
    std::optional<bool> done;
    TaskGroup tasks;
    tasks.start(send(peer, clock, pieces, done));
    CHECK(done == fits);
    if (fits) CHECK(peer.taken == "head" + large + "tail");  // After nearly three hours.
    if (!fits) CHECK(clock.time - Instant{} < 10min);
  }
}

}  // namespace facteur::server
