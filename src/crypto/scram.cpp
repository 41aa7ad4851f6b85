#include "crypto/scram.hpp"

#include "crypto/hash.hpp"
#include "crypto/password.hpp"

namespace facteur::crypto {

namespace {

std::string hmac(ScramHash hash, Bytes key, Bytes message) {
  return hash == ScramHash::sha1 ? hmac_sha1(key, message).string() : hmac_sha256(key, message).string();
}

std::string digest(ScramHash hash, Bytes octets) {
  return hash == ScramHash::sha1 ? sha1(octets).string() : sha256(octets).string();
}

// Both of the same size.
std::string exclusive_or(Bytes a, Bytes b) {
  std::string sum(a);
  for (std::size_t i = 0; i < sum.size() && i < b.size(); ++i) sum[i] = static_cast<char>(sum[i] ^ b[i]);
  return sum;
}

}  // namespace

std::string scram_salted_password(ScramHash hash, Bytes password, Bytes salt, std::uint32_t iterations) {
  // RFC 5802 §2.2: Hi() is PBKDF2 with HMAC() and an output as long as that of H().
  return hash == ScramHash::sha1 ? pbkdf2_sha1(password, salt, iterations).string()
                                 : pbkdf2_sha256(password, salt, iterations).string();
}

ScramKeys scram_keys(ScramHash hash, Bytes salted_password) {
  std::string client_key = hmac(hash, salted_password, "Client Key");
  ScramKeys keys{digest(hash, client_key), hmac(hash, salted_password, "Server Key")};
  wipe(client_key);
  return keys;
}

bool scram_verify_proof(ScramHash hash, Bytes stored_key, Bytes auth_message, Bytes proof) {
  // RFC 5802 §3: ClientKey = ClientProof XOR ClientSignature; it is the right one if its hash is the StoredKey.
  if (proof.size() != (hash == ScramHash::sha1 ? 20u : 32u)) return false;
  const std::string client_key = exclusive_or(proof, hmac(hash, stored_key, auth_message));
  return equal_in_constant_time(digest(hash, client_key), stored_key);
}

std::string scram_server_signature(ScramHash hash, Bytes server_key, Bytes auth_message) {
  return hmac(hash, server_key, auth_message);
}

std::string scram_client_proof(ScramHash hash, Bytes salted_password, Bytes auth_message) {
  const std::string client_key = hmac(hash, salted_password, "Client Key");
  return exclusive_or(client_key, hmac(hash, digest(hash, client_key), auth_message));
}

}  // namespace facteur::crypto
