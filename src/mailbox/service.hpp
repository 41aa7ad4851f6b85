// The implementation of Mailboxes: each call goes to the home shard of the account, and comes back from there.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "mailbox/account.hpp"
#include "mailbox/mailboxes.hpp"

namespace facteur::mailbox {

// Bulk changes are cut into transactions of so many objects (DATA-MODEL.md section 5).
inline constexpr std::size_t bulk = 2000;

class Service final : public Mailboxes {
 public:
  Service(store::Engine& engine, world::Shards& shards, world::Clock& clock, world::Random& random,
          observe::Scope scope, StructureMaker structure, BulkSizes sizes);
  ~Service() override;

  Task<Result<void>> create_account(AccountId account) override;
  Task<Result<void>> remove_account(AccountId account) override;
  Task<Result<void>> set_closed(AccountId account, bool closed) override;
  Result<Usage> usage(AccountId account) const override;

  Task<Result<std::vector<MailboxSummary>>> list(AccountId account) override;
  Task<Result<std::optional<MailboxSummary>>> find(AccountId account, std::string path) override;
  Task<Result<MailboxId>> create(AccountId account, std::string path, Role role) override;
  Task<Result<void>> remove(AccountId account, std::string path) override;
  Task<Result<void>> rename(AccountId account, std::string from, std::string to) override;
  Task<Result<void>> subscribe(AccountId account, std::string path, bool on) override;
  Task<Result<std::vector<std::string>>> subscriptions(AccountId account) override;

  Task<Result<std::shared_ptr<const View>>> view(AccountId account, MailboxId mailbox) override;
  Task<Result<MessageText>> text(AccountId account, const Row& row) override;
  Task<Result<std::string>> structure(AccountId account, const Row& row) override;
  Task<Result<void>> structures(AccountId account, std::shared_ptr<const View> view, std::size_t first,
                                std::size_t last, Parts parts, const StructureVisit& visit) override;
  Task<Result<void>> texts(AccountId account, std::shared_ptr<const View> view, std::size_t first, std::size_t last,
                           Parts parts, const TextVisit& visit) override;
  Result<std::vector<std::string>> keywords(AccountId account) const override;
  Task<Result<std::optional<ViewChanges>>> changes(AccountId account, MailboxId mailbox, ModSeq since) override;
  std::unique_ptr<Watch> watch(AccountId account, MailboxId mailbox, Wakeup& bell) override;

  Task<Result<std::vector<Placed>>> file(NewMessage message, std::vector<Placing> placings, store::Batch also) override;
  Task<Result<std::vector<Placed>>> append(AccountId account, MailboxId mailbox,
                                           std::vector<std::pair<NewMessage, Placing>> messages) override;
  Task<Result<StoredFlags>> store_flags(AccountId account, MailboxId mailbox, std::vector<Uid> uids, FlagChange change,
                                        std::uint8_t flag_bits, std::vector<std::string> keywords,
                                        std::optional<ModSeq> unchanged_since) override;
  Task<Result<Copied>> copy(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to) override;
  Task<Result<Copied>> move(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to) override;
  Task<Result<std::vector<Uid>>> expunge(AccountId account, MailboxId mailbox, std::optional<std::vector<Uid>> uids,
                                         bool all) override;

  Task<Result<std::vector<Deleted>>> deleted(AccountId account) override;
  Task<Result<std::vector<Placed>>> undelete(AccountId account, std::vector<Uid> ids) override;
  Task<Result<Housekept>> housekeep(AccountId account, UtcTime deleted_before, UtcTime tombstones_before) override;
  Task<Result<Checked>> check(AccountId account, bool repair) override;
  Task<void> start_anew(AccountId account) override;
  Task<Result<std::vector<AccountId>>> stored_accounts() override;
  Task<Result<std::vector<Holding>>> orphans() override;
  Task<Result<std::vector<Holding>>> holders(std::vector<BlobId> blobs) override;
  Task<Result<Placed>> rescue(Holding orphan, AccountId into) override;
  Task<void> finished() override;

