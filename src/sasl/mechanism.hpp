// The words of SASL (RFC 4422): mechanisms, credentials, verifiers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::sasl {

enum class Mechanism : std::uint8_t {
  plain,          // RFC 4616.
  login,          // draft-murchison-sasl-login: never a standard, still used.
  cram_md5,       // RFC 2195: needs the password itself on the server, so only for accounts that opted in.
  scram_sha_1,    // RFC 5802.
  scram_sha_256,  // RFC 7677.
  external,       // RFC 4422 appendix A: the identity comes from TLS.
  oauthbearer,    // RFC 7628.
};

std::string_view name(Mechanism mechanism);                       // "SCRAM-SHA-256".
std::optional<Mechanism> parse_mechanism(std::string_view text);  // Any case.

// PLAIN and LOGIN show the password to the server: only under TLS.
constexpr bool shows_password(Mechanism mechanism) {
  return mechanism == Mechanism::plain || mechanism == Mechanism::login || mechanism == Mechanism::oauthbearer;
}

// What a client claims, and how it was proven. Overwrites the password when it goes.
struct Credentials {
  enum class Proof : std::uint8_t {
    password,   // `password` is to be checked.
    proven,     // The exchange has proven it against the verifier: only whether the account may log in is left.
    disproven,  // The exchange has failed: to be counted by the brake on guessing; the answer cannot be accepted.
  };
  Mechanism mechanism = Mechanism::plain;
  Proof proof = Proof::password;
  std::string authorization;  // Whom to act as (RFC 4422 §3.4.1); empty: the login.
  std::string login;
  std::string password;

  Credentials() = default;
  Credentials(const Credentials&) = default;
  Credentials(Credentials&&) = default;
  Credentials& operator=(const Credentials&) = default;
  Credentials& operator=(Credentials&&) = default;
  ~Credentials();
};

// What the server knows instead of the password (RFC 5802 §3), or for CRAM-MD5 the shared secret.
struct Verifier {
  std::string salt;  // Octets.
  std::uint32_t iterations = 0;
  std::string stored_key;
  std::string server_key;
  std::string secret;  // CRAM-MD5 only; the rest is empty then.
};

// RFC 5802 §3: what to store for SCRAM. `salt` are octets, at least 16; `iterations` at least 4096.
Verifier make_scram_verifier(Mechanism mechanism, std::string_view password, std::string_view salt,
                             std::uint32_t iterations);

}  // namespace facteur::sasl
