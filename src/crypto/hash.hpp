// Hashes and HMAC. All are one-shot functions, SHA-256 is also an object that takes the octets in pieces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace facteur::crypto {

// What a hash gives: N octets.
template <std::size_t N>
struct Digest {
  std::array<std::uint8_t, N> octets{};

  Bytes view() const { return {reinterpret_cast<const char*>(octets.data()), N}; }  // Valid as long as this.
  std::string string() const { return std::string(view()); }
  friend auto operator<=>(const Digest&, const Digest&) = default;
};
using Sha256Digest = Digest<32>;
using Sha1Digest = Digest<20>;
using Md5Digest = Digest<16>;

Sha256Digest sha256(Bytes octets);  // FIPS 180-4.
Sha1Digest sha1(Bytes octets);      // For SCRAM-SHA-1 and old formats; never for signatures.
Md5Digest md5(Bytes octets);        // For CRAM-MD5 and non-cryptographic identifiers.

// RFC 2104. Keys of any length.
Sha256Digest hmac_sha256(Bytes key, Bytes message);
Sha1Digest hmac_sha1(Bytes key, Bytes message);
Md5Digest hmac_md5(Bytes key, Bytes message);

// SHA-256 of octets that come in pieces. It is a plain value: a copy goes on from the same state.
class Sha256 {
 public:
  Sha256();
  void update(Bytes octets);
  // The digest of all octets so far. update() may not be called afterwards; make a copy first to go on.
  Sha256Digest finish();

 private:
  alignas(8) std::array<std::byte, 112> state_;
};

// Whether both are equal, in a time that depends only on their sizes (for secrets, tokens, proofs).
bool equal_in_constant_time(Bytes a, Bytes b);

// Overwrites a secret, in a way that the compiler does not remove.
void wipe(std::string& secret);

}  // namespace facteur::crypto
