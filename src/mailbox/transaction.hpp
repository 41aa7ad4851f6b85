// One transaction of one account: pure logic over a KeyValue, no I/O and no time of its own (DATA-MODEL.md section 1).
//
// Operations read what is below them, write into a layer of their own, and give each changed object a modseq of its own
// (DECISIONS.md 1). finish() decides what can only be known at the end (threads that died, counts, packed rows), and
// hands over the batch for the store and the effects for what is kept in memory. A transaction that is dropped changed
// nothing.
//
// An operation that fails with kind permanent or corrupt has written nothing: the others around it may still be
// committed. After any other failure (the index could not be read) the transaction must be dropped.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/result.hpp"
#include "mailbox/account_state.hpp"
#include "mailbox/first_numbers.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/records.hpp"
#include "mailbox/rows.hpp"
#include "mailbox/types.hpp"
#include "store/engine.hpp"

namespace facteur::mailbox {

class Transaction {
 public:
  struct Options {
    UtcTime now;
    PackLimits pack;
    std::size_t most_containers = 10'000;
    std::size_t most_keywords = 4'000;
    // For the acceptance test only: it must notice this old mistake (DATA-MODEL.md section 6).
    bool planted_one_modseq_per_commit = false;
  };
  // All are borrowed as long as the transaction lives.
  Transaction(AccountId account, const AccountState& state, const KeyValue& below, Options options);

  // ---- the account
  // A new account's first record (state is empty then).
  void open_account(const std::array<char, 16>& replica, const FirstNumbers& first = {});
  // Numbers go on from `least` on if they are not there yet; each container gets a new UIDVALIDITY, the account
  // a new replica, and what clients synchronise from is too old.
  void number_anew(const std::array<char, 16>& replica, const FirstNumbers& least);
  void close_account() { edit_record().removing = true; }
  // RopGetLocalReplicaIds: the first of `count` ids that nobody else will get.
  std::uint64_t reserve_ids(std::uint32_t count);
  Result<std::uint16_t> keyword(std::string_view name);  // Its number; a new one if it is new.
  void subscribe(const std::string& path, bool on);
  // Removes tombstones up to `floor`; at most `most` of them.
  struct Expired {
    std::size_t count = 0;
    bool all = true;  // There were no more.
  };
  Result<Expired> expire(std::uint64_t floor, std::size_t most);

  // ---- containers
  struct NewContainer {
    std::string name;
    ContainerKind kind = ContainerKind::mail;
    MailboxId parent;
    Role role = Role::none;
    bool selectable = true;
  };
  Result<MailboxId> make_container(const NewContainer& wanted);
  Result<void> rename_container(MailboxId container, MailboxId parent, const std::string& name);
  Result<void> set_role(MailboxId container, Role role);
  // \NoSelect, or selectable again under a new UIDVALIDITY. It must be empty.
  Result<void> set_selectable(MailboxId container, bool selectable);
  Result<void> remove_container(MailboxId container);  // Empty but for placements that cannot be read.
  const Container* find(MailboxId container) const;
  const Container* child(MailboxId parent, std::string_view name) const;
  bool has_children(MailboxId container) const;

