#include "mailbox/flag_runs.hpp"

#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/rows.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_ranges = 4000;  // Of one record: it stays below 64 KiB.

}  // namespace

std::uint32_t FlagRun::count() const {
  return uids.empty() ? 0 : before.back() + uids.back().second.value - uids.back().first.value + 1;
}

std::optional<std::uint64_t> FlagRun::modseq_of(Uid uid) const {
  const auto range = std::ranges::lower_bound(uids, uid, {}, [](const auto& r) { return r.second; });
  if (range == uids.end() || uid < range->first) return std::nullopt;
  return first + before[static_cast<std::size_t>(range - uids.begin())] + (uid.value - range->first.value);
}

Flags FlagRun::applied_to(const Flags& from) const {
  Flags to;
  switch (change) {
    case FlagChange::replace:
      return Flags{bits, keywords};
    case FlagChange::add:
      to.bits = from.bits | bits;
      std::ranges::set_union(from.keywords, keywords, std::back_inserter(to.keywords));
      return to;
    case FlagChange::remove:
      to.bits = from.bits & static_cast<std::uint8_t>(~bits);
      std::ranges::set_difference(from.keywords, keywords, std::back_inserter(to.keywords));
      return to;
  }
  return from;
}

void FlagRun::add(Uid uid) {
  if (!uids.empty() && uids.back().second.value + 1 == uid.value) {
    uids.back().second = uid;
    return;
  }
  before.push_back(count());
  uids.emplace_back(uid, uid);
}

std::vector<Uid> FlagRun::some(Uid after, std::size_t most) const {
  std::vector<Uid> found;
  for (const auto& [from, to] : uids) {
    for (std::uint32_t uid = std::max(from.value, after.value + 1); uid <= to.value; ++uid) {
      if (found.size() == most) return found;
      found.emplace_back(uid);
    }
  }
  return found;
}

std::string encode(const FlagRun& run) {
  store::Key out;
  out.u48(run.mailbox.value).u48(run.first).u8(static_cast<std::uint8_t>(run.change)).u8(run.bits);
  out.u16(static_cast<std::uint16_t>(run.keywords.size()));
  for (const std::uint16_t keyword : run.keywords) out.u16(keyword);
  out.u32(static_cast<std::uint32_t>(run.uids.size()));
  for (const auto& [first, last] : run.uids) out.u32(first.value).u32(last.value);
  return sealed(1, out);
}

Result<FlagRun> decode_flag_run(Bytes value) {
  const auto octets = unsealed(value);
  FlagRun run;
  if (octets && octets->version == 1) {
    store::Parser in(octets->body);
    run.mailbox = MailboxId(in.u48());
    run.first = in.u48();
    run.change = static_cast<FlagChange>(in.u8());
    run.bits = in.u8();
    const std::uint16_t keywords = in.u16();
    for (std::uint16_t i = 0; i < keywords && in.ok(); ++i) run.keywords.push_back(in.u16());
    const std::uint32_t ranges = in.u32();
    bool ascending = std::ranges::is_sorted(run.keywords);
    for (std::uint32_t i = 0; i < ranges && in.ok(); ++i) {
      const Uid first(in.u32()), last(in.u32());
      ascending = ascending && first && first <= last && (run.uids.empty() || run.uids.back().second < first);
      run.before.push_back(run.count());
      run.uids.emplace_back(first, last);
    }
    if (in.done() && ascending && run.change <= FlagChange::remove) return run;
  }
  return failure(Failure::Kind::corrupt, "F-2113", "A record is damaged", "a run of flags");
}

Result<FlagRuns> read_flag_runs(const KeyValue& from, AccountId account, MailboxId mailbox) {
  FlagRuns runs;
  auto key = keys::of('F', account);
  if (mailbox) key.u48(mailbox.value);
  Result<void> damaged;
  auto scanned = from.scan(key, store::behind(key), [&](Bytes, Bytes value) {
    auto run = decode_flag_run(value);
    if (run) {
      runs.push_back(std::make_shared<const FlagRun>(std::move(*run)));
    } else {
      damaged = failed(run);
    }
    return true;
  });
  if (!scanned) return failed(scanned);
  return runs;  // A damaged one is lost with what it said; the others hold.
}

FlagPlan plan_flags(const RowTable& rows, const FlagRun& wanted, std::span<const Uid> uids,
                    std::optional<ModSeq> unchanged_since) {
  FlagPlan plan;
  FlagRun run = wanted;
  const auto close = [&] {
    if (!run.uids.empty()) plan.runs.push_back(std::move(run));
    run = wanted;
  };
  Row row;
  auto next = uids.begin();
  for (const auto& part : rows.parts()) {
    for (std::size_t i = 0; i < part.count && next != uids.end(); ++i) {
      const Uid uid = part.chunk->uid(i);
      while (next != uids.end() && *next < uid) ++next;
      if (next == uids.end() || *next != uid) continue;
      part.chunk->read(i, row);
      if (unchanged_since && row.modseq > *unchanged_since) {
        plan.modified.push_back(uid);
        continue;
      }
      const Flags to = run.applied_to(row.flags);
      if (to == row.flags || !row.item) continue;  // No item: its record cannot be read.
      const auto difference = static_cast<std::uint8_t>(to.bits ^ row.flags.bits);
      if (difference & Flags::seen) plan.unread += to.has(Flags::seen) ? -1 : 1;
      if (difference & Flags::deleted) plan.deleted += to.has(Flags::deleted) ? 1 : -1;
      plan.items = plan.items || (difference & ~Flags::deleted) != 0 || to.keywords != row.flags.keywords;
      run.add(uid);
      if (run.uids.size() == most_ranges) close();
    }
  }
  close();
  return plan;
}

}  // namespace facteur::mailbox
