// What is kept in memory of an account that is in use: its record, its containers, keywords and subscriptions, so that
// a delivery reads nothing of these from the index.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "mailbox/flag_runs.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/placement_runs.hpp"
#include "mailbox/records.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

// A row of a mailbox that a commit has made, changed or taken away.
struct RowChange {
  MailboxId mailbox;
  bool vanished = false;  // Then only uid and modseq of the row count.
  Row row;
  std::shared_ptr<const FlagRun> run{};  // Many rows at once; then only the modseq of `row` counts: the run's last.
};

// What a commit has changed, as far as it is kept in memory.
struct Effects {
  bool any = false;
  AccountRecord record;
  std::vector<Container> containers;  // New or changed, as they are now.
  std::vector<MailboxId> removed;
  std::vector<std::pair<std::uint16_t, std::string>> keywords;  // New ones.
  std::vector<std::pair<std::string, bool>> subscriptions;      // On or off.
  std::vector<RowChange> rows;                                  // In order of modseq.
  std::vector<std::pair<MailboxId, std::uint64_t>> carried;     // Runs of flags that have ended: mailbox, first modseq.
  std::shared_ptr<const PlacementRun> placing;                  // A run that has begun, behind all that wait.
  std::optional<std::shared_ptr<const PlacementRun>>
      placed;  // The first of them, carried further; nullptr: to its end.
};

class AccountState {
 public:
  AccountRecord record;
  std::map<MailboxId, Container> containers;
  std::map<std::pair<MailboxId, std::string>, MailboxId> names;    // By parent and folded name.
  std::vector<std::string> keywords;                               // Index = number; a lost one is "".
  std::unordered_map<std::string, std::uint16_t> keyword_numbers;  // By lower-case name.
  std::set<std::string> subscriptions;
  std::map<MailboxId, FlagRuns> runs;  // That wait to be carried into records,
  PlacementRuns placing;               // and copies, moves and expunges that do, in their order.
  std::vector<std::string> damaged;    // Keys that could not be read when loading: reported, and left out.

  // Reads an account. no_such_account if it has no record.
  static Result<AccountState> load(const KeyValue& from, AccountId account);
  void apply(const Effects& effects);

  const Container* find(MailboxId mailbox) const;
  const Container* child(MailboxId parent, std::string_view name) const;  // Ignoring case.
  const Container* find_path(std::string_view path) const;
  std::string path(const Container& container) const;
  bool has_children(MailboxId mailbox) const;
};

}  // namespace facteur::mailbox