 private:
  struct Home {  // What belongs to one shard, and is touched there only.
    Home(store::Engine& engine, world::Shards& shards, world::Clock& clock, const observe::Scope& scope,
         TaskGroup& tasks, BulkSizes sizes)
        : surroundings{engine, shards, clock, scope, tasks, sizes} {}
    Surroundings surroundings;
    std::unordered_map<AccountId, std::shared_ptr<Account>> accounts;
    std::set<AccountId> closed;
    std::size_t look_for_idle_at = 1024;
    std::set<std::pair<AccountId, MailboxId>> sealing;
    std::set<std::pair<AccountId, MailboxId>> carrying;
    std::set<AccountId> placing;
  };
  // A message with all that is made of it before an account is asked.
  struct Prepared {
    std::unique_ptr<store::Upload> upload;  // Or octets.
    std::string octets;
    BlobId blob;
    std::uint64_t size = 0;
    std::vector<std::uint64_t> thread_keys;
    bool streamed = false;                // Its structure record is made after the commit.
    std::vector<std::string> structures;  // One for each placing.
  };
  // What one account adds to a commit.
  struct Share {
    AccountId id;
    std::vector<std::size_t> placings;
    std::shared_ptr<Account> account;
    Turn::Held held;
    std::unique_ptr<Transaction> transaction;
    Effects effects;
    std::uint64_t number = 0;
  };
  struct Target {  // A mailbox and the flags of a message in it.
    MailboxId mailbox;
    Flags flags;
  };

  unsigned home_of(AccountId account) const;
  std::shared_ptr<Account> account_here(AccountId account);  // On its home shard.
  template <class T>
  Task<T> at_home(AccountId account, Task<T> work);

  Task<Result<void>> create_account_here(AccountId account);
  Task<Result<void>> remove_account_here(AccountId account);
  Task<Result<void>> set_closed_here(AccountId account, bool closed);
  Task<Result<std::vector<MailboxSummary>>> list_here(AccountId account);
  Task<Result<std::optional<MailboxSummary>>> find_here(AccountId account, std::string path);
  Task<Result<MailboxId>> create_here(AccountId account, std::string path, Role role);
  Task<Result<void>> remove_here(AccountId account, std::string path);
  Task<Result<void>> rename_here(AccountId account, std::string from, std::string to);
  Task<Result<void>> rename_inbox(std::shared_ptr<Account> account, std::string to);
  Task<Result<void>> subscribe_here(AccountId account, std::string path, bool on);
  Task<Result<std::vector<std::string>>> subscriptions_here(AccountId account);
  Task<Result<std::shared_ptr<const View>>> view_here(AccountId account, MailboxId mailbox);
  Task<Result<std::vector<Placed>>> append_here(AccountId account, MailboxId mailbox, std::vector<Prepared> prepared,
                                                std::vector<Placing> placings);
  Task<Result<StoredFlags>> store_flags_here(AccountId account, MailboxId mailbox, std::vector<Uid> uids,
                                             FlagChange change, std::uint8_t flag_bits,
                                             std::vector<std::string> keywords, std::optional<ModSeq> unchanged_since);
  Task<Result<std::optional<StoredFlags>>> store_run(std::shared_ptr<Account> account, MailboxId mailbox,
                                                     std::vector<Uid>& uids, FlagChange change, std::uint8_t flag_bits,
                                                     const std::vector<std::string>& keywords,
                                                     std::optional<ModSeq> unchanged_since);
  Task<Result<void>> carry_runs(std::shared_ptr<Account> account, MailboxId mailbox);
  Task<void> carry_in_background(std::shared_ptr<Account> account, MailboxId mailbox);
  Task<Result<Copied>> copy_here(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to, bool move);
  Task<Result<std::vector<Uid>>> expunge_here(AccountId account, MailboxId mailbox,
                                              std::optional<std::vector<Uid>> uids, bool all);
  Task<Result<std::vector<Deleted>>> deleted_here(AccountId account);
  Task<Result<std::vector<Placed>>> undelete_here(AccountId account, std::vector<Uid> ids);
  Task<Result<Housekept>> housekeep_here(AccountId account, UtcTime deleted_before, UtcTime tombstones_before);

