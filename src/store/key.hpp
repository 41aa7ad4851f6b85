// Writing and reading keys and record values: big-endian integers, so that ranges sort, and length-prefixed strings.
//
//   Key('P').u32(account).u48(container).u32(uid)
//   Parser p(value); auto a = p.u32(); ... if (!p.ok()) corrupt
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"

namespace facteur::store {

// Writes; used for keys and for record values alike.
class Key {
 public:
  Key() = default;
  explicit Key(char subspace) { text_ += subspace; }

  Key& reserve(std::size_t octets) {  // For records: room for so many, so that it need not grow.
    text_.reserve(octets);
    return *this;
  }

  Key& u8(std::uint8_t v) { return big_endian(v, 1); }
  Key& u16(std::uint16_t v) { return big_endian(v, 2); }
  Key& u32(std::uint32_t v) { return big_endian(v, 4); }
  Key& u48(std::uint64_t v) { return big_endian(v, 6); }
  Key& u64(std::uint64_t v) { return big_endian(v, 8); }
  Key& raw(Bytes octets) {
    text_ += octets;
    return *this;
  }
  Key& string(Bytes octets) {  // u32 length, then the octets.
    u32(static_cast<std::uint32_t>(octets.size()));
    return raw(octets);
  }

  operator Bytes() const { return text_; }
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  Key& big_endian(std::uint64_t v, int octets) {
    const std::uint64_t turned = std::endian::native == std::endian::little ? std::byteswap(v) : v;
    const auto bytes = std::bit_cast<std::array<char, 8>>(turned);
    text_.append(bytes.data() + 8 - octets, static_cast<std::size_t>(octets));
    return *this;
  }
  std::string text_;
};

// The first key behind all keys that begin with `prefix`.
inline std::string behind(Bytes prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// Reads what Key wrote. Past the end everything is 0 or empty and ok() is false: records come from the disk, and a
// damaged one must end in a Failure, never in a crash.
class Parser {
 public:
  explicit Parser(Bytes text) : rest_(text) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(big_endian(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian(4)); }
  std::uint64_t u48() { return big_endian(6); }
  std::uint64_t u64() { return big_endian(8); }
  Bytes raw(std::size_t count) {
    if (rest_.size() < count) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const Bytes octets = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return octets;
  }
  Bytes string() { return raw(u32()); }

  Bytes rest() const { return rest_; }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::uint64_t big_endian(std::size_t octets) {
    std::uint64_t v = 0;
    for (const char c : raw(octets)) v = v << 8 | static_cast<unsigned char>(c);
    return v;
  }
  Bytes rest_;
  bool ok_ = true;
};

}  // namespace facteur::store
