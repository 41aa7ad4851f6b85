// Any file is read to its end, the same in any pieces; and what was read is written, in any dialect, and read again
// unchanged.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "message/mbox.hpp"

namespace {

using namespace facteur::message;

std::vector<MboxLetter> read(facteur::Bytes file, std::size_t piece) {
  MboxReader reader({}, 4096);
  std::vector<MboxLetter> out;
  MboxLetter letter;
  while (true) {
    const auto step = reader.next(letter);
    if (step == MboxReader::Step::end) return out;
    if (step == MboxReader::Step::letter) {
      out.push_back(letter);
    } else if (file.empty()) {
      reader.end();
    } else {
      reader.add(file.substr(0, piece));
      file.remove_prefix(std::min(piece, file.size()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const facteur::Bytes file(reinterpret_cast<const char*>(bytes), std::min<std::size_t>(count, 4096));
  const auto whole = read(file, 4096);
  const auto pieces = read(file, 3);
  if (whole.size() != pieces.size()) std::abort();
  std::string written;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].octets != pieces[i].octets || !(whole[i].state == pieces[i].state)) std::abort();
    const auto when = whole[i].received.value_or(facteur::UtcTime{});
    const auto dialect = static_cast<MboxDialect>((i + count) % 4);
    append_mbox(written, whole[i].octets, whole[i].sender, when, whole[i].state, dialect);
  }
  MboxReader reader;
  reader.add(written);
  reader.end();
  MboxLetter letter;
  for (const auto& wanted : whole) {
    if (reader.next(letter) != MboxReader::Step::letter || letter.octets != wanted.octets) std::abort();
    if (letter.state.seen != wanted.state.seen || letter.state.keywords != wanted.state.keywords) std::abort();
  }
  return 0;
}
