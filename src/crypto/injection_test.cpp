#include <doctest/doctest.h>

#include "crypto/injection.hpp"
#include "crypto/tls.hpp"

using namespace facteur;
using namespace facteur::crypto;

namespace {

constexpr UtcTime day{1'790'000'000'000};

// A source that counts; the sequence depends on where it starts.
std::function<void(Room)> counting(std::uint64_t& state) {
  return [&state](Room room) {
    for (char& octet : room) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      octet = static_cast<char>(state >> 56);
    }
  };
}

std::string key_from(std::uint64_t seed) {
  const Injection injection(counting(seed), [] { return day; });
  const auto made = make_self_signed({"mx.example"}, day);
  REQUIRE(made);
  return made->key_pem + made->chain_pem;
}

// Both sides of a handshake over memory: every octet that passed, and the client's failure if there was one.
struct Handshake {
  std::string octets;
  std::optional<Failure> refused;
};
Handshake shake_hands(std::uint64_t seed, UtcTime now) {
  static const auto certificate = make_self_signed({"mx.example"}, day, 30);
  REQUIRE(certificate);
  const Injection injection(counting(seed), [now] { return now; });
  const auto server_context = TlsServerContext::make({.certificates = {*certificate}});
  const auto client_context = TlsClientContext::make({.ca_pem = certificate->chain_pem, .verify = true});
  REQUIRE(server_context);
  REQUIRE(client_context);
  auto server = TlsEngine::server(*server_context, {});
  auto client = TlsEngine::client(*client_context, {.host = "mx.example", .alpn = {}, .tlsa = {}});
  REQUIRE(server);
  REQUIRE(client);
  Handshake out;
  std::string to_client, to_server;
  for (int turn = 0; turn < 20; ++turn) {
    std::string room(TlsEngine::record_room, '\0');
    auto& engine = turn % 2 == 0 ? **client : **server;
    std::string& input = turn % 2 == 0 ? to_client : to_server;
    const auto step = engine.handshake(input, room);
    if (!step) {
      if (turn % 2 == 0) out.refused = step.error();
      break;
    }
    input.erase(0, step->consumed);
    (turn % 2 == 0 ? to_server : to_client).append(room, 0, step->produced);
    out.octets.append(room, 0, step->produced);
  }
  return out;
}

}  // namespace

TEST_CASE("DECISIONS 21: The same chance gives the same key and the same handshake") {
  CHECK(key_from(7) == key_from(7));
  CHECK(key_from(7) != key_from(8));
  const auto once = shake_hands(7, day);
  CHECK(!once.refused);
  CHECK(once.octets.size() > 1000);
  CHECK(shake_hands(7, day).octets == once.octets);
  CHECK(shake_hands(8, day).octets != once.octets);
}

TEST_CASE("DECISIONS 21: Certificates are judged at the injected time") {
  CHECK(!shake_hands(1, day + 24h * 29).refused);
  const auto late = shake_hands(1, day + 24h * 31);
  REQUIRE(late.refused);
  CHECK(late.refused->kind == Failure::Kind::refused);
}

TEST_CASE("DECISIONS 21: Without an injection OpenSSL draws by itself") {
  const auto one = make_self_signed({"mx.example"}, day), two = make_self_signed({"mx.example"}, day);
  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->key_pem != two->key_pem);
}
