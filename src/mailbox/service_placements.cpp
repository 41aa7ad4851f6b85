// Copies, moves and expunges of many messages at once (placement_runs.hpp): planned with the rows, begun as one record,
// carried in the background.
#include <set>
#include <unordered_set>

#include "mailbox/keys.hpp"
#include "mailbox/service.hpp"

namespace facteur::mailbox {
namespace {

// More are made as they are read: who needs the records next would wait too long.
constexpr std::size_t most_placed = 25'000;

constexpr std::size_t most_waiting = 4;  // Runs; the next one has them carried first.

std::size_t messages_waiting(const AccountState& state) {
  std::size_t sum = 0;
  for (const auto& run : state.placing) sum += run->count() - run->carried;
  return sum;
}

bool any_there(const RowTable& there, const std::vector<Row>& coming) {
  std::unordered_set<ItemId> items;
  for (const Row& row : coming) items.insert(row.item);
  Row row;
  for (const auto& part : there.parts()) {
    for (std::size_t i = 0; i < part.count; ++i) {
      part.chunk->read(i, row);
      if (items.contains(row.item)) return true;
    }
  }
  return false;
}

}  // namespace

// nullopt: it cannot be one run, and nothing was done.
Task<Result<std::optional<Service::Begun>>> Service::place_run(std::shared_ptr<Account> account, PlacementRun wanted,
                                                               std::optional<std::span<const Uid>> uids, bool all) {
  using Done = std::optional<Begun>;
  if (wanted.from == wanted.to || (uids && uids->size() < sizes_.run_from)) co_return Done();
  auto held = co_await account->turn();
  // What is planned with the rows must be true when it is done: no commit is on its way then.
  co_await account->drained();
  auto loaded = co_await account->load();
  if (loaded && account->state().placing.size() >= most_waiting) loaded = co_await account->load_carried();
  if (!loaded) co_return failed(loaded);
  const bool marked = wanted.kind == PlacementRun::Kind::expunge && !all;
  const Container* from = account->state().find(wanted.from);
  if (from == nullptr || (marked && from->deleted < sizes_.run_from)) co_return Done();
  const bool may_be_there = wanted.places() && (from->shared != 0 || !account->state().placing.empty());
  auto rows = co_await account->rows(wanted.from);
  if (!rows) co_return failed(rows);
  auto plan = plan_placements((*rows)->rows(), wanted.kind, uids, marked);
  if (!plan || plan->rows.size() < sizes_.run_from || plan->rows.size() > most_placed) co_return Done();
  if (may_be_there) {
    auto there = co_await account->rows(wanted.to);
    if (!there) co_return failed(there);
    // RFC 8474 §4 would have another EMAILID for a second copy: that is decided one by one.
    if (any_there((*there)->rows(), plan->rows)) co_return Done();
  }
  loaded = co_await account->load();
  if (loaded && messages_waiting(account->state()) + plan->rows.size() > most_placed) {
    loaded = co_await account->load_carried();  // The rows stay as they are.
  }
  if (!loaded) co_return failed(loaded);
  Transaction transaction = account->begin();
  from = transaction.find(wanted.from);
  const Container* to = transaction.find(wanted.to);
  if (from == nullptr || from->kind != ContainerKind::mail) co_return Done();
  if (wanted.places() && (to == nullptr || !to->selectable || to->kind != ContainerKind::mail)) co_return Done();
  plan->run.from = wanted.from;
  plan->run.to = wanted.to;
  plan->run.path = account->state().path(*from);
  const UidValidity uidvalidity = to ? to->uidvalidity : UidValidity();
  auto begun = transaction.begin_placements(std::move(*plan));
  if (!begun && begun.error().kind == Failure::Kind::corrupt) co_return Done();
  if (!begun) co_return failed(begun);
  auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
  if (!committed) co_return failed(committed);
  // Behind the answer to who asked.
  shards_.post(shards_.current(), [this, account] {
    if (stopping_.load() || !homes_[shards_.current()]->placing.insert(account->id()).second) return;
    tasks_[shards_.current()]->start(carry_placements(account));
  });
  co_return Done(Begun{std::move(*begun), uidvalidity});
}

// In the background; the turn is free between two parts, for deliveries.
Task<void> Service::carry_placements(std::shared_ptr<Account> account) {
  Account::Queued behind;
  Result<void> done;
  std::set<MailboxId> filled;
  while (done && !stopping_.load()) {
    auto held = co_await account->turn();
    done = co_await account->load();
    if (!done || account->state().placing.empty()) break;
    if (const MailboxId to = account->state().placing.front()->to) filled.insert(to);
    auto queued = account->carry_part(std::move(held));
    done = queued ? co_await Account::settled(std::exchange(behind, *queued)) : Result<void>(failed(queued));
  }
  // Before the last wait: a run that begins meanwhile has a task of its own.
  homes_[shards_.current()]->placing.erase(account->id());
  if (auto last = co_await Account::settled(std::move(behind)); done) done = std::move(last);
  if (!done) scope_.event("mailbox_placements_not_carried").failure(done.error());
  for (const MailboxId mailbox : filled) consider_sealing(*account, mailbox);
}

// Carries what waits, for who reads the single records of messages.
Task<Result<void>> Service::carried_here(AccountId id) {
  const auto account = account_here(id);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  if ((*state)->placing.empty()) co_return Result<void>{};
  auto held = co_await account->turn();
  co_return co_await account->load_carried();
}

}  // namespace facteur::mailbox
