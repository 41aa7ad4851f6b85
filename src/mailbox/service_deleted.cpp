// Expunged mail: listed, restored, and ended for good.
#include <algorithm>
#include <span>

#include "mailbox/keys.hpp"
#include "mailbox/paths.hpp"
#include "mailbox/service.hpp"

namespace facteur::mailbox {
namespace {

void sort_unique(std::vector<Uid>& uids) {
  std::ranges::sort(uids);
  const auto twice = std::ranges::unique(uids);
  uids.erase(twice.begin(), twice.end());
}

}  // namespace

Task<Result<std::vector<Mailboxes::Deleted>>> Service::deleted(AccountId account) {
  return at_home(account, deleted_here(account));
}

Task<Result<std::vector<Mailboxes::Deleted>>> Service::deleted_here(AccountId id) {
  const auto account = account_here(id);
  auto carried = co_await carried_here(id);
  if (!carried) co_return failed(carried);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  std::vector<Deleted> found;
  const auto first = keys::placements(id, MailboxId((*state)->record.trash)).take();
  auto scanned = engine_.latest().scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    const Uid waiting(store::Parser(key.substr(first.size())).u32());
    const auto placed = decode<Placement>(value);
    if (!placed || !placed->origin) {
      account->report(key, "placement cannot be read");
      return true;
    }
    found.push_back({.id = waiting,
                     .path = placed->origin->path,
                     .uid = placed->origin->uid,
                     .item = placed->item,
                     .at = placed->origin->at,
                     .received = placed->received,
                     .size = placed->size});
    return true;
  });
  if (!scanned) co_return failed(scanned);
  co_return found;
}

Task<Result<std::vector<Placed>>> Service::undelete(AccountId account, std::vector<Uid> ids) {
  return at_home(account, undelete_here(account, std::move(ids)));
}

namespace {

// Where it was; a mailbox made again where that was; INBOX.
Result<MailboxId> back_to(Transaction& transaction, const Placement::Origin& origin) {
  const Container* to = transaction.find(origin.mailbox);
  if (to == nullptr) {
    auto path = checked_path(origin.path);
    auto made = path ? make_path(transaction, *path, Role::none) : Result<MailboxId>(failed(path));
    if (made) to = transaction.find(*made);
  }
  if (to == nullptr || !to->selectable || to->kind != ContainerKind::mail) to = transaction.child({}, "INBOX");
  if (to == nullptr) return failure(Failure::Kind::temporary, "F-2124", "The account has no INBOX");
  return to->id;
}

}  // namespace

Task<Result<std::vector<Placed>>> Service::undelete_here(AccountId id, std::vector<Uid> ids) {
  const auto account = account_here(id);
  sort_unique(ids);
  std::vector<Placed> restored;
  for (std::span<const Uid> rest(ids); !rest.empty(); rest = rest.subspan(std::min(rest.size(), bulk))) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return failed(loaded);
    Transaction transaction = account->begin();
    for (const Uid trashed : rest.first(std::min(rest.size(), bulk))) {
      auto placed = transaction.placement(MailboxId(account->state().record.trash), trashed);
      if (!placed && placed.error().kind != Failure::Kind::corrupt) co_return failed(placed);
      if (!placed || !*placed || !(**placed).origin) continue;
      auto to = back_to(transaction, *(**placed).origin);
      if (!to) co_return failed(to);
      const MailboxId mailbox = *to;
      auto back = transaction.undelete(trashed, mailbox);
      if (!back && back.error().kind != Failure::Kind::corrupt) co_return failed(back);
      if (!back) {
        account->report(keys::placement(id, MailboxId(account->state().record.trash), trashed), "not restored");
        continue;
      }
      restored.push_back({mailbox, transaction.find(mailbox)->uidvalidity, back->uid, back->item});
    }
    auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
    if (!committed) co_return failed(committed);
  }
  co_return restored;
}

Task<Result<Mailboxes::Housekept>> Service::housekeep(AccountId account, UtcTime deleted_before,
                                                      UtcTime tombstones_before) {
  return at_home(account, housekeep_here(account, deleted_before, tombstones_before));
}

namespace {

// The highest modseq up to which all tombstones are older than `before`.
Result<std::uint64_t> floor_for(const store::Reader& reader, AccountId account, const AccountState& state,
                                UtcTime before) {
  std::uint64_t floor = state.record.floor, kept = keys::last_modseq;
  const auto look = [&]<class Tombstone>(const std::string& first) {
    return reader.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
      const std::uint64_t modseq = store::Parser(key.substr(first.size())).u48();
      const auto tombstone = decode<Tombstone>(value);
      if (tombstone && tombstone->at >= before) {
        kept = std::min(kept, modseq);
        return false;
      }
      floor = std::max(floor, modseq);
      return true;
    });
  };
  for (const auto& [id, container] : state.containers) {
    auto scanned = look.template operator()<PlacementTombstone>(keys::of('t', account).u48(id.value).take());
    if (!scanned) return failed(scanned);
  }
  for (std::uint8_t type = 1; type < type_count; ++type) {
    auto scanned = look.template operator()<ObjectTombstone>(keys::of('T', account).u8(type).take());
    if (!scanned) return failed(scanned);
  }
  return std::min(floor, kept - 1);
}

}  // namespace

Task<Result<Mailboxes::Housekept>> Service::housekeep_here(AccountId id, UtcTime deleted_before,
                                                           UtcTime tombstones_before) {
  const auto account = account_here(id);
  Housekept kept;
  auto carried = co_await carried_here(id);
  if (!carried) co_return failed(carried);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  auto floor = floor_for(engine_.latest(), id, **state, tombstones_before);
  if (!floor) co_return failed(floor);
  for (bool all = *floor <= (*state)->record.floor; !all;) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return failed(loaded);
    Transaction transaction = account->begin();
    auto expired = transaction.expire(*floor, bulk);
    if (!expired) co_return failed(expired);
    all = expired->all;
    kept.forgotten += expired->count;
    auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
    if (!committed) co_return failed(committed);
  }
  for (bool more = true; more;) {
    state = co_await account->published();
    if (!state) co_return failed(state);
    more = !(*state)->runs.empty() && !stopping_.load();
    if (!more) break;
    carried = co_await carry_runs(account, (*state)->runs.begin()->first);
    if (!carried) co_return failed(carried);
  }
  auto waiting = co_await deleted_here(id);
  if (!waiting) co_return failed(waiting);
  std::erase_if(*waiting, [deleted_before](const Deleted& entry) { return entry.at >= deleted_before; });
  for (std::span<const Deleted> rest(*waiting); !rest.empty(); rest = rest.subspan(std::min(rest.size(), bulk))) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return failed(loaded);
    Transaction transaction = account->begin();
    for (const Deleted& entry : rest.first(std::min(rest.size(), bulk))) {
      auto purged = transaction.purge(entry.id);
      if (!purged && purged.error().kind != Failure::Kind::corrupt) co_return failed(purged);
      if (purged) ++kept.ended;  // Else it was undeleted meanwhile.
    }
    auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
    if (!committed) co_return failed(committed);
  }
  co_return kept;
}

}  // namespace facteur::mailbox
