#include "message/tnef_reader.hpp"

namespace facteur::message {

namespace mapi {

void skip_name(TnefReader& reader) {
  reader.take(16);
  if (reader.number(4) == 0) {
    reader.take(4);
    return;
  }
  const std::uint64_t length = reader.number(4);
  reader.take(length);
  reader.pad(length);
}

bool read_value(TnefReader& reader, MapiProperty& into) {
  const auto type = static_cast<std::uint16_t>(into.type & ~several);
  const bool variable = has_length(type);
  const std::size_t fixed = width(type);
  if (!variable && fixed == 0) return false;
  std::uint64_t count = variable || (into.type & several) != 0 ? reader.number(4) : 1;
  for (bool first = true; count > 0 && !reader.failed(); --count, first = false) {
    const std::uint64_t length = variable ? reader.number(4) : fixed;
    const Bytes value = reader.take(length);
    reader.pad(length);
    if (first) into.value = value;
  }
  into.type = type;
  return !reader.failed();
}

}  // namespace mapi

namespace {

constexpr std::string_view rtf_start =
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    "MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    "\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
static_assert(rtf_start.size() == 207);

// References into a ring of 4,096 octets (MS-OXRTFCP §2.2.2): nothing can lead outside it.
std::string unpacked(TnefReader reader, std::size_t most) {
  std::string ring(4096, ' ');
  ring.replace(0, rtf_start.size(), rtf_start);
  std::size_t end = rtf_start.size();
  std::string out;
  const auto add = [&](char c) {
    out += c;
    ring[end] = c;
    end = (end + 1) % 4096;
  };
  while (reader.left() > 0 && out.size() < most) {
    const auto flags = reader.number(1);
    for (unsigned bit = 0; bit < 8 && reader.left() > 0 && out.size() < most; ++bit) {
      if ((flags >> bit & 1) == 0) {
        add(static_cast<char>(reader.number(1)));
        continue;
      }
      const std::uint64_t high = reader.number(1);
      const std::uint64_t token = high << 8 | reader.number(1);
      std::size_t from = token >> 4;
      if (reader.failed() || from == end) return out;
      for (std::uint64_t length = (token & 15) + 2; length > 0; --length, from = (from + 1) % 4096) add(ring[from]);
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> unpacked_rtf(Bytes octets, std::size_t most) {
  TnefReader reader(octets);
  reader.number(4);  // The size of what follows, and of what comes out: neither is trusted.
  const std::uint64_t raw_size = reader.number(4);
  const std::uint64_t magic = reader.number(4);
  reader.number(4);
  if (reader.failed()) return std::nullopt;
  if (magic == 0x414c454d) return std::string(reader.take(std::min<std::uint64_t>({raw_size, reader.left(), most})));
  if (magic != 0x75465a4c) return std::nullopt;
  return unpacked(reader, std::min<std::uint64_t>(raw_size, most));
}

}  // namespace facteur::message
