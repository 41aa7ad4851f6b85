#include "sasl/client.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "crypto/scram.hpp"
#include "sasl/scram_message.hpp"

namespace facteur::sasl {
namespace {

// RFC 5802 §5.1 asks for 4096 at least; more than this is an attempt to keep us busy.
constexpr std::uint32_t least_iterations = 4096;
constexpr std::uint32_t most_iterations = 1'000'000;

std::unexpected<Failure> wrong(std::string_view code, std::string why) {
  return failure(Failure::Kind::permanent, code, "The other server's part of the login is wrong", std::move(why));
}

}  // namespace

std::optional<Mechanism> choose(std::span<const Mechanism> offered, bool secure) {
  constexpr std::array preference{Mechanism::scram_sha_256, Mechanism::scram_sha_1, Mechanism::cram_md5,
                                  Mechanism::plain, Mechanism::login};
  const auto has = [&](Mechanism m) { return std::ranges::find(offered, m) != offered.end(); };
  for (const auto mechanism : preference) {
    if (shows_password(mechanism) && !secure) continue;
    // RFC 8314 §4.1: under TLS a password in the clear is better than MD5.
    if (mechanism == Mechanism::cram_md5 && secure && has(Mechanism::plain)) continue;
    if (has(mechanism)) return mechanism;
  }
  return std::nullopt;
}

struct ClientExchange::State {
  Mechanism mechanism;
  Parameters parameters;
  int step = 0;
  bool complete = false;
  std::string first_bare{};
  std::string signature{};  // Expected from the server, in base64.

  std::string gs2_header() const {
    return parameters.authorization.empty() ? "n,," : "n,a=" + encode_name(parameters.authorization) + ",";
  }
  std::string scram_first() {
    first_bare = "n=" + encode_name(parameters.login) + ",r=" + parameters.nonce;
    return gs2_header() + first_bare;
  }
  Result<std::string> scram_final(Bytes challenge);
};

ClientExchange::ClientExchange(Mechanism mechanism, Parameters parameters)
    : state_(std::make_unique<State>(State{mechanism, std::move(parameters)})) {}
ClientExchange::~ClientExchange() {
  if (state_) crypto::wipe(state_->parameters.password);
}
ClientExchange::ClientExchange(ClientExchange&&) noexcept = default;
ClientExchange& ClientExchange::operator=(ClientExchange&&) noexcept = default;

std::optional<std::string> ClientExchange::initial() {
  State& s = *state_;
  switch (s.mechanism) {
    case Mechanism::plain:
      s.complete = true;
      return s.parameters.authorization + '\0' + s.parameters.login + '\0' + s.parameters.password;
    case Mechanism::scram_sha_1:
    case Mechanism::scram_sha_256:
      s.step = 1;
      return s.scram_first();
    default:
      return std::nullopt;
  }
}

Result<std::string> ClientExchange::answer(Bytes challenge) {
  State& s = *state_;
  const int step = s.step++;
  switch (s.mechanism) {
    case Mechanism::login:
      // Servers word their questions differently; the order is always the same.
      if (step == 0) return s.parameters.login;
      s.complete = true;
      if (step == 1) return s.parameters.password;
      break;
    case Mechanism::cram_md5:
      if (step != 0) break;
      s.complete = true;
      return s.parameters.login + ' ' + to_hex(crypto::hmac_md5(s.parameters.password, challenge).view());
    case Mechanism::scram_sha_1:
    case Mechanism::scram_sha_256:
      if (step == 0) return s.scram_first();
      if (step == 1) return s.scram_final(challenge);
      if (step == 2) {
        // RFC 5802 §5: the server proves that it knows the password too.
        if (!crypto::equal_in_constant_time(challenge, "v=" + s.signature)) return wrong("F-4000", "server signature");
        s.complete = true;
        return std::string();
      }
      break;
    default:
      break;
  }
  return wrong("F-4001", "more challenges than the mechanism has");
}

bool ClientExchange::complete() const { return state_->complete; }

Result<std::string> ClientExchange::State::scram_final(Bytes challenge) {
  const auto first = parse_server_first(challenge);
  if (!first) return wrong("F-4002", "not a SCRAM server-first-message");
  if (!first->nonce.starts_with(parameters.nonce) || first->nonce.size() == parameters.nonce.size()) {
    return wrong("F-4003", "the nonce is not ours");
  }
  if (first->iterations < least_iterations || first->iterations > most_iterations) {
    return wrong("F-4004", "iteration count " + std::to_string(first->iterations));
  }
  const auto hash = mechanism == Mechanism::scram_sha_1 ? crypto::ScramHash::sha1 : crypto::ScramHash::sha256;
  auto salted = crypto::scram_salted_password(hash, parameters.password, first->salt, first->iterations);
  const auto without_proof = "c=" + to_base64(gs2_header()) + ",r=" + first->nonce;
  const auto auth_message = first_bare + "," + std::string(challenge) + "," + without_proof;
  const auto keys = crypto::scram_keys(hash, salted);
  signature = to_base64(crypto::scram_server_signature(hash, keys.server_key, auth_message));
  const auto proof = crypto::scram_client_proof(hash, salted, auth_message);
  crypto::wipe(salted);
  return without_proof + ",p=" + to_base64(proof);
}

}  // namespace facteur::sasl
