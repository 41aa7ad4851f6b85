#include "mailbox/account.hpp"

#include <algorithm>
#include <set>

#include "base/ascii.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/read_ahead.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_remembered_changes = 100'000;  // Then the next view is loaded anew.

// Which uids have \Deleted after a run.
void take_deleted(const FlagRun& run, std::set<Uid>& deleted) {
  const bool named = (run.bits & Flags::deleted) != 0;
  if (!named && run.change != FlagChange::replace) return;
  const bool on = named && run.change != FlagChange::remove;
  for (const auto& [first, last] : run.uids) {
    for (std::uint32_t uid = first.value; uid <= last.value; ++uid) {
      if (on) {
        deleted.insert(Uid(uid));
      } else {
        deleted.erase(Uid(uid));
      }
    }
  }
}

}  // namespace

void Bell::ring(const std::shared_ptr<Bell>& bell) {
  if (bell->ringing_.exchange(true)) return;
  bell->shards_.post(bell->shard_, [bell] {
    bell->ringing_ = false;
    if (bell->wakeup_) bell->wakeup_->fire();
  });
}

Account::Account(AccountId id, Surroundings& around)
    : id_(id), around_(around), durable_(around.engine.latest()), pending_(durable_) {}

void Account::report(Bytes key, std::string_view what) const {
  around_.scope.event("mailbox_record_damaged")
      .level(observe::Level::error)
      .field("account", id_.value)
      .field("key", ascii::escaped(key))
      .field("what", what);
}

Damage Account::damage() const {
  // Also called from other threads, later: it holds what it needs, not this.
  return [scope = around_.scope, account = id_](Bytes key, std::string_view what) {
    scope.event("mailbox_record_damaged")
        .level(observe::Level::error)
        .field("account", account.value)
        .field("key", ascii::escaped(key))
        .field("what", what);
  };
}

Result<void> Account::read() {
  if (closed) return failure(Failure::Kind::permanent, no_such_account, "No such account");
  auto state = AccountState::load(durable_, id_);
  if (!state) return failed(state);
  if (state->record.removing) return failure(Failure::Kind::permanent, no_such_account, "No such account");
  for (const auto& key : state->damaged) report(key, "record cannot be read");
  published_ = *state;
  working_ = std::move(*state);
  return {};
}

Task<void> Account::drained() {
  while (!in_flight_.empty()) {
    if (!draining_) draining_ = std::make_shared<Completion<bool>>();
    const auto waiting = draining_;  // There is one waiter: who holds the turn.
    co_await *waiting;
  }
}

Task<Result<void>> Account::load() {
  if (broken_) {
    co_await drained();
    broken_ = false;
  }
  if (working_) co_return Result<void>{};
  CHECK_OR_BUG(in_flight_.empty());
  chain_ = std::make_shared<store::Batch::Chain>();
  co_return read();
}

Task<Result<void>> Account::load_or_new() {
  auto loaded = co_await load();
  if (!loaded && loaded.error().code == no_such_account) {
    auto value = durable_.get(keys::account(id_));
    if (!value) co_return failed(value);
    if (*value) co_return failed(loaded);  // It is being removed.
    working_.emplace();
    published_.emplace();
    co_return Result<void>{};
  }
  co_return loaded;
}

Result<Account::Queued> Account::carry_part(Turn::Held held) {
  if (working_->placing.empty()) return Queued();
  const auto run = working_->placing.front();
  ReadAhead ahead(pending_);
  const std::vector<Uid> some = run->waiting(around_.sizes.carry_parts);
  std::vector<MailboxId> counted;
  if (run->takes_out()) counted.push_back(run->from);
  if (run->places()) counted.push_back(run->to);
  fetch_messages(ahead, id_, run->from, some, counted);
  Transaction transaction = begin(ahead);
  auto lost = transaction.carry_placements(around_.sizes.carry_parts);
  if (!lost) return failed(lost);
  for (const Uid uid : *lost) report(keys::placement(id_, run->from, uid), "not copied, moved or expunged");
  return queue(transaction, store::Batch(), std::move(held));
}

