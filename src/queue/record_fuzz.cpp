// Any octets as a record of the queue, its key, and an id somebody types: a value or a failure, never a crash; what is
// read is written such that it is read as the same.
#include <cstdint>
#include <cstdlib>

#include "queue/record.hpp"

using namespace facteur;
using namespace facteur::queue;

namespace {

// FNV-1a, as the records end with: without it nearly every input would stop at the checksum.
std::string with_checksum(Bytes octets) {
  std::uint32_t sum = 2166136261U;
  for (const char c : octets) sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
  std::string out(octets);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(sum >> shift);
  return out;
}

void try_records(Bytes octets) {
  if (const auto envelope = read_envelope(octets)) {
    const auto written = write_envelope(envelope->entry);
    // How many recipients there are is counted from the entry, which has none here; all else must come back.
    const auto again = read_envelope(written);
    if (!again || write_envelope(again->entry) != written) std::abort();
  }
  if (const auto recipient = read_recipient(octets)) {
    const auto written = write_recipient(*recipient);
    const auto again = read_recipient(written);
    if (!again || write_recipient(*again) != written) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes octets(reinterpret_cast<const char*>(data), size);
  try_records(octets);
  try_records(with_checksum(octets));
  if (const auto parts = parse_key(octets)) {
    const auto key = parts->recipient ? recipient_key(parts->id, parts->number) : envelope_key(parts->id);
    if (key != octets) std::abort();
  }
  if (const auto id = parse_queue_id(octets); id && parse_queue_id(to_string(*id)) != id) std::abort();
  return 0;
}
