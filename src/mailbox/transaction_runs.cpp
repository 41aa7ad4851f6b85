// Runs of flag changes in a transaction (flag_runs.hpp): begun, and carried into the single records.
#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/transaction.hpp"

namespace facteur::mailbox {

Result<void> Transaction::begin_runs(MailboxId container, FlagPlan plan) {
  Container* edited = edit(container);
  if (edited == nullptr) return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  if (plan.runs.empty()) return {};
  for (FlagRun& run : plan.runs) {
    run.mailbox = container;
    run.first = record_.modseq + 1;
    edit_record().modseq = run.last();
    edited->high = run.last();
    if (plan.items) record_.state[static_cast<std::size_t>(Type::email)] = run.last();
    layer_.put(keys::flag_run(account_, container, run.first).take(), encode(run));
    RowChange change{.mailbox = container, .row = Row{.modseq = ModSeq(run.last())}};
    change.run = std::make_shared<const FlagRun>(std::move(run));
    effects_.rows.push_back(std::move(change));
  }
  counts_[container].unread += plan.unread;
  counts_[container].deleted += plan.deleted;
  return {};
}

// Writes what the runs say of one message into its records, as set_flags() would have done at once.
Result<void> Transaction::carry(MailboxId container, Uid uid) {
  const auto waiting = state_.runs.find(container);
  if (waiting == state_.runs.end()) return {};
  const auto& runs = waiting->second;
  if (std::ranges::none_of(runs, [uid](const auto& run) { return run->modseq_of(uid).has_value(); })) return {};
  auto read = get<Placement>(keys::placement(account_, container, uid));
  if (!read) return failed(read);
  if (!*read) return {};
  Placement& placed = **read;
  const Flags before = placed.flags;
  const std::uint64_t old = placed.modseq;
  std::uint64_t item_modseq = 0;
  for (const auto& run : runs) {
    const auto modseq = run->modseq_of(uid);
    if (!modseq || placed.modseq >= *modseq) continue;
    Flags to = run->applied_to(placed.flags);
    const bool seen = (to.bits ^ placed.flags.bits) & Flags::seen;
    const bool other =
        ((to.bits ^ placed.flags.bits) & ~(Flags::seen | Flags::deleted)) != 0 || to.keywords != placed.flags.keywords;
    placed.flags = std::move(to);
    placed.modseq = *modseq;
    if (other) placed.cn = *modseq;
    if (seen) placed.read_cn = *modseq;
    if (seen || other) item_modseq = *modseq;
  }
  if (placed.modseq == old) return {};
  seen_.reset();
  edit_record();
  layer_.put(keys::placement(account_, container, uid).take(), encode(placed));
  layer_.withdraw(keys::change(account_, container, old).take());
  layer_.put(keys::change(account_, container, placed.modseq).take(),
             encode(PlacementChange{.uid = uid, .created = placed.created}));
  if (item_modseq == 0) return {};
  return carry_item(container, placed, before, item_modseq);
}

Result<void> Transaction::carry_item(MailboxId container, const Placement& placed, const Flags& before,
                                     std::uint64_t modseq) {
  auto it = require<Item>(keys::item(account_, placed.item));
  if (!it) return failed(it);
  // The state of the type was set when the run began.
  layer_.withdraw(keys::object_change(account_, type_of(it->kind), it->modseq).take());
  layer_.put(keys::object_change(account_, type_of(it->kind), modseq).take(), keys::Key().u48(it->id.value).take());
  it->modseq = modseq;
  it->flags = placed.flags;
  it->flags.bits &= static_cast<std::uint8_t>(~Flags::deleted);
  layer_.put(keys::item(account_, it->id).take(), encode(*it));
  const int unread = (before.has(Flags::seen) ? 1 : 0) - (placed.flags.has(Flags::seen) ? 1 : 0);
  if (unread == 0 || !it->thread) return {};
  return count_thread(container, it->thread, 0, unread);
}

Result<void> Transaction::carry_item(ItemId id) {
  if (state_.runs.empty()) return {};
  auto it = require<Item>(keys::item(account_, id));
  if (!it) return failed(it);
  for (const auto& [container, uid] : it->places) {
    if (auto carried = carry(container, uid); !carried) return carried;
  }
  return {};
}

Result<Uid> Transaction::carry_some(MailboxId container, Uid after, std::size_t most) {
  expect_carried();
  const auto waiting = state_.runs.find(container);
  if (waiting == state_.runs.end()) return Uid{};
  const FlagRun& run = *waiting->second.front();
  Container* edited = edit(container);
  if (edited == nullptr) return Uid{};
  // What is packed must know the run before its records do (rows.hpp).
  if (edited->packed < run.last()) {
    if (auto packed = pack_rows(layer_, account_, *edited, options_.pack, effects_.rows); !packed)
      return failed(packed);
  }
  for (const auto& [first, last] : run.uids) {
    for (std::uint32_t uid = std::max(first.value, after.value + 1); uid <= last.value; ++uid) {
      auto carried = carry(container, Uid(uid));
      if (!carried && carried.error().kind != Failure::Kind::corrupt) return failed(carried);
      if (--most == 0) return Uid(uid);
    }
  }
  forget_run(run);
  return Uid{};
}

void Transaction::forget_run(const FlagRun& run) {
  edit_record();
  layer_.remove(keys::flag_run(account_, run.mailbox, run.first).take());
  effects_.carried.emplace_back(run.mailbox, run.first);
}

// Of a container that is empty, or goes.
void Transaction::forget_runs(MailboxId container) {
  const auto waiting = state_.runs.find(container);
  if (waiting == state_.runs.end()) return;
  for (const auto& run : waiting->second) forget_run(*run);
}

}  // namespace facteur::mailbox