Task<Result<void>> Account::load_carried() {
  auto loaded = co_await load();
  Queued behind;
  while (loaded && !working_->placing.empty()) {
    auto queued = carry_part({});
    if (!queued) co_return failed(queued);
    loaded = co_await settled(std::exchange(behind, *queued));
    if (loaded) loaded = co_await load();
  }
  if (behind && loaded) {
    loaded = co_await settled(behind);
    if (loaded) loaded = co_await load();
  }
  co_return loaded;
}

Transaction Account::begin(const KeyValue& below) const {
  Transaction::Options options;
  options.now = around_.clock.utc();
  return Transaction(id_, *working_, below, options);
}

std::uint64_t Account::adopt(Transaction& transaction, const Effects& effects) {
  const std::uint64_t number = ++numbers_;
  pending_.take(transaction.take_layer(), number);
  working_->apply(effects);
  in_flight_[number] = &effects;
  return number;
}

void Account::settle(std::uint64_t number, const Effects& effects, const Result<void>& result) {
  in_flight_.erase(number);
  if (result && !broken_) {
    published_->apply(effects);
    pending_.forget(number);
    show(effects);
    ring(effects);
  } else {
    // What was built on a failed commit cannot be right. All is read again when no commit is on its way.
    broken_ = true;
    working_.reset();
    published_.reset();
    pending_.clear();
    shown_.clear();
    if (!result) around_.scope.event("mailbox_commit_failed").field("account", id_.value).failure(result.error());
  }
  if (in_flight_.empty() && draining_) std::exchange(draining_, nullptr)->complete(true);
}

Task<void> Account::carry_out(store::Batch batch, Effects effects, std::uint64_t number,
                              std::shared_ptr<Completion<Result<void>>> done) {
  in_flight_[number] = &effects;
  auto result = co_await around_.engine.commit(std::move(batch));
  settle(number, effects, result);
  done->complete(std::move(result));
}

Result<Account::Queued> Account::queue(Transaction& transaction, store::Batch batch, Turn::Held held) {
  auto effects = transaction.finish(batch);
  if (!effects) return failed(effects);
  if (!effects->any && batch.empty()) return Queued();
  const std::uint64_t number = adopt(transaction, *effects);
  batch.chains.push_back(chain_);
  auto done = std::make_shared<Completion<Result<void>>>();
  around_.tasks.start(carry_out(std::move(batch), std::move(*effects), number, done));
  held.release();
  return done;
}

Task<Result<void>> Account::settled(Queued queued) {
  if (!queued) co_return Result<void>{};
  co_return co_await *queued;
}

Task<Result<void>> Account::commit(Transaction& transaction, store::Batch batch, Turn::Held held) {
  auto queued = queue(transaction, std::move(batch), std::move(held));
  if (!queued) co_return failed(queued);
  co_return co_await settled(std::move(*queued));
}

// ---- reading

Task<Result<const AccountState*>> Account::published() {
  if (!published_) {
    auto held = co_await turn();
    auto loaded = co_await load();
    if (!loaded) co_return failed(loaded);
  }
  co_return &*published_;
}

Task<Result<std::shared_ptr<const PackedView>>> Account::view(MailboxId mailbox) { return view(mailbox, false); }

Task<Result<std::shared_ptr<const PackedView>>> Account::view(MailboxId mailbox, bool turn_held) {
  using Shared = std::shared_ptr<const PackedView>;
  for (;;) {
    if (turn_held) {
      auto loaded = co_await load();
      if (!loaded) co_return failed(loaded);
    } else if (auto state = co_await published(); !state) {
      co_return failed(state);
    }
    const Container* container = published_->find(mailbox);
    if (container == nullptr || container->kind == ContainerKind::trash) {
      co_return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
    }
    Shown& shown = shown_[mailbox];
    Shared current = shown.view.lock();
    if (!current) {
      // The snapshot may be newer than what is published: then it says so, and show() leaves out what it has.
      auto snapshot = around_.engine.snapshot();
      auto value = snapshot->get(keys::container(id_, mailbox));
      if (!value) co_return failed(value);
      auto record = *value ? decode<Container>(**value) : Result<Container>(*container);
      if (!record) co_return failed(record);
      current = std::make_shared<const PackedView>(id_, std::move(*record), std::move(snapshot), damage());
      shown.view = current;
      shown.changes.clear();
      co_return current;
    }
    if (shown.changes.empty()) co_return current;
    if (current->loaded()) {
      Shared next = current->with(*container, shown.changes);
      shown.changes.clear();
      shown.view = next;
      co_return next;
    }
    // Load it elsewhere, and look again what is true then.
    auto load_rows_of = [current] { return &current->rows(); };
    co_await world::blocking(around_.shards, world::Shards::Lane::pool, std::move(load_rows_of));
  }
}

