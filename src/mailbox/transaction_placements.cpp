// Runs of placements in a transaction (placement_runs.hpp): begun, and carried into the single records.
#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/transaction.hpp"

namespace facteur::mailbox {

void Transaction::count_rows(MailboxId container, const std::vector<Row>& rows, int sign) {
  Counts& counts = counts_[container];
  counts.total += sign * static_cast<std::int64_t>(rows.size());
  for (const Row& row : rows) {
    counts.bytes += sign * static_cast<std::int64_t>(row.size);
    if (!row.flags.has(Flags::seen)) counts.unread += sign;
    // Only what goes may be marked: \Deleted is not copied.
    if (sign < 0 && row.flags.has(Flags::deleted)) --counts.deleted;
  }
}

// The rows of a run in one container: shown, and packed at once, since the records that would show them come later.
Result<void> Transaction::show_rows(Container& container, std::vector<RowChange> changes) {
  container.high = changes.back().row.modseq.value;
  if (auto packed = pack_rows(layer_, account_, container, options_.pack, effects_.rows, changes); !packed) {
    return packed;
  }
  std::ranges::move(changes, std::back_inserter(effects_.rows));
  return {};
}

Result<PlacementRun> Transaction::begin_placements(PlacementPlan plan) {
  CHECK_OR_BUG(!carrying_ && !plan.rows.empty() && plan.run.from != plan.run.to);
  PlacementRun& run = plan.run;
  const auto count = static_cast<std::uint32_t>(plan.rows.size());
  Container* from = edit(run.from);
  Container* to = run.places() ? edit(run.to) : nullptr;
  const bool room = to == nullptr || UINT32_MAX - to->uidnext > count;
  if (from == nullptr || (run.places() && to == nullptr) || !room) {
    return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  }
  run.at = options_.now;
  run.first = edit_record().modseq + 1;
  record_.modseq = run.last();
  record_.state[static_cast<std::size_t>(Type::email)] = run.last();
  std::vector<RowChange> changes;
  changes.reserve(count);
  if (run.takes_out()) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const Row gone{.uid = plan.rows[i].uid, .modseq = ModSeq(run.tombstone_modseq(i))};
      changes.push_back({.mailbox = run.from, .vanished = true, .row = gone});
    }
    count_rows(run.from, plan.rows, -1);
    if (auto shown = show_rows(*from, std::exchange(changes, {})); !shown) return failed(shown);
  }
  if (run.places()) {
    run.first_uid = Uid(to->uidnext);
    run.first_mid = MessageId(record_.next_id + 1);
    to->uidnext += count;
    record_.next_id += count;
    count_rows(run.to, plan.rows, 1);
    for (std::uint32_t i = 0; i < count; ++i) {
      Row& row = plan.rows[i];
      row.uid = Uid(run.first_uid.value + i);
      row.mid = MessageId(run.first_mid.value + i);
      row.modseq = ModSeq(run.placement_modseq(i));
      row.flags.bits &= static_cast<std::uint8_t>(~Flags::deleted);
      changes.push_back({.mailbox = run.to, .row = std::move(row)});
    }
    if (auto shown = show_rows(*to, std::move(changes)); !shown) return failed(shown);
  }
  layer_.put(keys::placement_run(account_, run.first).take(), encode(run));
  effects_.placing = std::make_shared<const PlacementRun>(run);
  return std::move(run);
}

// One message, as copy(), move() or expunge() would have done it at once.
Result<void> Transaction::carry_placement(const PlacementRun& run, std::uint32_t index, Uid uid) {
  auto found = locate(run.from, uid);
  if (!found) return failed(found);
  if (run.kind == PlacementRun::Kind::expunge) {
    return expunge(run.from, uid, *found, run.path, run.tombstone_modseq(index));
  }
  if (find(run.to) == nullptr || found->item.uid_in(run.to)) {
    return failure(Failure::Kind::corrupt, "F-2115", "Records contradict each other", "a copy that is there already");
  }
  auto name = found->placement.name;
  if (run.takes_out()) {
    take_out(run.from, uid, found->placement, found->item, run.tombstone_modseq(index));
    if (auto counted = count(run.from, found->item, -1); !counted) return counted;
  } else {
    name.reset();
  }
  const Numbers numbers{Uid(run.first_uid.value + index), MessageId(run.first_mid.value + index),
                        run.placement_modseq(index)};
  return place(std::move(found->item), run.to, {.name = std::move(name)}, numbers);
}

Result<std::vector<Uid>> Transaction::carry_placements(std::size_t most) {
  std::vector<Uid> lost;
  if (state_.placing.empty()) return lost;
  PlacementRun run = *state_.placing.front();
  carrying_ = true;
  const UtcTime now = std::exchange(options_.now, run.at);
  for (const Uid uid : run.waiting(most)) {
    auto carried = carry_placement(run, run.carried, uid);
    if (!carried && carried.error().kind != Failure::Kind::corrupt) return failed(carried);
    if (!carried) lost.push_back(uid);
    ++run.carried;
  }
  carrying_ = false;
  options_.now = now;
  edit_record();
  if (run.carried >= run.count()) {
    layer_.remove(keys::placement_run(account_, run.first).take());
    effects_.placed = nullptr;
  } else {
    layer_.put(keys::placement_run(account_, run.first).take(), encode(run));
    effects_.placed = std::make_shared<const PlacementRun>(std::move(run));
  }
  return lost;
}

}  // namespace facteur::mailbox
