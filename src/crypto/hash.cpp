// OpenSSL's direct functions: its generic ones look up an implementation by name at each call, which costs more than
// hashing a short text.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.hpp"

#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <cstring>

namespace facteur::crypto {

static_assert(sizeof(SHA256_CTX) <= 112 && alignof(SHA256_CTX) <= 8);

namespace {

SHA256_CTX* context(std::array<std::byte, 112>& state) { return reinterpret_cast<SHA256_CTX*>(state.data()); }

// RFC 2104 §2: H(K xor opad, H(K xor ipad, text)), with blocks of 64 octets, as all three hashes have.
template <class Digest>
Digest hmac(Digest (*hash)(Bytes), Bytes key, Bytes message) {
  constexpr std::size_t block = 64;
  std::string padded(key.size() > block ? hash(key).string() : std::string(key));
  padded.resize(block, '\0');
  std::string inner(padded);
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  inner += message;
  std::string outer(padded);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  outer += hash(inner).view();
  const Digest digest = hash(outer);
  wipe(padded);
  wipe(inner);
  wipe(outer);
  return digest;
}

}  // namespace

Sha256Digest sha256(Bytes octets) {
  Sha256 hash;
  hash.update(octets);
  return hash.finish();
}

Sha1Digest sha1(Bytes octets) {
  Sha1Digest digest;
  SHA_CTX state;
  SHA1_Init(&state);
  SHA1_Update(&state, octets.data(), octets.size());
  SHA1_Final(digest.octets.data(), &state);
  return digest;
}

Md5Digest md5(Bytes octets) {
  Md5Digest digest;
  MD5_CTX state;
  MD5_Init(&state);
  MD5_Update(&state, octets.data(), octets.size());
  MD5_Final(digest.octets.data(), &state);
  return digest;
}

Sha256Digest hmac_sha256(Bytes key, Bytes message) { return hmac(sha256, key, message); }
Sha1Digest hmac_sha1(Bytes key, Bytes message) { return hmac(sha1, key, message); }
Md5Digest hmac_md5(Bytes key, Bytes message) { return hmac(md5, key, message); }

Sha256::Sha256() { SHA256_Init(context(state_)); }

void Sha256::update(Bytes octets) { SHA256_Update(context(state_), octets.data(), octets.size()); }

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  SHA256_Final(digest.octets.data(), context(state_));
  return digest;
}

bool equal_in_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace facteur::crypto
