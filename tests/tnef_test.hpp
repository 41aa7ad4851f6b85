// Pieces of a winmail.dat, for tests of what reads and searches it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace facteur::tnef {

// One attribute of TNEF (MS-OXTNEF §2.1.3): level, tag, length, value, checksum.
inline std::string attribute(char level, std::uint32_t tag, std::string_view value) {
  std::string out(1, level);
  const auto number = [&out](std::size_t n, int octets) {
    for (int i = 0; i < octets; ++i) out += static_cast<char>(n >> (8 * i));
  };
  number(tag, 4);
  number(value.size(), 4);
  out += value;
  std::size_t sum = 0;
  for (const char c : value) sum += static_cast<unsigned char>(c);
  number(sum & 0xffff, 2);
  return out;
}

// A subject, a text, and list.csv with "apples;pears".
inline std::string letter_with_a_file() {
  using namespace std::string_view_literals;
  return std::string("\x78\x9f\x3e\x22\x01\x00"sv)
      .append(attribute(1, 0x18004, "The subject\0"sv))
      .append(attribute(1, 0x2800c, "Words of the body\0"sv))
      .append(attribute(2, 0x69002, std::string(14, '\0')))
      .append(attribute(2, 0x18010, "list.csv\0"sv))
      .append(attribute(2, 0x6800f, "apples;pears"));
}

}  // namespace facteur::tnef
