#include "sasl/server.hpp"

#include <utility>

#include "base/assert.hpp"
#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "crypto/scram.hpp"
#include "sasl/scram_message.hpp"

namespace facteur::sasl {
namespace {

constexpr std::size_t longest_name = 1024;  // Octets of a login or password: longer ones are nobody's.

Step malformed(std::string why) { return Done{.accepted = false, .malformed = true, .why = std::move(why)}; }

crypto::ScramHash hash_of(Mechanism mechanism) {
  return mechanism == Mechanism::scram_sha_1 ? crypto::ScramHash::sha1 : crypto::ScramHash::sha256;
}

}  // namespace

struct ServerExchange::State {
  enum class Wait : std::uint8_t {
    nothing,
    plain_response,
    login_name,
    login_password,
    cram_response,
    cram_verifier,
    scram_first,
    scram_verifier,
    scram_final,
    check,
    last_response,  // SCRAM: the client's empty answer to our signature.
  };

  Parameters parameters;
  Mechanism mechanism = Mechanism::plain;
  Wait wait = Wait::nothing;
  Credentials credentials;
  std::string challenge;     // CRAM-MD5: what we sent; SCRAM: server-first.
  std::string response;      // CRAM-MD5: the digest the client sent, in hexadecimal.
  std::string first_bare;    // SCRAM.
  std::string gs2_header;    // SCRAM.
  std::string client_nonce;  // SCRAM.
  std::string signature;     // SCRAM: "v=...", for after the check.
  std::optional<Verifier> known;

  Step ask(Wait next, std::string octets) {
    wait = next;
    return Challenge{std::move(octets)};
  }
  Step check() {
    wait = Wait::check;
    return CheckCredentials{std::move(credentials)};
  }

