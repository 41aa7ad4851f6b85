// A copy, move or expunge of many messages, begun as one record (y): "these uids, from here to there, numbers from here
// on".
//
// What it says holds at once: rows and views show it (packed rows are written with it), counts, UIDs and modseqs are
// those after it. The messages' own records (P, I, m, x, t, X, q and the trash) get it afterwards, in the background,
// some at a time and in the order of the runs. Who needs those records has them carried first (Account::load_carried):
// all but deliveries, STORE of \Deleted and further runs. Each message has numbers of its own, as always
// (DECISIONS.md 1); what only the records can tell (a message ends, its thread ends) gets its modseqs when it is
// carried.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

class RowTable;

struct PlacementRun {
  enum class Kind : std::uint8_t { copy = 1, move = 2, expunge = 3 };
  Kind kind = Kind::copy;
  MailboxId from;
  MailboxId to;  // 0 for expunge.
  // First and last of ranges in `from`, ascending; all of them go or are copied. add() fills them.
  std::vector<std::pair<Uid, Uid>> uids;
  std::uint32_t messages = 0;  // In all of them: asked for with each message, so it is not summed up anew.
  std::uint64_t first = 0;     // The first modseq: of the tombstones, if any, and then of the placements.
  Uid first_uid;               // In `to`; the others follow, as do the ids of placements.
  MessageId first_mid;
  UtcTime at;                 // When it began.
  std::string path;           // Of `from`, for undelete.
  std::uint32_t carried = 0;  // So many of the messages have it in their records.

  bool takes_out() const { return kind != Kind::copy; }
  bool places() const { return kind != Kind::expunge; }
  std::uint32_t count() const { return messages; }
  // Of the message number `index` (from 0 on).
  std::uint64_t tombstone_modseq(std::uint32_t index) const { return first + index; }
  std::uint64_t placement_modseq(std::uint32_t index) const { return first + (takes_out() ? count() : 0) + index; }
  std::uint64_t last() const { return first + std::uint64_t{count()} * (takes_out() && places() ? 2 : 1) - 1; }
  std::vector<Uid> waiting(std::size_t most) const;  // The first `most` uids that are not carried yet.
  void add(Uid uid);                                 // Greater than all before.
  friend bool operator==(const PlacementRun&, const PlacementRun&) = default;
};

std::string encode(const PlacementRun& run);
Result<PlacementRun> decode_placement_run(Bytes value);  // F-2114 if it is damaged.

// Those that wait in an account, in their order. A damaged one is lost with what it said; its key is added to
// `damaged`.
using PlacementRuns = std::vector<std::shared_ptr<const PlacementRun>>;
Result<PlacementRuns> read_placement_runs(const KeyValue& from, AccountId account,
                                          std::vector<std::string>* damaged = nullptr);

// What such a change comes to, with the rows as they are.
struct PlacementPlan {
  PlacementRun run;       // Its numbers are for the transaction to give.
  std::vector<Row> rows;  // As they are in `from`.
};
// Of `uids` (ascending; those that are not there are left out), or of all rows; `marked`: only those with \Deleted.
// nullopt: it cannot be one run (a row whose records cannot be read is among them, or they lie too much apart).
std::optional<PlacementPlan> plan_placements(const RowTable& rows, PlacementRun::Kind kind,
                                             std::optional<std::span<const Uid>> uids, bool marked);

}  // namespace facteur::mailbox
