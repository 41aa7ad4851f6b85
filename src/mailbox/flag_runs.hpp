// One change of flags on many messages, kept as one record (F): "these uids, these flags, modseqs from here on".
//
// STORE on a whole mailbox would otherwise write half a dozen records a message. What the run says holds at once: rows
// and views show it, counts and modseqs are those after it. The single records (P, I, x, X, q) get it later: a
// transaction that touches a message carries the run into that message's records first, and when many runs wait they
// are carried all. Each message of a run has a modseq of its own, as always (DECISIONS.md 1); a record whose modseq is
// higher than the run's for that message has it already.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

class RowTable;

struct FlagRun {
  MailboxId mailbox;
  std::uint64_t first = 0;  // The modseq of its first uid; the others follow.
  FlagChange change = FlagChange::add;
  std::uint8_t bits = 0;
  std::vector<std::uint16_t> keywords;    // Sorted.
  std::vector<std::pair<Uid, Uid>> uids;  // First and last of ranges, ascending; all of them change.
  std::vector<std::uint32_t> before;      // For each range, how many uids stand in those before it. Not stored.

  std::uint32_t count() const;
  std::uint64_t last() const { return first + count() - 1; }
  std::optional<std::uint64_t> modseq_of(Uid uid) const;  // nullopt: it is not among them.
  Flags applied_to(const Flags& flags) const;
  // \Deleted belongs to the placement: where the messages are elsewhere too, nothing changes there.
  bool only_deleted() const { return change != FlagChange::replace && bits == Flags::deleted && keywords.empty(); }
  std::vector<Uid> some(Uid after, std::size_t most) const;  // Those behind `after`, `most` of them at most.
  void add(Uid uid);                                         // Greater than all before.
  friend bool operator==(const FlagRun&, const FlagRun&) = default;
};
using FlagRuns = std::vector<std::shared_ptr<const FlagRun>>;  // Of one mailbox, in order of modseq.

std::string encode(const FlagRun& run);
Result<FlagRun> decode_flag_run(Bytes value);  // F-2113 if it is damaged.

// The runs that wait in a mailbox, or (no mailbox) in the whole account.
Result<FlagRuns> read_flag_runs(const KeyValue& from, AccountId account, MailboxId mailbox = {});

// What a change of flags comes to, with the rows as they are.
struct FlagPlan {
  std::vector<FlagRun> runs;  // `first` is for the transaction to give.
  std::vector<Uid> modified;  // RFC 7162 §3.1.3: left alone, their modseq was above the limit.
  std::int64_t unread = 0;    // Differences.
  std::int64_t deleted = 0;
  bool items = false;  // Flags of items change, not only \Deleted.
};
FlagPlan plan_flags(const RowTable& rows, const FlagRun& wanted, std::span<const Uid> uids,
                    std::optional<ModSeq> unchanged_since);

}  // namespace facteur::mailbox
