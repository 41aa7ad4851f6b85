// The reader of the log on arbitrary octets behind a valid segment header: it must end, and touch nothing outside.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sim/disk.hpp"
#include "store/segment_reader.hpp"
#include "store/transaction.hpp"

using namespace facteur;
using namespace facteur::store;

namespace {

// Reads all that a record says, as replay does.
class Reading final : public SegmentVisitor {
 public:
  Result<void> group(const GroupHeader& header) override {
    if (header.offset < last_) std::abort();
    last_ = header.offset;
    return {};
  }
  Result<void> group_end(const GroupHeader&) override { return {}; }
  Result<void> damage(std::uint32_t from, std::uint32_t to, std::string) override {
    if (from > to) std::abort();
    return {};
  }
  Result<void> record(const Position&, const RecordHeader&, Bytes payload, bool) override {
    TransactionParser transaction(payload);
    if (transaction.blobs()) {
      while (transaction.next()) continue;
    }
    static_cast<void>(decode_move(payload));
    static_cast<void>(decode_drop(payload));
    static_cast<void>(decode_snapshot_end(payload));
    static_cast<void>(decode_location(payload));
    return {};
  }

 private:
  std::uint32_t last_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes input(reinterpret_cast<const char*>(data), size);
  sim::Disk disk(1);
  auto file = disk.open("segment", world::Disk::Mode::create);
  if (!file) std::abort();
  SegmentHeader header;
  header.segment = 1;
  header.epoch = 1;
  const std::string copy = encode(header);
  const Bytes pieces[] = {copy, copy, input};
  if (!(*file)->write_at(0, pieces)) std::abort();
  const auto end = find_end(**file, header);
  if (!end) std::abort();
  if (end->end < end->durable) std::abort();
  Reading reading;
  const auto whole = static_cast<std::uint32_t>(first_group + size);
  if (!walk(**file, header, whole, {.bodies = true}, reading)) std::abort();
  static_cast<void>(decode_segment_header(input));
  // The payload parsers on the input itself: no checksum stands in their way.
  if (!reading.record({}, {}, input, true)) std::abort();
  return 0;
}
