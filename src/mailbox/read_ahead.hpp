// Reading for changes of many messages: ranges of keys read in one pass, instead of one look-up for each record.
//
// A look-up in the index costs some microseconds, the next key of a scan a tenth of that. What is read ahead must not
// change while this is used: between Account::begin() and the end of the transaction nothing is committed that is not
// in it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/key_value.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

class ReadAhead : public KeyValue {
 public:
  explicit ReadAhead(const KeyValue& below) : below_(below) {}  // Borrowed.

  // Reads [from, to). False: there are more than `most` keys, or they cannot be read; none is kept.
  bool fetch(std::string from, std::string to, std::size_t most);
  // Keys and values of the range fetched last; empty if nothing was kept.
  std::span<const std::pair<std::string, std::string>> fetched() const;

  // From what was fetched where the key is in it, also that it is not there; else from below.
  Result<std::optional<std::string>> get(Bytes key) const override;
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override { return below_.scan(from, to, visit); }

 private:
  struct Range {
    std::string from, to;
    std::vector<std::pair<std::string, std::string>> records;
    mutable std::size_t next = 0;  // Behind the record asked for last: most callers go upwards.
  };
  const KeyValue& below_;
  std::vector<Range> ranges_;
};

// The records that moving, copying, expunging or flagging these messages reads: their placements, items, the places
// where these are too, and the counts of their threads there and in each of `counted`. `uids` ascend. Where they lie
// too far apart, or something cannot be read, they are left to single look-ups, which say so.
void fetch_messages(ReadAhead& into, AccountId account, MailboxId mailbox, std::span<const Uid> uids,
                    std::span<const MailboxId> counted);

}  // namespace facteur::mailbox
