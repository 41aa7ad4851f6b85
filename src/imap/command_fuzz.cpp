// Any octets as one command: the parser ends, and reads nothing outside.
#include <cstddef>
#include <cstdint>
#include <string>

#include "imap/command_parser.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  using namespace facteur::imap;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(octets) + 1, size - 1);
  const bool utf8 = (octets[0] & 1) != 0;
  const auto parsed = parse_command(text, utf8);
  if (!parsed && parsed.error().text.empty()) __builtin_trap();
  static_cast<void>(parse_append(text, utf8));
  static_cast<void>(parse_append_rest(text, (octets[0] & 2) != 0, (octets[0] & 4) != 0));
  return 0;
}
