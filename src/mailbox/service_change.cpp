// Changing what is there: flags, copies, moves, expunges.
#include <algorithm>
#include <span>

#include "mailbox/keys.hpp"
#include "mailbox/read_ahead.hpp"
#include "mailbox/service.hpp"

namespace facteur::mailbox {
namespace {

std::unexpected<Failure> no_mailbox() { return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox"); }

void sort_unique(std::vector<Uid>& uids) {
  std::ranges::sort(uids);
  const auto twice = std::ranges::unique(uids);
  uids.erase(twice.begin(), twice.end());
}

// A change of flags is a run (flag_runs.hpp) unless so many of them wait already.
constexpr std::size_t most_runs = 16;
constexpr std::size_t carry_from = 6;       // When so many wait, they are carried into the records,
constexpr std::size_t carry_at_once = 500;  // so many messages in one transaction.

FlagRun wanted_run(FlagChange change, std::uint8_t bits, std::vector<std::uint16_t> keywords) {
  FlagRun wanted;
  wanted.change = change;
  wanted.bits = bits;
  wanted.keywords = std::move(keywords);
  return wanted;
}

// While it lives, the account does not begin what can wait (packing what is new).
class ChangingMany {
 public:
  explicit ChangingMany(Account& account) : account_(account) { ++account_.changing_many; }
  ChangingMany(const ChangingMany&) = delete;
  ChangingMany& operator=(const ChangingMany&) = delete;
  ~ChangingMany() { --account_.changing_many; }

 private:
  Account& account_;
};

// Keyword numbers; for `remove`, names that the account does not know need no number.
Result<std::vector<std::uint16_t>> numbers_of(Transaction& transaction, const std::vector<std::string>& names) {
  std::vector<std::uint16_t> numbers;
  for (const auto& name : names) {
    auto number = transaction.keyword(name);
    if (!number) return failed(number);
    numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  const auto twice = std::ranges::unique(numbers);
  numbers.erase(twice.begin(), twice.end());
  return numbers;
}

// What the changes of these messages will read, read at once.
ReadAhead read_ahead(const Account& account, MailboxId mailbox, std::span<const Uid> uids,
                     std::initializer_list<MailboxId> counted) {
  ReadAhead ahead(account.reading());
  fetch_messages(ahead, account.id(), mailbox, uids, counted);
  return ahead;
}

// Which of these messages are in another mailbox, too, ascending. nullopt: their records lie too far apart to be read.
std::optional<std::vector<Uid>> find_shared(const store::Reader& reader, AccountId account, MailboxId mailbox,
                                            const RowTable& rows, const std::vector<Uid>& uids) {
  constexpr std::uint64_t near = 16;  // Ids that a message takes from the counter, about three, and some more.
  ItemId first(keys::last_modseq), last;
  for (const Uid uid : uids) {
    const auto row = rows.find(uid);
    const ItemId item = row ? rows.row(*row).item : ItemId();
    if (!item) continue;
    first = std::min(first, item);
    last = std::max(last, item);
  }
  if (first > last) return std::vector<Uid>();
  if (last.value - first.value > near * uids.size()) return std::nullopt;
  std::vector<Uid> shared;
  const auto scanned =
      reader.scan(keys::item(account, first), store::behind(keys::item(account, last).text()), [&](Bytes, Bytes value) {
        const auto item = decode<Item>(value);
        const auto uid = item ? item->uid_in(mailbox) : std::nullopt;
        if (uid && item->places.size() > 1) shared.push_back(*uid);
        return true;
      });
  if (!scanned) return std::nullopt;
  std::ranges::sort(shared);
  std::erase_if(shared, [&uids](Uid uid) { return !std::ranges::binary_search(uids, uid); });
  return shared;
}

// Changes one message. True if its modseq was above the limit (RFC 7162 §3.1.3).
Result<bool> change_one(Transaction& transaction, MailboxId mailbox, Uid uid, const FlagRun& wanted,
                        std::optional<ModSeq> unchanged_since) {
  auto placement = transaction.placement(mailbox, uid);
  if (!placement) return failed(placement);
  if (!*placement) return false;  // RFC 9051 §6.4.9: a UID that is not there is ignored.
  const Placement& placed = **placement;
  if (unchanged_since && placed.modseq > unchanged_since->value) return true;
  const Flags to = wanted.applied_to(placed.flags);
  if (to == placed.flags) return false;
  auto done = transaction.set_flags(placed.item, to, Transaction::Deleted{mailbox, uid, to.has(Flags::deleted)});
  if (!done) return failed(done);
  return false;
}

}  // namespace

Task<Result<StoredFlags>> Service::store_flags(AccountId account, MailboxId mailbox, std::vector<Uid> uids,
                                               FlagChange change, std::uint8_t flag_bits,
                                               std::vector<std::string> keywords,
                                               std::optional<ModSeq> unchanged_since) {
  return at_home(account, store_flags_here(account, mailbox, std::move(uids), change, flag_bits, std::move(keywords),
                                           unchanged_since));
}

Task<Result<StoredFlags>> Service::store_flags_here(AccountId id, MailboxId mailbox, std::vector<Uid> uids,
                                                    FlagChange change, std::uint8_t flag_bits,
                                                    std::vector<std::string> names,
                                                    std::optional<ModSeq> unchanged_since) {
  const auto account = account_here(id);
  sort_unique(uids);
  StoredFlags stored;
  if (uids.size() >= sizes_.run_from) {
    auto at_once = co_await store_run(account, mailbox, uids, change, flag_bits, names, unchanged_since);
    if (!at_once) co_return failed(at_once);
    if (*at_once) stored = std::move(**at_once);
    if (*at_once && uids.empty()) co_return stored;
  }
  std::span<const Uid> rest(uids);
  Account::Queued behind;
  do {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return failed(loaded);
    const auto some = rest.first(std::min(rest.size(), bulk));
    const ReadAhead ahead = read_ahead(*account, mailbox, some, {mailbox});
    Transaction transaction = account->begin(ahead);
    if (transaction.find(mailbox) == nullptr) co_return no_mailbox();
    auto numbers = numbers_of(transaction, names);
    if (!numbers) co_return failed(numbers);
    const FlagRun wanted = wanted_run(change, flag_bits, std::move(*numbers));
    for (const Uid uid : some) {
      auto conflict = change_one(transaction, mailbox, uid, wanted, unchanged_since);
      if (!conflict && conflict.error().kind != Failure::Kind::corrupt) co_return failed(conflict);
      if (!conflict) account->report(keys::placement(id, mailbox, uid), "flags not changed");
      if (conflict && *conflict) stored.modified.push_back(uid);
    }
    rest = rest.subspan(std::min(rest.size(), bulk));
    stored.highest = ModSeq(transaction.find(mailbox)->high);
    auto queued = account->queue(transaction, store::Batch(), std::move(held));
    if (!queued) co_return failed(queued);
    auto committed = co_await Account::settled(std::exchange(behind, *queued));
    if (!committed) co_return failed(committed);
  } while (!rest.empty());
  if (auto committed = co_await Account::settled(behind); !committed) co_return failed(committed);
  std::ranges::sort(stored.modified);
  co_return stored;
}

// nullopt: it cannot be one run, and nothing was done. Else only messages are left in `uids` that are elsewhere, too.
Task<Result<std::optional<StoredFlags>>> Service::store_run(std::shared_ptr<Account> account, MailboxId mailbox,
                                                            std::vector<Uid>& uids, FlagChange change,
                                                            std::uint8_t flag_bits,
                                                            const std::vector<std::string>& names,
                                                            std::optional<ModSeq> unchanged_since) {
  using Stored = std::optional<StoredFlags>;
  // \Deleted shows in no other mailbox, and needs none of the messages' records.
  const bool here_only = names.empty() && wanted_run(change, flag_bits, {}).only_deleted();
  auto held = co_await account->turn();
  // What is planned with the rows must be true when it is done: no commit is on its way then.
  co_await account->drained();
  auto rows = co_await account->rows(mailbox);
  if (!rows) co_return failed(rows);
  auto loaded = here_only ? co_await account->load() : co_await account->load_carried();
  if (!loaded) co_return failed(loaded);
  const auto waiting = [&account, mailbox] {
    const auto runs = account->state().runs.find(mailbox);
    return runs == account->state().runs.end() ? 0 : runs->second.size();
  };
  const Container* container = account->state().find(mailbox);
  if (container == nullptr) co_return no_mailbox();
  std::vector<Uid> shared;
  if (container->shared != 0 && !here_only) {
    auto look = [this, id = account->id(), mailbox, &rows, &uids] {
      return find_shared(*engine_.snapshot(), id, mailbox, (*rows)->rows(), uids);
    };
    auto found = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(look));
    if (!found || 2 * found->size() > uids.size()) co_return Stored();
    shared = std::move(*found);
    loaded = co_await account->load_carried();
    if (!loaded) co_return failed(loaded);
  }
  std::vector<Uid> alone;
  std::ranges::set_difference(uids, shared, std::back_inserter(alone));
  Transaction transaction = account->begin();
  auto numbers = numbers_of(transaction, names);
  if (!numbers) co_return failed(numbers);
  auto plan = plan_flags((*rows)->rows(), wanted_run(change, flag_bits, std::move(*numbers)), alone, unchanged_since);
  if (waiting() + plan.runs.size() > most_runs) co_return Stored();
  StoredFlags stored;
  stored.modified = std::move(plan.modified);
  auto begun = transaction.begin_runs(mailbox, std::move(plan));
  if (!begun) co_return failed(begun);
  stored.highest = ModSeq(transaction.find(mailbox)->high);
  auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
  if (!committed) co_return failed(committed);
  if (account->current() && waiting() >= carry_from &&
      homes_[shards_.current()]->carrying.emplace(account->id(), mailbox).second) {
    tasks_[shards_.current()]->start(carry_in_background(account, mailbox));
  }
  uids = std::move(shared);
  co_return Stored(std::move(stored));
}

Task<Result<void>> Service::carry_runs(std::shared_ptr<Account> account, MailboxId mailbox) {
  for (Uid after{}; !stopping_.load();) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return loaded;
    const auto waiting = account->state().runs.find(mailbox);
    if (waiting == account->state().runs.end()) break;
    const ReadAhead ahead =
        read_ahead(*account, mailbox, waiting->second.front()->some(after, carry_at_once), {mailbox});
    Transaction transaction = account->begin(ahead);
    auto next = transaction.carry_some(mailbox, after, carry_at_once);
    if (!next) co_return failed(next);
    after = *next;
    auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
    if (!committed) co_return committed;
  }
  co_return Result<void>{};
}

Task<void> Service::carry_in_background(std::shared_ptr<Account> account, MailboxId mailbox) {
  auto carried = co_await carry_runs(account, mailbox);
  if (!carried) scope_.event("mailbox_flags_not_carried").failure(carried.error());
  homes_[shards_.current()]->carrying.erase({account->id(), mailbox});
}

// ---- copies

Task<Result<Copied>> Service::copy(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to) {
  return at_home(account, copy_here(account, from, std::move(uids), to, false));
}
Task<Result<Copied>> Service::move(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to) {
  return at_home(account, copy_here(account, from, std::move(uids), to, true));
}

namespace {

Result<void> copy_some(Transaction& transaction, MailboxId from, std::span<const Uid> uids, MailboxId to, bool move,
                       Copied& copied) {
  for (const Uid uid : uids) {
    auto there = transaction.placement(from, uid);
    if (there && !*there) continue;  // RFC 9051 §6.4.9: a UID that is not there is ignored.
    auto made = !there ? Result<Uid>(failed(there))
                : move ? transaction.move(from, uid, to)
                       : transaction.copy(from, uid, to);
    // RFC 9051 §6.4.7: all or nothing for COPY; a damaged message is not moved, the others are.
    if (!made && move && made.error().kind == Failure::Kind::corrupt) continue;
    if (!made) return failed(made);
    copied.from.push_back(uid);
    copied.to.push_back(*made);
  }
  return {};
}

}  // namespace

Task<Result<Copied>> Service::copy_here(AccountId id, MailboxId from, std::vector<Uid> uids, MailboxId to, bool move) {
  const auto account = account_here(id);
  sort_unique(uids);
  PlacementRun wanted{.from = from, .to = to};
  wanted.kind = move ? PlacementRun::Kind::move : PlacementRun::Kind::copy;
  auto at_once = co_await place_run(account, std::move(wanted), std::span<const Uid>(uids), false);
  if (!at_once) co_return failed(at_once);
  Copied copied;
  if (*at_once) {
    copied.uidvalidity = (**at_once).uidvalidity;
    copied.from = (**at_once).run.waiting(SIZE_MAX);
    std::uint32_t next = (**at_once).run.first_uid.value;
    for (std::size_t i = 0; i < copied.from.size(); ++i) copied.to.emplace_back(next++);
    co_return copied;
  }
  std::span<const Uid> rest(uids);
  Result<void> done;
  Account::Queued behind;
  std::size_t durable = 0, coming = 0;  // So many copies are; and will be with the commit on its way.
  std::optional<ChangingMany> many(*account);
  do {
    auto held = co_await account->turn();
    done = co_await account->load_carried();
    if (!done) break;
    const auto some = rest.first(std::min(rest.size(), bulk));
    const ReadAhead ahead =
        move ? read_ahead(*account, from, some, {from, to}) : read_ahead(*account, from, some, {to});
    Transaction transaction = account->begin(ahead);
    const Container* target = transaction.find(to);
    if (transaction.find(from) == nullptr || target == nullptr || !target->selectable) {
      done = no_mailbox();
      break;
    }
    copied.uidvalidity = target->uidvalidity;
    done = copy_some(transaction, from, some, to, move, copied);
    if (!done) break;
    auto queued = account->queue(transaction, store::Batch(), std::move(held));
    if (!queued) {
      done = failed(queued);
      break;
    }
    done = co_await Account::settled(std::exchange(behind, *queued));
    if (done) durable = std::exchange(coming, copied.to.size());
    rest = rest.subspan(std::min(rest.size(), bulk));
  } while (done && !rest.empty());
  if (behind) {
    auto last = co_await Account::settled(behind);
    if (last) durable = coming;
    if (done) done = std::move(last);
  }
  copied.from.resize(durable);
  copied.to.resize(durable);
  many.reset();
  consider_sealing(*account, to);
  if (done) co_return copied;
  // RFC 9051 §6.4.7: a COPY that fails leaves the target as it was.
  if (!move && !copied.to.empty()) co_await undo_copies(account, to, std::move(copied.to));
  if (move && !copied.to.empty()) co_return copied;  // RFC 9051 §6.4.8: what was moved was moved.
  co_return failed(done);
}

Task<void> Service::undo_copies(std::shared_ptr<Account> account, MailboxId mailbox, std::vector<Uid> uids) {
  auto held = co_await account->turn();
  auto loaded = co_await account->load_carried();
  if (!loaded) co_return;
  Transaction transaction = account->begin();
  for (const Uid uid : uids) {
    auto placed = transaction.placement(mailbox, uid);
    if (placed && *placed) static_cast<void>(transaction.unplace(mailbox, uid));
  }
  auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
  if (!committed) scope_.event("mailbox_copies_not_undone").failure(committed.error());
}

// ---- expunge

Task<Result<std::vector<Uid>>> Service::expunge(AccountId account, MailboxId mailbox,
                                                std::optional<std::vector<Uid>> uids, bool all) {
  return at_home(account, expunge_here(account, mailbox, std::move(uids), all));
}

Task<Result<std::vector<Uid>>> Service::expunge_here(AccountId id, MailboxId mailbox,
                                                     std::optional<std::vector<Uid>> uids, bool all) {
  const auto account = account_here(id);
  std::vector<Uid> gone;
  if (uids) sort_unique(*uids);
  const auto named = uids ? std::optional(std::span<const Uid>(*uids)) : std::nullopt;
  auto at_once = co_await place_run(account, {.kind = PlacementRun::Kind::expunge, .from = mailbox}, named, all);
  if (!at_once) co_return failed(at_once);
  if (*at_once) co_return (**at_once).run.waiting(SIZE_MAX);
  Account::Queued behind;
  for (std::size_t next = 0;;) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return failed(loaded);
    const Container* known = account->state().find(mailbox);
    if (known == nullptr) co_return no_mailbox();
    if (next == 0 && !all && known->deleted == 0) co_return gone;
    if (!uids) {
      auto marked = co_await account->deleted_uids(mailbox);
      if (!marked) co_return failed(marked);
      uids = std::move(*marked);
      loaded = co_await account->load_carried();
      if (!loaded) co_return failed(loaded);
    }
    const auto some = std::span(*uids).subspan(next, std::min(uids->size() - next, bulk));
    const ReadAhead ahead = read_ahead(*account, mailbox, some, {mailbox});
    Transaction transaction = account->begin(ahead);
    const Container* container = transaction.find(mailbox);
    if (container == nullptr) co_return no_mailbox();
    const std::string path = account->state().path(*container);
    next += some.size();
    for (const Uid uid : some) {
      auto placed = transaction.placement(mailbox, uid);
      if (placed && (!*placed || (!all && !(**placed).flags.has(Flags::deleted)))) continue;
      auto done = placed ? transaction.expunge(mailbox, uid, path) : Result<void>(failed(placed));
      if (!done && done.error().kind != Failure::Kind::corrupt) co_return failed(done);
      if (done) gone.push_back(uid);
      if (!done) account->report(keys::placement(id, mailbox, uid), "not expunged");
    }
    auto queued = account->queue(transaction, store::Batch(), std::move(held));
    if (!queued) co_return failed(queued);
    auto committed = co_await Account::settled(std::exchange(behind, *queued));
    if (committed && next == uids->size()) committed = co_await Account::settled(behind);
    if (!committed) co_return failed(committed);
    if (next == uids->size()) co_return gone;
  }
}

}  // namespace facteur::mailbox
