#include "mailbox/placement_runs.hpp"

#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/rows.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_ranges = 4000;  // The record stays below 64 KiB: it is written again with each part carried.

}  // namespace

std::vector<Uid> PlacementRun::waiting(std::size_t most) const {
  std::vector<Uid> found;
  std::uint32_t skip = carried;
  for (const auto& [first_of, last_of] : uids) {
    const std::uint32_t size = last_of.value - first_of.value + 1;
    for (std::uint32_t i = std::min(skip, size); i < size; ++i) {
      if (found.size() == most) return found;
      found.emplace_back(first_of.value + i);
    }
    skip -= std::min(skip, size);
  }
  return found;
}

void PlacementRun::add(Uid uid) {
  ++messages;
  if (!uids.empty() && uids.back().second.value + 1 == uid.value) {
    uids.back().second = uid;
  } else {
    uids.emplace_back(uid, uid);
  }
}

std::string encode(const PlacementRun& run) {
  store::Key out;
  out.u8(static_cast<std::uint8_t>(run.kind)).u48(run.from.value).u48(run.to.value).u48(run.first);
  out.u32(run.first_uid.value).u48(run.first_mid.value).u64(static_cast<std::uint64_t>(run.at.milliseconds));
  out.string(run.path).u32(run.carried).u32(static_cast<std::uint32_t>(run.uids.size()));
  for (const auto& [first, last] : run.uids) out.u32(first.value).u32(last.value);
  return sealed(1, out);
}

Result<PlacementRun> decode_placement_run(Bytes value) {
  const auto octets = unsealed(value);
  PlacementRun run;
  if (octets && octets->version == 1) {
    store::Parser in(octets->body);
    run.kind = static_cast<PlacementRun::Kind>(in.u8());
    run.from = MailboxId(in.u48());
    run.to = MailboxId(in.u48());
    run.first = in.u48();
    run.first_uid = Uid(in.u32());
    run.first_mid = MessageId(in.u48());
    run.at.milliseconds = static_cast<std::int64_t>(in.u64());
    run.path = std::string(in.string());
    run.carried = in.u32();
    const std::uint32_t ranges = in.u32();
    bool right = run.kind >= PlacementRun::Kind::copy && run.kind <= PlacementRun::Kind::expunge;
    std::uint64_t count = 0;
    for (std::uint32_t i = 0; i < ranges && in.ok(); ++i) {
      const Uid first(in.u32()), last(in.u32());
      right = right && first && first <= last && (run.uids.empty() || run.uids.back().second < first);
      if (right) count += std::uint64_t{last.value} - first.value + 1;
      run.uids.emplace_back(first, last);
    }
    run.messages = static_cast<std::uint32_t>(count);
    if (in.done() && right && run.carried < count && run.messages == count) return run;
  }
  return failure(Failure::Kind::corrupt, "F-2114", "A record is damaged", "a run of placements");
}

Result<PlacementRuns> read_placement_runs(const KeyValue& from, AccountId account, std::vector<std::string>* damaged) {
  PlacementRuns runs;
  const auto prefix = keys::placement_runs(account);
  auto scanned = from.scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
    auto run = decode_placement_run(value);
    if (run) {
      runs.push_back(std::make_shared<const PlacementRun>(std::move(*run)));
    } else if (damaged != nullptr) {
      damaged->emplace_back(key);
    }
    return true;
  });
  if (!scanned) return failed(scanned);
  return runs;
}

std::optional<PlacementPlan> plan_placements(const RowTable& rows, PlacementRun::Kind kind,
                                             std::optional<std::span<const Uid>> uids, bool marked) {
  PlacementPlan plan;
  plan.run.kind = kind;
  const std::span<const Uid> named = uids.value_or(std::span<const Uid>());
  auto next = named.begin();
  for (const auto& part : rows.parts()) {
    for (std::size_t i = 0; i < part.count && (!uids || next != named.end()); ++i) {
      const Uid uid = part.chunk->uid(i);
      while (next != named.end() && *next < uid) ++next;
      if (uids && (next == named.end() || *next != uid)) continue;
      if (marked && (part.chunk->flag_bits(i) & Flags::deleted) == 0) continue;
      Row row = part.chunk->row(i);
      if (!row.item) return std::nullopt;
      plan.run.add(uid);
      plan.rows.push_back(std::move(row));
    }
  }
  if (plan.run.uids.size() > most_ranges) return std::nullopt;
  return plan;
}

}  // namespace facteur::mailbox