  // ---- items
  struct NewItem {
    ItemKind kind = ItemKind::email;
    BlobId blob;
    std::uint32_t size = 0;
    std::string prefix;
    std::string structure;
    UtcTime received;
    Flags flags;      // `deleted` is for the placement.
    ThreadId thread;  // 0: found by `thread_keys`, or a new one.
    std::vector<std::uint64_t> thread_keys;
  };
  // Exists from its first placement on, which must follow in this transaction.
  Result<ItemId> make_item(NewItem wanted);
  struct Place {
    MessageId mid;                    // 0: a new one.
    std::optional<std::string> name;  // DAV.
    std::string version;              // MAPI.
    bool deleted = false;
  };
  Result<Uid> place(ItemId item, MailboxId container, Place how);
  Result<Uid> place(ItemId item, MailboxId container) { return place(item, container, Place()); }
  // Takes an item out of a container; the item ends with its last placement.
  Result<void> unplace(MailboxId container, Uid uid);
  // The same, but what was its last placement waits in the trash container for undelete (DECISIONS.md 14).
  Result<void> expunge(MailboxId container, Uid uid, const std::string& path);
  // Sets the item's flags (all its placements) and, if given, \Deleted of one placement.
  struct Deleted {
    MailboxId container;
    Uid uid;
    bool on;
  };
  Result<void> set_flags(ItemId item, const Flags& flags, std::optional<Deleted> deleted = {});
  Result<void> set_deleted(MailboxId container, Uid uid, bool on);
  Result<Uid> copy(MailboxId from, Uid uid, MailboxId to);  // IMAP: the same EMAILID where possible (RFC 8474 §4).
  Result<Uid> copy_as_new(MailboxId from, Uid uid, MailboxId to);  // MAPI, EWS: always a new item.
  Result<Uid> move(MailboxId from, Uid uid, MailboxId to, MessageId mid = {});
  // MAPI, DAV: new content. E-mail becomes a new item with a new UID and the same MID; others keep item, UID, name.
  Result<void> edit(MessageId mid, const BlobId& blob, std::uint32_t size, std::string version);
  // Whether a message was ever imported into the container under this name; and that one was, now.
  Result<bool> imported(MailboxId container, Bytes source) const;
  void remember_import(MailboxId container, Bytes source, Uid uid);
  Result<void> set_structure(ItemId item, std::string structure);  // The cached record only: no modseq.

  // ---- trash
  struct Undeleted {
    MailboxId container;
    Uid uid;
    ItemId item;
  };
  Result<Undeleted> undelete(Uid trashed, MailboxId to);
  Result<void> purge(Uid trashed);

  // Packed columns (columns.hpp): `records` (keys and values) cover the uids up to `covered`, with so many rows.
  Result<void> seal(MailboxId container, Uid covered, std::uint32_t rows,
                    std::vector<std::pair<std::string, std::string>> records);

  // ---- runs of flags (flag_runs.hpp)
  // Begins the runs of a plan. None of its messages may be elsewhere, too: there it would change with a modseq of its
  // own (unless only \Deleted changes, which does not show there).
  Result<void> begin_runs(MailboxId container, FlagPlan plan);
  // Carries the first run that waits in a container into the records of uids behind `after`, of `most` at most. The uid
  // to go on behind; 0: the run has ended, and the next one begins.
  Result<Uid> carry_some(MailboxId container, Uid after, std::size_t most);

  // ---- runs of placements (placement_runs.hpp)
  // Begins a plan, behind those that wait. No message may be in its target already. The run with its numbers. Corrupt
  // if packed rows cannot be read: then what waits must be carried first.
  Result<PlacementRun> begin_placements(PlacementPlan plan);
  // Carries the first run that waits into the records of its next messages, of `most` at most. The uids of messages
  // whose records cannot be read: they stay as they are.
  Result<std::vector<Uid>> carry_placements(std::size_t most);

  // ---- reading, with what this transaction has written (runs that wait are carried into what is read)
  Result<std::optional<Placement>> placement(MailboxId container, Uid uid);
  Result<Item> item(ItemId id);
  Result<std::optional<std::pair<MailboxId, Uid>>> find_message(MessageId mid) const;
  Result<std::optional<Uid>> find_name(MailboxId container, std::string_view name) const;
  Result<std::vector<Uid>> uids(MailboxId container) const;
  const KeyValue& reading() const { return layer_; }
  const AccountRecord& record() const { return record_; }

  // Completes the batch. Nothing may be called afterwards but take_layer().
  Result<Effects> finish(store::Batch& batch);
  Layer take_layer() { return std::move(layer_); }

 private:
  struct Counts {
    std::int64_t total = 0, unread = 0, deleted = 0, bytes = 0, threads = 0, unread_threads = 0;
  };
  struct Pending {  // An item not placed yet.
    Item item;
    ContentRecord content;
    std::vector<std::uint64_t> thread_keys;
  };

  AccountRecord& edit_record();
  void begin_at(const FirstNumbers& least);
  std::uint64_t next_modseq();
  std::uint64_t next_id();
  Container* edit(MailboxId container);
  void rename_key(const Container& container, const std::string& name, MailboxId parent);
  Result<MailboxId> trash_container();

