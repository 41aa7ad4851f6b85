// Any octets as any record, chunk of rows or header: a value or a failure, never a crash; what is read is written the
// same.
#include <cstdint>
#include <cstdlib>

#include "mailbox/columns.hpp"
#include "mailbox/flag_runs.hpp"
#include "mailbox/paths.hpp"
#include "mailbox/placement_runs.hpp"
#include "mailbox/records.hpp"
#include "mailbox/rows.hpp"
#include "mailbox/thread_keys.hpp"

namespace {

using namespace facteur;
using namespace facteur::mailbox;

template <class Record>
void try_record(Bytes octets) {
  const auto record = decode<Record>(octets);
  if (record && !decode<Record>(encode(*record))) abort();
}

void try_all(Bytes octets) {
  try_record<AccountRecord>(octets);
  try_record<Container>(octets);
  try_record<Item>(octets);
  try_record<ContentRecord>(octets);
  try_record<Placement>(octets);
  try_record<Thread>(octets);
  try_record<ThreadCount>(octets);
  try_record<PlacementTombstone>(octets);
  try_record<ObjectTombstone>(octets);
  try_record<PlacementChange>(octets);
  if (const auto run = decode_flag_run(octets)) {
    if (encode(*run) != octets) abort();
    if (!run->uids.empty() && run->modseq_of(run->uids.back().second) != run->last()) abort();
  }
  if (const auto run = decode_placement_run(octets)) {
    if (encode(*run) != octets) abort();
  }
  if (const auto entry = decode_content_entry(octets); entry && encode(*entry) != octets) abort();
  if (const auto rows = RowChunk::decode(octets)) {
    for (std::size_t i = 0; i < rows->chunk->filled(); ++i) static_cast<void>(rows->chunk->row(i));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
  const Bytes input(reinterpret_cast<const char*>(octets), size);
  try_all(input);
  try_all(sealed(1, input));  // Behind the checksum.
  if (thread_keys(input).size() > 16) abort();
  if (const auto path = checked_path(input)) {
    const auto again = checked_path(*path);
    if (!again || *again != *path) abort();
  }
  return 0;
}
