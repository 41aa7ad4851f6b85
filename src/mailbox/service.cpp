// The accounts of each shard, and what is read.
#include "mailbox/service.hpp"

#include <algorithm>

#include "mailbox/changes.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/paths.hpp"

namespace facteur::mailbox {
namespace {

class BellWatch final : public Mailboxes::Watch {
 public:
  explicit BellWatch(std::shared_ptr<Bell> bell) : bell_(std::move(bell)) {}
  ~BellWatch() override { bell_->forget(); }

 private:
  std::shared_ptr<Bell> bell_;
};

}  // namespace

std::unique_ptr<Mailboxes> make_mailboxes(store::Engine& engine, world::Shards& shards, world::Clock& clock,
                                          world::Random& random, observe::Scope scope, StructureMaker structure,
                                          BulkSizes sizes) {
  return std::make_unique<Service>(engine, shards, clock, random, std::move(scope), std::move(structure), sizes);
}

Service::Service(store::Engine& engine, world::Shards& shards, world::Clock& clock, world::Random& random,
                 observe::Scope scope, StructureMaker structure, BulkSizes sizes)
    : engine_(engine),
      shards_(shards),
      clock_(clock),
      random_(random),
      scope_(std::move(scope)),
      structure_(std::move(structure)),
      sizes_(sizes) {
  for (unsigned shard = 0; shard < shards_.count(); ++shard) {
    auto on_bug = [this](std::exception_ptr bug) {
      try {
        std::rethrow_exception(bug);
      } catch (const std::exception& what) {
        scope_.event("mailbox_task_failed").level(observe::Level::error).field("cause", what.what());
      }
    };
    tasks_.push_back(std::make_unique<TaskGroup>(std::move(on_bug)));
    homes_.push_back(std::make_unique<Home>(engine_, shards_, clock_, scope_, *tasks_.back(), sizes_));
  }
}

Service::~Service() = default;

unsigned Service::home_of(AccountId account) const {
  const std::uint64_t mixed = account.value * std::uint64_t{0x9e3779b97f4a7c15};
  return static_cast<unsigned>((mixed >> 32) % shards_.count());
}

std::shared_ptr<Account> Service::account_here(AccountId id) {
  Home& home = *homes_[shards_.current()];
  auto& known = home.accounts[id];
  if (known) return known;
  auto account = std::make_shared<Account>(id, home.surroundings);
  account->closed = home.closed.contains(id);
  account->on_rows = [this](Account& of, MailboxId mailbox) { consider_sealing(of, mailbox); };
  known = account;
  if (home.accounts.size() > home.look_for_idle_at) {
    std::erase_if(home.accounts,
                  [](const auto& entry) { return entry.second.use_count() == 1 && entry.second->idle(); });
    home.look_for_idle_at = std::max<std::size_t>(1024, 2 * home.accounts.size());
  }
  return account;
}

Task<void> Service::finished() {
  const unsigned from = shards_.current();
  stopping_ = true;
  for (unsigned shard = 0; shard < shards_.count(); ++shard) {
    co_await world::hop(shards_, shard);
    co_await tasks_[shard]->finished();
  }
  co_await world::hop(shards_, from);
  stopping_ = false;
}

// ---- accounts

Task<Result<void>> Service::create_account(AccountId account) { return at_home(account, create_account_here(account)); }

Task<Result<void>> Service::create_account_here(AccountId id) {
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load_or_new();
  if (!loaded) co_return loaded;
  Transaction transaction = account->begin();
  if (account->state().record == AccountRecord()) {
    std::array<char, 16> replica{};
    random_.fill(replica);
    transaction.open_account(replica, FirstNumbers::at(clock_.utc()));
  }
  static constexpr std::pair<const char*, Role> standard[] = {{"INBOX", Role::inbox}, {"Drafts", Role::drafts},
                                                              {"Sent", Role::sent},   {"Junk", Role::junk},
                                                              {"Trash", Role::trash}, {"Archive", Role::archive}};
  for (const auto& [name, role] : standard) {
    const auto has_role = [role](const auto& entry) { return entry.second.role == role; };
    if (std::ranges::any_of(account->state().containers, has_role) || transaction.child({}, name)) continue;
    auto made = transaction.make_container({.name = name, .role = role});
    if (!made) co_return failed(made);
    transaction.subscribe(name, true);
  }
  co_return co_await account->commit(transaction, store::Batch(), std::move(held));
}

Task<Result<void>> Service::remove_account(AccountId account) { return at_home(account, remove_account_here(account)); }

Task<Result<void>> Service::remove_account_here(AccountId id) {
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load();
  if (!loaded && loaded.error().code != no_such_account) co_return loaded;
  co_await account->drained();
  // From here on the account does not exist for anybody; a crash leaves the mark, and removing goes on when asked
  // again.
  if (loaded) {
    Transaction transaction = account->begin();
    transaction.close_account();
    store::Batch batch;
    auto closed = transaction.finish(batch);
    if (!closed) co_return failed(closed);
    auto committed = co_await engine_.commit(std::move(batch));
    if (!committed) co_return committed;
    account->forget();
  }
  for (const char subspace : keys::subspaces) {
    const std::string first = keys::of(subspace, id).take();
    for (bool more = true; more;) {
      store::Batch batch;
      auto scanned = engine_.latest().scan(first, store::behind(first), [&](Bytes key, Bytes value) {
        if (subspace == 'I') {
          const auto item = decode<Item>(value);
          if (item) batch.unreference(item->blob, keys::owner(id, item->id));
        }
        batch.remove(key);
        return batch.operations.size() < 2 * bulk;
      });
      if (!scanned) co_return scanned;
      more = batch.operations.size() >= 2 * bulk;
      if (batch.empty()) break;
      auto committed = co_await engine_.commit(std::move(batch));
      if (!committed) co_return committed;
    }
  }
  co_return Result<void>{};
}

Task<Result<void>> Service::set_closed(AccountId account, bool closed) {
  return at_home(account, set_closed_here(account, closed));
}

Task<Result<void>> Service::set_closed_here(AccountId id, bool closed) {
  const auto account = account_here(id);
  auto held = co_await account->turn();
  co_await account->drained();
  Home& home = *homes_[shards_.current()];
  if (closed) {
    home.closed.insert(id);
  } else {
    home.closed.erase(id);
  }
  account->closed = closed;
  account->forget();
  co_return Result<void>{};
}

Result<Mailboxes::Usage> Service::usage(AccountId account) const {
  auto value = engine_.latest().get(keys::account(account));
  if (!value) return failed(value);
  if (!*value) return failure(Failure::Kind::permanent, no_such_account, "No such account");
  const auto record = decode<AccountRecord>(**value);
  if (!record) return std::unexpected(record.error());
  return Usage{.bytes = record->used_bytes, .messages = record->used_items};
}

// ---- reading

Task<Result<std::shared_ptr<const View>>> Service::view(AccountId account, MailboxId mailbox) {
  return at_home(account, view_here(account, mailbox));
}

Task<Result<std::shared_ptr<const View>>> Service::view_here(AccountId id, MailboxId mailbox) {
  const auto account = account_here(id);
  auto view = co_await account->view(mailbox);
  if (!view) co_return failed(view);
  co_return std::shared_ptr<const View>(std::move(*view));
}

Result<std::vector<std::string>> Service::keywords(AccountId account) const {
  std::vector<std::string> names;
  const std::string first = keys::of('w', account).take();
  auto scanned = engine_.latest().scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    const std::uint16_t number = store::Parser(key.substr(first.size())).u16();
    if (names.size() <= number) names.resize(number + 1u);
    names[number] = std::string(value);
    return true;
  });
  if (!scanned) return failed(scanned);
  return names;
}

