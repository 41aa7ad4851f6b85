// Password hashes: Argon2id (RFC 9106) in PHC strings, and PBKDF2 (RFC 8018). No randomness here: salts are inputs.
//
// These take 10 to 50 ms of processor time: call them on the pool (world::blocking), never on a shard.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/hash.hpp"

namespace facteur::crypto {

// RFC 9106 §4 leaves the cost to the site; this is the second choice of OWASP's list: 19 MiB, two passes, one lane.
struct Argon2Cost {
  std::uint32_t memory_kib = 19 * 1024;  // 8 to 1 GiB.
  std::uint32_t passes = 2;              // 1 to 100.
  std::uint32_t lanes = 1;               // 1 to 16.
};

// "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>" with a hash of 32 octets. `salt`: 16 random octets (8 to 64 are
// taken). Fails (permanent) when cost or salt is out of range, (temporary) when there is no memory.
Result<std::string> argon2id_hash(Bytes password, Bytes salt, const Argon2Cost& cost = {});

// Whether `password` belongs to that PHC string (argon2id, argon2i or argon2d). Fails (corrupt) when the string is
// not one or asks for more than the limits above, (temporary) when there is no memory.
Result<bool> argon2_verify(std::string_view phc, Bytes password);

// Whether the string was made with another cost than `cost`: to be hashed anew at the next successful login.
bool argon2_outdated(std::string_view phc, const Argon2Cost& cost = {});

// RFC 8018 §5.2 with HMAC as pseudorandom function; the first block only. iterations > 0.
Sha256Digest pbkdf2_sha256(Bytes password, Bytes salt, std::uint32_t iterations);
Sha1Digest pbkdf2_sha1(Bytes password, Bytes salt, std::uint32_t iterations);

}  // namespace facteur::crypto
