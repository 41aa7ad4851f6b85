#include "crypto/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace facteur::crypto {

namespace {

// The polynomial 0x1EDC6F41 with its bits reversed (RFC 3720 §12.1).
constexpr std::uint32_t polynomial = 0x82f63b78;

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b]: what the octet b contributes when k octets follow it, so that eight octets go at once.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? polynomial : 0);
    tables[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t b = 0; b < 256; ++b) {
      tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xff];
    }
  }
  return tables;
}
constexpr Tables tables = make_tables();

std::uint32_t one_octet(std::uint32_t crc, char c) {
  return (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(c)) & 0xff];
}

std::uint64_t little_endian_word(const char* at) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) word |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  return word;
}

#if defined(__x86_64__)
// What `block` zero octets behind a text make of its checksum: linear, so four tables of octets hold it.
constexpr std::size_t block = 1024;
using Shift = std::array<std::array<std::uint32_t, 256>, 4>;

Shift make_shift() {
  Shift shift{};
  std::array<std::uint32_t, 32> bits{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < block; ++i) crc = (crc >> 8) ^ tables[0][crc & 0xff];
    bits[bit] = crc;
  }
  for (std::size_t octet = 0; octet < 4; ++octet) {
    for (std::size_t value = 0; value < 256; ++value) {
      for (std::size_t bit = 0; bit < 8; ++bit) {
        if (value >> bit & 1) shift[octet][value] ^= bits[8 * octet + bit];
      }
    }
  }
  return shift;
}

std::uint64_t shifted(const Shift& shift, std::uint64_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^ shift[3][crc >> 24 & 0xff];
}

__attribute__((target("sse4.2"))) std::uint32_t with_instruction(Bytes octets, std::uint32_t before) {
  static const Shift shift = make_shift();
  std::uint64_t crc = ~before;
  const char* at = octets.data();
  std::size_t left = octets.size();
  // The instruction takes three cycles but can begin each cycle: three blocks side by side.
  for (; left >= 3 * block; at += 3 * block, left -= 3 * block) {
    std::uint64_t second = 0, third = 0;
    for (std::size_t i = 0; i < block; i += 8) {
      std::uint64_t words[3];
      std::memcpy(&words[0], at + i, 8);
      std::memcpy(&words[1], at + block + i, 8);
      std::memcpy(&words[2], at + 2 * block + i, 8);
      crc = _mm_crc32_u64(crc, words[0]);
      second = _mm_crc32_u64(second, words[1]);
      third = _mm_crc32_u64(third, words[2]);
    }
    crc = shifted(shift, shifted(shift, crc) ^ second) ^ third;
  }
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  auto short_crc = static_cast<std::uint32_t>(crc);
  for (; left > 0; ++at, --left) short_crc = _mm_crc32_u8(short_crc, static_cast<unsigned char>(*at));
  return ~short_crc;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(Bytes octets, std::uint32_t before) {
  std::uint32_t crc = ~before;
  const char* at = octets.data();
  std::size_t left = octets.size();
  for (; left >= 8; at += 8, left -= 8) {
    const std::uint64_t word = little_endian_word(at) ^ crc;
    crc = 0;
    for (std::size_t i = 0; i < 8; ++i) crc ^= tables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; left > 0; ++at, --left) crc = one_octet(crc, *at);
  return ~crc;
}

std::uint32_t crc32c(Bytes octets, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return with_instruction(octets, before);
#endif
  return crc32c_portable(octets, before);
}

}  // namespace facteur::crypto
