#include "message/binhex.hpp"

#include <array>
#include <cstdint>

namespace facteur::message {
namespace {

constexpr std::string_view alphabet = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

constexpr auto values = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}();

// Undoes the runs: octet 0x90 count; 0x90 0x00 is 0x90 itself (RFC 1741 appendix A).
class Runs {
 public:
  void add(unsigned char octet) {
    if (marked_) {
      marked_ = false;
      if (octet == 0) {
        out_ += static_cast<char>(0x90);
      } else if (!out_.empty()) {
        out_.append(octet - 1u, out_.back());
      }
    } else if (octet == 0x90) {
      marked_ = true;
    } else {
      out_ += static_cast<char>(octet);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
  bool marked_ = false;
};

// CRC-CCITT over the octets and two zero octets in place of the checksum.
std::uint16_t crc_of(Bytes octets) {
  std::uint32_t crc = 0;
  const auto add = [&crc](unsigned char octet) {
    crc ^= static_cast<std::uint32_t>(octet) << 8;
    for (int i = 0; i < 8; ++i) crc = (crc & 0x8000u) != 0 ? (crc << 1 ^ 0x1021u) & 0xffffu : crc << 1 & 0xffffu;
  };
  for (const char c : octets) add(static_cast<unsigned char>(c));
  return static_cast<std::uint16_t>(crc);
}

std::uint32_t number_at(Bytes octets, std::size_t at, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(octets[at + i]);
  return value;
}

// name length, name, NUL, type, creator, flags, two lengths, checksum; then the data fork and its checksum.
void read_forks(BinHex& out, Bytes all) {
  if (all.empty()) return;
  const std::size_t name = static_cast<unsigned char>(all[0]);
  const std::size_t header = 1 + name + 1 + 4 + 4 + 2 + 4 + 4;
  if (name == 0 || name > 63 || all.size() < header + 2) return;
  out.name = std::string(all.substr(1, name));
  const std::uint32_t length = number_at(all, header - 8, 4);
  const bool header_good = number_at(all, header, 2) == crc_of(all.substr(0, header));
  out.octets = std::string(all.substr(header + 2, length));
  const std::size_t end = header + 2 + std::size_t{length};
  out.complete = header_good && end + 2 <= all.size() && number_at(all, end, 2) == crc_of(out.octets);
}

}  // namespace

BinHex read_binhex_text(Bytes text) {
  BinHex out;
  std::size_t at = text.find(':');
  out.length = text.size();
  if (at == Bytes::npos) return out;
  Runs runs;
  std::uint32_t group = 0;
  int bits = 0;
  for (++at; at < text.size() && text[at] != ':'; ++at) {
    const int value = values[static_cast<unsigned char>(text[at])];
    if (value < 0) {
      if (text[at] == '\n' || text[at] == '\r' || text[at] == ' ' || text[at] == '\t') continue;
      break;
    }
    group = group << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    runs.add(static_cast<unsigned char>(group >> bits & 0xff));
  }
  const std::size_t end = text.find('\n', at);
  out.length = end == Bytes::npos ? text.size() : end + 1;
  const std::string all = runs.take();
  read_forks(out, all);
  return out;
}

}  // namespace facteur::message