namespace {

// What runs of flags have changed has no entries of its own yet.
Result<void> add_runs(const KeyValue& from, AccountId account, MailboxId mailbox, ModSeq since, ViewChanges& found) {
  auto runs = read_flag_runs(from, account, mailbox);
  if (!runs) return failed(runs);
  std::vector<Uid> changed;
  for (const auto& run : *runs) {
    for (const auto& [first, last] : run->uids) {
      for (std::uint32_t uid = first.value; uid <= last.value; ++uid) {
        if (run->modseq_of(Uid(uid)) <= since.value) continue;
        const bool known = std::ranges::binary_search(found.vanished, Uid(uid)) ||
                           std::ranges::binary_search(found.appeared, Uid(uid));
        if (!known) changed.emplace_back(uid);
      }
    }
  }
  std::ranges::copy(found.changed, std::back_inserter(changed));
  std::ranges::sort(changed);
  const auto twice = std::ranges::unique(changed);
  changed.erase(twice.begin(), twice.end());
  found.changed = std::move(changed);
  return {};
}

}  // namespace

Task<Result<std::optional<ViewChanges>>> Service::changes(AccountId account, MailboxId mailbox, ModSeq since) {
  auto carried = co_await at_home(account, carried_here(account));
  if (!carried) co_return failed(carried);
  const auto snapshot = engine_.snapshot();
  auto changes = collection_changes(Stored(*snapshot), account, mailbox, since.value);
  if (!changes) co_return failed(changes);
  if (!*changes) co_return std::optional<ViewChanges>();
  ViewChanges found;
  for (const auto& entry : (**changes).entries) {
    const bool known = entry.created <= since.value;
    if (entry.vanished && !known) continue;  // The client never heard of it.
    (entry.vanished ? found.vanished : known ? found.changed : found.appeared).push_back(entry.uid);
  }
  for (auto* uids : {&found.vanished, &found.changed, &found.appeared}) std::ranges::sort(*uids);
  auto added = add_runs(Stored(*snapshot), account, mailbox, since, found);
  if (!added) co_return failed(added);
  co_return std::optional<ViewChanges>(std::move(found));
}

std::unique_ptr<Mailboxes::Watch> Service::watch(AccountId account, MailboxId mailbox, Wakeup& wakeup) {
  auto bell = std::make_shared<Bell>(shards_, wakeup);
  auto enter = [this, account, mailbox, bell] { account_here(account)->watch(mailbox, bell); };
  if (const unsigned home = home_of(account); home == shards_.current()) {
    enter();
  } else {
    shards_.post(home, std::move(enter));
  }
  return std::make_unique<BellWatch>(std::move(bell));
}

}  // namespace facteur::mailbox