  template <class Record>
  Result<std::optional<Record>> get(Bytes key) const;
  template <class Record>
  Result<Record> require(Bytes key) const;
  // Of what can be made again from other records: a damaged one counts as missing.
  template <class Record>
  Result<std::optional<Record>> derived(Bytes key) const;

  void changed(Type type, std::uint64_t id, std::uint64_t old, std::uint64_t now);
  void destroyed(Type type, std::uint64_t id, std::uint64_t old, std::uint64_t created);
  void touch(Item& item, std::uint64_t modseq);
  void write(MailboxId container, Uid uid, const Placement& placement);
  // Gives the placement its next modseq.
  std::uint64_t touch(MailboxId container, Uid uid, Placement& placement);
  void take_out(MailboxId container, Uid uid, const Placement& placement, Item& item, std::uint64_t modseq);
  void drop_item(const Item& item);  // Records and blob reference.
  Result<void> destroy(const Item& item);

  Result<ThreadId> find_thread(const std::vector<std::uint64_t>& thread_keys);
  Result<void> change_thread(ThreadId thread, ItemId item, bool add, const std::vector<std::uint64_t>& thread_keys);
  Result<void> count_thread(MailboxId container, ThreadId thread, std::int32_t items, std::int32_t unread);
  Result<void> count(MailboxId container, const Item& item, int sign);
  Result<Uid> place(Item item, MailboxId container, Place how);  // The item as it is now.
  struct Numbers {
    Uid uid;
    MessageId mid;
    std::uint64_t modseq;
  };
  Result<void> place(Item item, MailboxId container, Place how, const Numbers& numbers);
  struct Located {
    Placement placement;
    Item item;
  };
  Result<void> unplace(MailboxId container, Uid uid, Located& found, std::uint64_t modseq);
  Result<void> expunge(MailboxId container, Uid uid, Located& found, const std::string& path, std::uint64_t modseq);
  void count_rows(MailboxId container, const std::vector<Row>& rows, int sign);
  Result<void> show_rows(Container& container, std::vector<RowChange> changes);
  Result<void> carry_placement(const PlacementRun& run, std::uint32_t index, Uid uid);
  // The single records must not be looked at while a run of placements waits.
  void expect_carried() const { CHECK_OR_BUG(state_.placing.empty() || carrying_); }
  Result<Located> locate(MailboxId container, Uid uid);
  Result<Placement> placed_at(MailboxId container, Uid uid);
  Result<void> carry(MailboxId container, Uid uid);
  Result<void> carry_item(ItemId id);
  Result<void> carry_item(MailboxId container, const Placement& placed, const Flags& before, std::uint64_t modseq);
  void forget_run(const FlagRun& run);
  void forget_runs(MailboxId container);
  // The item has just got a place, or lost one in `container`.
  void count_shared(const Item& item, MailboxId container, bool added);

  Result<void> end_threads();
  void apply_counts();
  Result<void> pack_containers();

  AccountId account_;
  const AccountState& state_;
  Options options_;
  Layer layer_;
  bool any_ = false;
  bool carrying_ = false;  // A run of placements: rows, counts and numbers have been given when it began.
  AccountRecord record_;
  std::optional<std::uint64_t> planted_;
  std::map<MailboxId, std::optional<Container>> containers_;  // Changed here; nullopt: removed.
  std::map<std::pair<MailboxId, std::string>, std::optional<MailboxId>> names_;
  std::map<ItemId, Pending> pending_;
  struct Seen {
    MailboxId container;
    Uid uid;
    Placement placement;
  };
  std::optional<Seen> seen_;                           // The placement read last: callers look first and change then.
  std::optional<std::pair<ThreadId, Thread>> joined_;  // The thread found last, as it was then.
  std::set<ThreadId> emptied_;
  std::set<ThreadId> begun_;  // Threads made here: nothing of them is below.
  std::map<MailboxId, Counts> counts_;
  Effects effects_;
  std::vector<store::Batch::Operation> references_;
  std::unordered_map<std::string, std::uint16_t> new_keywords_;
};

}  // namespace facteur::mailbox