  Step plain(Bytes message);
  Step cram(Bytes message);
  Step cram_verified();
  Step scram_first(Bytes message);
  Step scram_challenge();
  Step scram_final(Bytes message);
};

ServerExchange::ServerExchange(Parameters parameters) : state_(std::make_unique<State>()) {
  state_->parameters = std::move(parameters);
}
ServerExchange::~ServerExchange() = default;
ServerExchange::ServerExchange(ServerExchange&&) noexcept = default;
ServerExchange& ServerExchange::operator=(ServerExchange&&) noexcept = default;

Step ServerExchange::start(Mechanism mechanism, std::optional<Bytes> initial) {
  State& s = *state_;
  s.mechanism = mechanism;
  s.credentials.mechanism = mechanism;
  switch (mechanism) {
    case Mechanism::plain:
      if (initial) return s.plain(*initial);
      return s.ask(State::Wait::plain_response, "");
    case Mechanism::login:
      if (!initial) return s.ask(State::Wait::login_name, "Username:");
      s.wait = State::Wait::login_name;
      return response(*initial);
    case Mechanism::cram_md5:
      if (initial) return malformed("CRAM-MD5 has no initial response");  // RFC 4954 §4.
      s.challenge = "<" + s.parameters.nonce + "@" + s.parameters.hostname + ">";
      return s.ask(State::Wait::cram_response, s.challenge);
    case Mechanism::scram_sha_1:
    case Mechanism::scram_sha_256:
      if (initial) return s.scram_first(*initial);
      return s.ask(State::Wait::scram_first, "");
    case Mechanism::external:
    case Mechanism::oauthbearer:
      return malformed("a mechanism that is not offered");
  }
  return malformed("no mechanism");
}

Step ServerExchange::response(Bytes decoded) {
  State& s = *state_;
  using Wait = State::Wait;
  switch (std::exchange(s.wait, Wait::nothing)) {
    case Wait::plain_response:
      return s.plain(decoded);
    case Wait::login_name:
      if (decoded.empty() || decoded.size() > longest_name || decoded.contains('\0')) {
        return malformed("not a login name");
      }
      s.credentials.login = decoded;
      return s.ask(Wait::login_password, "Password:");
    case Wait::login_password:
      if (decoded.size() > longest_name || decoded.contains('\0')) return malformed("not a password");
      s.credentials.password = decoded;
      return s.check();
    case Wait::cram_response:
      return s.cram(decoded);
    case Wait::scram_first:
      return s.scram_first(decoded);
    case Wait::scram_final:
      return s.scram_final(decoded);
    case Wait::last_response:
      if (!decoded.empty()) return malformed("more than the exchange needs");
      return Done{.accepted = true, .malformed = false, .why = {}};
    case Wait::nothing:
    case Wait::cram_verifier:
    case Wait::scram_verifier:
    case Wait::check:
      break;
  }
  CHECK_OR_BUG(false);
  std::unreachable();
}

Step ServerExchange::verifier(std::optional<Verifier> found) {
  State& s = *state_;
  s.known = std::move(found);
  switch (std::exchange(s.wait, State::Wait::nothing)) {
    case State::Wait::cram_verifier:
      return s.cram_verified();
    case State::Wait::scram_verifier:
      return s.scram_challenge();
    default:
      break;
  }
  CHECK_OR_BUG(false);
  std::unreachable();
}

Step ServerExchange::checked(bool accepted) {
  State& s = *state_;
  CHECK_OR_BUG(s.wait == State::Wait::check);
  s.wait = State::Wait::nothing;
  if (!accepted) return Done{.accepted = false, .malformed = false, .why = "wrong credentials"};
  if (!s.signature.empty()) return s.ask(State::Wait::last_response, std::move(s.signature));
  return Done{.accepted = true, .malformed = false, .why = {}};
}

// RFC 4616 §2: [authzid] NUL authcid NUL passwd.
Step ServerExchange::State::plain(Bytes message) {
  const auto first = message.find('\0');
  if (first == Bytes::npos) return malformed("PLAIN without NUL");
  const auto second = message.find('\0', first + 1);
  if (second == Bytes::npos) return malformed("PLAIN with one NUL");
  credentials.authorization = message.substr(0, first);
  credentials.login = message.substr(first + 1, second - first - 1);
  credentials.password = message.substr(second + 1);
  if (credentials.login.empty() || credentials.password.contains('\0') || credentials.login.size() > longest_name ||
      credentials.password.size() > longest_name || credentials.authorization.size() > longest_name) {
    return malformed("PLAIN with parts that are not allowed");
  }
  return check();
}

// RFC 2195 §2: login, space, 32 hexadecimal digits. The login may hold spaces, so the last one counts.
Step ServerExchange::State::cram(Bytes message) {
  const auto space = message.rfind(' ');
  if (space == Bytes::npos || space == 0 || space > longest_name || message.size() - space - 1 != 32 ||
      message.substr(0, space).contains('\0')) {
    return malformed("not a CRAM-MD5 response");
  }
  credentials.login = message.substr(0, space);
  response = message.substr(space + 1);
  wait = Wait::cram_verifier;
  return FetchVerifier{mechanism, credentials.login};
}

Step ServerExchange::State::cram_verified() {
  const bool usable = known && !known->secret.empty();
  const auto expected = to_hex(crypto::hmac_md5(usable ? known->secret : parameters.nonce, challenge).view());
  const bool equal = crypto::equal_in_constant_time(expected, response);
  if (known) crypto::wipe(known->secret);
  credentials.proof = usable && equal ? Credentials::Proof::proven : Credentials::Proof::disproven;
  return check();
}

Step ServerExchange::State::scram_first(Bytes message) {
  if (message.size() > 4 * longest_name) return malformed("a SCRAM message that is too long");
  auto first = parse_client_first(message);
  if (!first) return malformed("not a SCRAM client-first-message");
  credentials.authorization = std::move(first->authorization);
  credentials.login = std::move(first->login);
  if (credentials.login.size() > longest_name) return malformed("not a login name");
  client_nonce = std::move(first->nonce);
  first_bare = first->bare;
  gs2_header = first->gs2_header;
  wait = Wait::scram_verifier;
  return FetchVerifier{mechanism, credentials.login};
}

Step ServerExchange::State::scram_challenge() {
  if (!known || known->salt.empty() || known->iterations == 0) {
    // Nothing was made up for us: the exchange goes on with a salt of its own and must fail.
    known.reset();
    const auto salt = crypto::sha256(parameters.nonce + credentials.login).string().substr(0, 16);
    challenge = "r=" + client_nonce + parameters.nonce + ",s=" + to_base64(salt) + ",i=4096";
  } else {
    challenge = "r=" + client_nonce + parameters.nonce + ",s=" + to_base64(known->salt) +
                ",i=" + std::to_string(known->iterations);
  }
  return ask(Wait::scram_final, challenge);
}

Step ServerExchange::State::scram_final(Bytes message) {
  if (message.size() > 4 * longest_name) return malformed("a SCRAM message that is too long");
  const auto last = parse_client_final(message);
  if (!last) return malformed("not a SCRAM client-final-message");
  // RFC 5802 §5.1: the nonce and the binding must be those of this exchange.
  if (last->nonce != client_nonce + parameters.nonce || last->binding != gs2_header) {
    return malformed("a SCRAM message of another exchange");
  }
  const std::string auth_message = first_bare + "," + challenge + "," + std::string(last->without_proof);
  const auto hash = hash_of(mechanism);
  const std::string stored = known ? known->stored_key : crypto::sha256(parameters.nonce).string();
  const bool proven = crypto::scram_verify_proof(hash, stored, auth_message, last->proof) && known;
  credentials.proof = proven ? Credentials::Proof::proven : Credentials::Proof::disproven;
  if (proven) signature = "v=" + to_base64(crypto::scram_server_signature(hash, known->server_key, auth_message));
  return check();
}

std::string fresh_nonce(Bytes seed, std::uint64_t counter) {
  std::string octets(seed);
  for (int shift = 56; shift >= 0; shift -= 8) octets += static_cast<char>(counter >> shift & 0xff);
  return to_hex(crypto::sha256(octets).view().substr(0, 18));
}

}  // namespace facteur::sasl
