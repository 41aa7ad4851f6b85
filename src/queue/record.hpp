// The layout of the queue's records on disk. Every layout ever written is read; the newest is written.
//
// Value: u8 number of the layout, the fields, u32 checksum (FNV-1a) over all before it. A damaged value is a Failure of
// kind corrupt, whatever the damage.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "queue/queue.hpp"

namespace facteur::queue {

inline constexpr std::uint8_t envelope_layout = 2;
inline constexpr std::uint8_t recipient_layout = 1;

// Keys: subspace 'Q', account 0, the id, then 0 for the envelope or 1 and the number of the recipient.
std::string prefix_of_all();
std::string prefix_of(QueueId id);
std::string envelope_key(QueueId id);
std::string recipient_key(QueueId id, std::uint32_t number);

// What a key names; nullopt for keys that are not ours.
struct KeyParts {
  QueueId id;
  bool recipient = false;
  std::uint32_t number = 0;
};
std::optional<KeyParts> parse_key(Bytes key);

// All of an entry but its recipients; how many these are stands in the record, so that a lost one is noticed.
std::string write_envelope(const Entry& entry);
struct Envelope {
  Entry entry;  // Without recipients.
  std::uint32_t recipients = 0;
};
Result<Envelope> read_envelope(Bytes value);

std::string write_recipient(const Recipient& recipient);
Result<Recipient> read_recipient(Bytes value);

}  // namespace facteur::queue
