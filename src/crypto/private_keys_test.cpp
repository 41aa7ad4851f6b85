#include "crypto/private_keys.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include "crypto/rsa_certificate_test.hpp"
#include "crypto/tls.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::crypto;

namespace {

// Counts what it is asked, and fails when told to.
class Watched final : public PrivateKeys {
 public:
  explicit Watched(std::shared_ptr<PrivateKeys> keys) : keys_(std::move(keys)) {}
  Result<std::string> use(const KeyId& key, KeyOperation operation, Bytes input) override {
    ++asked;
    last = operation;
    if (broken) return failure(Failure::Kind::temporary, "F-0000", "gone");
    return keys_->use(key, operation, input);
  }
  std::atomic<int> asked = 0;
  std::atomic<KeyOperation> last{};
  bool broken = false;

 private:
  std::shared_ptr<PrivateKeys> keys_;
};

// Both sides of a handshake over memory; what the client says about it, or nothing if it failed.
std::optional<TlsSummary> shake_hands(const std::shared_ptr<const TlsServerContext>& context, const char* ca) {
  auto client_context = TlsClientContext::make({.ca_pem = ca, .verify = true});
  REQUIRE(client_context);
  auto server = TlsEngine::server(context, {});
  auto client = TlsEngine::client(*client_context, {.host = "rsa.example", .alpn = {}, .tlsa = {}});
  REQUIRE(server);
  REQUIRE(client);
  std::string to_server, to_client, room(64 * 1024, '\0');
  bool served = false, shaken = false;
  for (int turn = 0; turn < 10 && !(served && shaken); ++turn) {
    const auto move = [&](TlsEngine& engine, std::string& input, std::string& output, bool& done) {
      const auto step = engine.handshake(input, Room(room));
      if (!step) return false;
      input.erase(0, step->consumed);
      output.append(room, 0, step->produced);
      done = step->next == TlsEngine::Step::Next::done;
      return true;
    };
    if (!shaken && !move(**client, to_client, to_server, shaken)) return std::nullopt;
    if (!served && !move(**server, to_server, to_client, served)) return std::nullopt;
  }
  if (!shaken || !served) return std::nullopt;
  return (*client)->summary();
}

}  // namespace

TEST_CASE("a server context without private keys shakes hands by asking for each signature") {
  const auto ecdsa = make_self_signed({"rsa.example"}, UtcTime{1'700'000'000'000}, 36500);
  REQUIRE(ecdsa);
  const TlsCertificate rsa{rsa_certificate, rsa_key};
  for (const auto& certificate : {*ecdsa, rsa}) {
    auto ring = std::make_shared<KeyRing>();
    REQUIRE(ring->add(certificate.chain_pem, certificate.key_pem));
    auto watched = std::make_shared<Watched>(ring);
    const auto context = TlsServerContext::make({.certificates = {{certificate.chain_pem, {}}}, .keys = watched});
    REQUIRE_MESSAGE(context, context.error().text);
    const auto summary = shake_hands(*context, certificate.chain_pem.c_str());
    REQUIRE(summary);
    CHECK(summary->version == "TLSv1.3");
    CHECK(watched->asked == 1);
    CHECK(watched->last == (certificate.chain_pem == rsa.chain_pem ? KeyOperation::rsa_padded : KeyOperation::ecdsa));
    watched->broken = true;
    CHECK(!shake_hands(*context, certificate.chain_pem.c_str()));
    CHECK(watched->asked == 2);
  }
}

TEST_CASE("a ring of keys: only whole pairs go in, only its own keys are used, and for what they are") {
  const auto one = make_self_signed({"one.example"}, UtcTime{1'700'000'000'000});
  const auto two = make_self_signed({"two.example"}, UtcTime{1'700'000'000'000});
  KeyRing ring;
  CHECK(ring.add(one->chain_pem, two->key_pem).error().code == "F-1233");
  CHECK(ring.add(one->chain_pem, "nonsense").error().code == "F-1232");
  CHECK(ring.add("nonsense", one->key_pem).error().code == "F-1231");
  const auto ecdsa = ring.add(one->chain_pem, one->key_pem);
  const auto rsa = ring.add(rsa_certificate, rsa_key);
  REQUIRE(ecdsa);
  REQUIRE(rsa);
  const std::string digest(32, 'd');
  CHECK(ring.use(*ecdsa, KeyOperation::ecdsa, digest));
  CHECK(ring.use(*rsa, KeyOperation::rsa_pkcs1, digest));
  CHECK(!ring.use(*ecdsa, KeyOperation::rsa_pkcs1, digest));
  CHECK(!ring.use(*rsa, KeyOperation::ecdsa, digest));
  CHECK(!ring.use(*ecdsa, KeyOperation::ecdsa, std::string(65, 'd')));
  CHECK(!ring.use(*ecdsa, KeyOperation::ecdsa, ""));
  CHECK(!ring.use(*rsa, KeyOperation::rsa_padded, digest));
  KeyId stranger = *ecdsa;
  stranger[0] ^= 1;
  CHECK(ring.use(stranger, KeyOperation::ecdsa, digest).error().kind == Failure::Kind::refused);
}