Task<Result<std::shared_ptr<const PackedView>>> Account::rows(MailboxId mailbox) {
  auto shown = co_await view(mailbox, true);
  if (!shown) co_return failed(shown);
  const auto current = *shown;
  if (!current->loaded()) {
    auto load_rows_of = [current] { return &current->rows(); };
    co_await world::blocking(around_.shards, world::Shards::Lane::pool, std::move(load_rows_of));
  }
  co_return current;
}

Task<Result<std::vector<Uid>>> Account::deleted_uids(MailboxId mailbox) {
  auto shown = co_await rows(mailbox);
  if (!shown) co_return failed(shown);
  const auto current = *shown;
  std::set<Uid> found;
  for (const auto& part : current->rows().parts()) {
    for (std::size_t i = 0; i < part.count; ++i) {
      if (part.chunk->flag_bits(i) & Flags::deleted) found.insert(part.chunk->uid(i));
    }
  }
  for (const auto& [number, effects] : in_flight_) {
    for (const RowChange& change : effects->rows) {
      if (change.mailbox != mailbox) continue;
      if (change.run) {
        take_deleted(*change.run, found);
      } else if (!change.vanished && change.row.flags.has(Flags::deleted)) {
        found.insert(change.row.uid);
      } else {
        found.erase(change.row.uid);
      }
    }
  }
  co_return std::vector<Uid>(found.begin(), found.end());
}

// ---- news

void Account::show(const Effects& effects) {
  std::set<MailboxId> touched;
  for (const RowChange& change : effects.rows) {
    touched.insert(change.mailbox);
    const auto shown = shown_.find(change.mailbox);
    if (shown == shown_.end()) continue;
    if (shown->second.view.expired() || shown->second.changes.size() >= most_remembered_changes) {
      shown_.erase(shown);
    } else {
      shown->second.changes.push_back(change);
    }
  }
  for (const MailboxId mailbox : effects.removed) shown_.erase(mailbox);
  if (!on_rows) return;
  for (const MailboxId mailbox : touched) on_rows(*this, mailbox);
}

void Account::watch(MailboxId mailbox, std::shared_ptr<Bell> bell) { watchers_[mailbox].push_back(std::move(bell)); }

void Account::ring(const Effects& effects) {
  if (watchers_.empty()) return;
  const auto ring_all = [this](MailboxId mailbox) {
    const auto found = watchers_.find(mailbox);
    if (found == watchers_.end()) return;
    std::erase_if(found->second, [](const std::weak_ptr<Bell>& watcher) {
      const auto bell = watcher.lock();
      if (bell) Bell::ring(bell);
      return !bell;
    });
    if (found->second.empty()) watchers_.erase(found);
  };
  for (const Container& container : effects.containers) ring_all(container.id);
  for (const MailboxId mailbox : effects.removed) ring_all(mailbox);
}

bool Account::idle() {
  for (auto& [mailbox, bells] : watchers_) {
    std::erase_if(bells, [](const std::weak_ptr<Bell>& bell) { return bell.expired(); });
  }
  std::erase_if(watchers_, [](const auto& entry) { return entry.second.empty(); });
  std::erase_if(shown_, [](const auto& entry) { return entry.second.view.expired(); });
  return in_flight_.empty() && watchers_.empty() && shown_.empty() && !turn_.taken();
}

void Account::start_anew() {
  forget();
  for (auto& [mailbox, bells] : watchers_) {
    for (const auto& watcher : bells) {
      if (const auto bell = watcher.lock()) Bell::ring(bell);
    }
  }
}

void Account::forget() {
  working_.reset();
  published_.reset();
  pending_.clear();
  shown_.clear();
}

}  // namespace facteur::mailbox
