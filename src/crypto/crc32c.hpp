// CRC-32C (Castagnoli; RFC 3720 appendix B.4 has test vectors): the checksum of records on disk.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace facteur::crypto {

// The checksum of octets whose prefix has the checksum `before` (0: there is no prefix), so that
// crc32c(b, crc32c(a)) == crc32c(a + b). Uses the processor's instruction where there is one.
std::uint32_t crc32c(Bytes octets, std::uint32_t before = 0);

// The same without special instructions: for other processors, and to check the one above.
std::uint32_t crc32c_portable(Bytes octets, std::uint32_t before = 0);

}  // namespace facteur::crypto
