// The keys of SCRAM (RFC 5802 §3 for SHA-1, RFC 7677 for SHA-256): what a server stores, and the sums of an exchange.
//
// Messages, SASLprep and channel binding stand in sasl/; here are only octets.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace facteur::crypto {

enum class ScramHash : std::uint8_t { sha1, sha256 };

// What a server keeps of a password: enough to verify a proof, not enough to log in.
struct ScramKeys {
  std::string stored_key;  // H(HMAC(SaltedPassword, "Client Key")): 20 or 32 octets.
  std::string server_key;  // HMAC(SaltedPassword, "Server Key").
};

// RFC 5802 §3: SaltedPassword = Hi(password, salt, iterations). Takes milliseconds (PBKDF2): call it on the pool.
std::string scram_salted_password(ScramHash hash, Bytes password, Bytes salt, std::uint32_t iterations);
ScramKeys scram_keys(ScramHash hash, Bytes salted_password);
inline ScramKeys scram_keys(ScramHash hash, Bytes password, Bytes salt, std::uint32_t iterations) {
  return scram_keys(hash, scram_salted_password(hash, password, salt, iterations));
}

// Whether `proof` (decoded) was made by one who knows the password, for that AuthMessage. Constant time.
bool scram_verify_proof(ScramHash hash, Bytes stored_key, Bytes auth_message, Bytes proof);

// What the server answers (v=, before base64).
std::string scram_server_signature(ScramHash hash, Bytes server_key, Bytes auth_message);

// What a client sends (p=, before base64).
std::string scram_client_proof(ScramHash hash, Bytes salted_password, Bytes auth_message);

}  // namespace facteur::crypto