  Task<Result<Checked>> check_here(AccountId account, bool repair);
  Task<Result<void>> start_anew_here(AccountId account);
  Task<Result<void>> write_repair(AccountId account, Checked& checked);

  Prepared prepare(NewMessage message, const std::vector<Placing>& placings) const;
  static void add_blob(store::Batch& batch, Prepared& prepared);
  Result<Target> target(Transaction& transaction, const Placing& placing) const;
  Result<Placed> put(Transaction& transaction, const Prepared& prepared, std::size_t number, const Placing& placing,
                     const Target& target) const;
  Task<Result<void>> file_shares(std::vector<Share>& shares, Prepared& prepared, const std::vector<Placing>& placings,
                                 std::vector<Placed>& placed, store::Batch also, bool one_shard);
  Task<Result<void>> take_turns(std::vector<Share>& shares, bool one_shard);
  Task<Result<void>> build(std::vector<Share>& shares, const Prepared& prepared, const std::vector<Placing>& placings,
                           std::vector<Placed>& placed, store::Batch& batch);
  Task<Result<void>> commit(std::vector<Share> shares, store::Batch batch, bool one_shard);
  Task<void> release(std::vector<Share>& shares);
  Task<void> carry_out(std::vector<Share> shares, store::Batch batch, std::shared_ptr<Completion<Result<void>>> done);
  Task<Result<void>> drop_all(std::shared_ptr<Account> account, MailboxId mailbox);
  struct Begun {
    PlacementRun run;
    UidValidity uidvalidity;  // Of its target.
  };
  Task<Result<std::optional<Begun>>> place_run(std::shared_ptr<Account> account, PlacementRun wanted,
                                               std::optional<std::span<const Uid>> uids, bool all);
  Task<void> carry_placements(std::shared_ptr<Account> account);
  Task<Result<void>> carried_here(AccountId account);
  Task<void> undo_copies(std::shared_ptr<Account> account, MailboxId mailbox, std::vector<Uid> uids);

  // Structure records: packing, and making those of streamed messages.
  Result<MessageText> text_of(const store::Reader& reader, AccountId account, ItemId item, std::string* record) const;
  void consider_sealing(Account& account, MailboxId mailbox);
  bool sealing_here(AccountId account, MailboxId mailbox);  // False if it is under way.
  Task<void> seal(AccountId account, MailboxId mailbox);
  Task<void> make_structure_late(AccountId account, ItemId item, BlobId blob);

  store::Engine& engine_;
  world::Shards& shards_;
  world::Clock& clock_;
  world::Random& random_;
  observe::Scope scope_;
  StructureMaker structure_;
  BulkSizes sizes_;
  std::atomic<bool> stopping_{false};  // finished() waits: work that can go on later ends.
  std::vector<std::unique_ptr<Home>> homes_;
  std::vector<std::unique_ptr<TaskGroup>> tasks_;  // By shard. Destroyed first: what they run uses the homes.
};

// How MailboxSummary shows a container.
MailboxSummary summary_of(const AccountState& state, const Container& container);

// Makes the levels of `path` that do not exist.
Result<MailboxId> make_path(Transaction& transaction, const std::string& path, Role role);
// The container at a checked path, as the transaction sees it.
const Container* find_path(const Transaction& transaction, const std::string& path);

template <class T>
Task<T> Service::at_home(AccountId account, Task<T> work) {
  const unsigned from = shards_.current();
  co_await world::hop(shards_, home_of(account));
  std::exception_ptr bug;
  std::optional<T> result;
  try {
    result.emplace(co_await std::move(work));
  } catch (...) {
    bug = std::current_exception();
  }
  co_await world::hop(shards_, from);
  if (bug) std::rethrow_exception(bug);
  co_return std::move(*result);
}

}  // namespace facteur::mailbox
