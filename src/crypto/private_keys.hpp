// Private keys that another process may hold: what TLS asks of them, and a ring that holds them here.
//
// A server context made with PrivateKeys has public keys only; each handshake asks for one operation. The roles keys
// and server (roles/) are the two ends: KeyRing on one side, a client of its socket on the other.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace facteur::crypto {

// SHA-256 of the public key (its SubjectPublicKeyInfo).
using KeyId = std::array<std::uint8_t, 32>;

enum class KeyOperation : std::uint8_t {
  ecdsa = 1,      // A signature (DER) of a digest of 20 to 64 octets.
  rsa_pkcs1 = 2,  // A signature of a DigestInfo (PKCS #1 1.5).
  rsa_padded = 3  // On a block the size of the modulus that is padded already (PSS).
};

class PrivateKeys {
 public:
  virtual ~PrivateKeys() = default;
  // The result of the operation; callable from any thread, waits for it. Fails (temporary) if the holder of the keys
  // does not answer, (refused) if it has no such key or the key does not do that.
  virtual Result<std::string> use(const KeyId& key, KeyOperation operation, Bytes input) = 0;
};

// Keys in the memory of this process. Changes before use() by other threads only.
class KeyRing final : public PrivateKeys {
 public:
  KeyRing();
  ~KeyRing() override;
  // Takes the key of a chain. Fails (permanent) if they do not belong together or the kind of key has no operation here
  // (Ed25519).
  Result<KeyId> add(std::string_view chain_pem, std::string_view key_pem);
  Result<std::string> use(const KeyId& key, KeyOperation operation, Bytes input) override;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace facteur::crypto
