// An account in use, on its home shard: transactions one after the other, several commits on their way, the newest
// durable state for readers, and who wants to hear of it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/wait.hpp"
#include "mailbox/account_state.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/packed_view.hpp"
#include "mailbox/transaction.hpp"
#include "observe/event.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/shards.hpp"

namespace facteur::mailbox {

// A bell of a session, rung on the session's shard.
class Bell {
 public:
  Bell(world::Shards& shards, Wakeup& wakeup) : shards_(shards), shard_(shards.current()), wakeup_(&wakeup) {}
  // From any shard; a ring that is still on its way counts for those behind it.
  static void ring(const std::shared_ptr<Bell>& bell);
  void forget() { wakeup_ = nullptr; }  // On the session's shard.

 private:
  world::Shards& shards_;
  unsigned shard_;
  Wakeup* wakeup_;
  std::atomic<bool> ringing_{false};
};

// What all accounts of a shard share.
struct Surroundings {
  store::Engine& engine;
  world::Shards& shards;
  world::Clock& clock;
  observe::Scope scope;
  TaskGroup& tasks;  // Of this shard.
  BulkSizes sizes;
};

class Account {
 public:
  Account(AccountId id, Surroundings& around);
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  AccountId id() const { return id_; }

  // All below runs on the home shard.
  auto turn() { return turn_.take(); }

  // With the turn held: makes the state of the account current. After a failed commit it waits for those behind it.
  Task<Result<void>> load();
  // The same for an account that may not exist yet.
  Task<Result<void>> load_or_new();
  // The same, and carries the runs of placements that wait (placement_runs.hpp): for all who look at the single
  // records of messages that are there.
  Task<Result<void>> load_carried();
  // With the turn held and an account that is current: carries a part of the first of them.
  using Queued = std::shared_ptr<Completion<Result<void>>>;
  Result<Queued> carry_part(Turn::Held held);
  bool current() const { return working_ && !broken_; }  // load() would not wait.
  const AccountState& state() const { return *working_; }
  Transaction begin() const { return begin(pending_); }
  // The same, reading through `below`, which stands over reading() and outlives the transaction (read_ahead.hpp).
  Transaction begin(const KeyValue& below) const;
  const KeyValue& reading() const { return pending_; }

  // With the turn held, and without suspension between begin() and the engine's queue. Numbers what finish() gave.
  std::uint64_t adopt(Transaction& transaction, const Effects& effects);
  const std::shared_ptr<store::Batch::Chain>& chain() const { return chain_; }  // For the batch.
  // The commit number `number` has come to its end.
  void settle(std::uint64_t number, const Effects& effects, const Result<void>& result);
  // Both for a transaction of this account alone: releases the turn when the batch is in the queue.
  Task<Result<void>> commit(Transaction& transaction, store::Batch batch, Turn::Held held);
  // The same in two steps, so that a change of many messages prepares a part while the one before is on its way.
  // nullptr: there was nothing to commit.
  Result<Queued> queue(Transaction& transaction, store::Batch batch, Turn::Held held);
  static Task<Result<void>> settled(Queued queued);  // Called once for each.

  // Reading what is durable.
  Task<Result<const AccountState*>> published();  // Valid until the next suspension.
  Task<Result<std::shared_ptr<const PackedView>>> view(MailboxId mailbox);
  // All rows, loaded. With the turn held and after drained(): those the next transaction sees. load() again afterwards.
  Task<Result<std::shared_ptr<const PackedView>>> rows(MailboxId mailbox);
  // Rows with \Deleted as the next transaction sees them; with the turn held. load() again afterwards.
  Task<Result<std::vector<Uid>>> deleted_uids(MailboxId mailbox);

  void watch(MailboxId mailbox, std::shared_ptr<Bell> bell);
  bool idle();           // Nothing is under way and nobody watches.
  void forget();         // After the account was removed.
  void start_anew();     // After a repair: forgets, and rings all bells, for anything may be other than it was shown.
  Task<void> drained();  // Until no commit is on its way; with the turn held.

  void report(Bytes key, std::string_view what) const;

  bool closed = false;            // Nobody may load it.
  std::size_t changing_many = 0;  // Changes of many messages under way: what can wait until they are done does.
  // Called when rows of a mailbox have become durable.
  std::function<void(Account&, MailboxId)> on_rows;

 private:
  struct Shown {
    std::weak_ptr<const PackedView> view;
    std::vector<RowChange> changes;  // Durable, and not in the view yet.
  };
  Task<void> carry_out(store::Batch batch, Effects effects, std::uint64_t number,
                       std::shared_ptr<Completion<Result<void>>> done);
  Result<void> read();
  Task<Result<std::shared_ptr<const PackedView>>> view(MailboxId mailbox, bool turn_held);
  void ring(const Effects& effects);
  void show(const Effects& effects);
  Damage damage() const;

  AccountId id_;
  Surroundings& around_;
  Turn turn_;
  Stored durable_;
  Pending pending_;                        // Commits on their way, over what is durable.
  std::optional<AccountState> working_;    // With commits on their way.
  std::optional<AccountState> published_;  // Durable.
  bool broken_ = false;                    // A commit has failed: what was built on it will fail too.
  std::shared_ptr<store::Batch::Chain> chain_ = std::make_shared<store::Batch::Chain>();
  std::uint64_t numbers_ = 0;
  std::map<std::uint64_t, const Effects*> in_flight_;
  std::shared_ptr<Completion<bool>> draining_;
  std::unordered_map<MailboxId, Shown> shown_;
  std::unordered_map<MailboxId, std::vector<std::weak_ptr<Bell>>> watchers_;
};

}  // namespace facteur::mailbox
