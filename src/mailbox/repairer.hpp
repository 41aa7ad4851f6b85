// The steps of repair_account (repair.hpp): everything an account has, in memory, and what must become of it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/keys.hpp"
#include "mailbox/repair.hpp"

namespace facteur::mailbox {

class Repairer {
 public:
  Repairer(Layer& layer, AccountId account, const RepairOptions& options)
      : layer_(layer), account_(account), options_(options) {}
  Result<Repaired> run();

 private:
  using Place = std::pair<MailboxId, Uid>;
  using Wanted = std::map<std::string, std::string>;  // Keys and values of a subspace as they must be.

  // ---- reading
  Result<void> each(char subspace, const std::function<void(store::Parser key, Bytes value)>& use) const;
  template <class Record>
  Result<void> each_record(char subspace, const std::function<void(store::Parser key, Record record)>& use) const {
    return each(subspace, [&](store::Parser key, Bytes value) {
      if (auto record = decode<Record>(value)) use(key, std::move(*record));
    });
  }

  // ---- writing
  std::uint64_t next_modseq() { return ++record_.modseq; }
  void put(std::string key, std::string value);
  void remove(std::string key);
  // Puts what is missing or other, removes what is too much.
  Result<void> reconcile(char subspace, const Wanted& wanted);

  // ---- the steps, in this order
  Result<void> read_account();        // A: as it is, or at least the highest numbers that are in use.
  Result<void> read_containers();     // C: the lost ones are made again.
  Result<void> read_items();          // I and J.
  Result<void> read_placements();     // P.
  void recover_items();               // From placements and content records.
  Result<void> recover_placements();  // From items, x and m.
  void agree();                       // Items and placements say the same; what says nothing useful goes.
  void number_anew();                 // Two with the same modseq, change number or message id.
  Result<void> read_tombstones();     // t and T: unreadable ones raise the floor.
  Result<void> join_threads();        // r and g.
  void count();                       // Counts of containers and threads, quota.
  Result<void> write();               // All records and indexes.
  Result<void> pack();                // V and E.

  Result<void> recover_containers(const std::set<MailboxId>& known);
  Result<void> remove_all(char subspace, MailboxId mailbox);
  Result<bool> columns_whole(const Container& container) const;
  void lose(const Place& place);
  void touch(const Place& place);
  void write_indexes(Wanted& x, Wanted& m, Wanted& h) const;
  Result<void> write_objects();

  Layer& layer_;
  AccountId account_;
  const RepairOptions& options_;
  Repaired repaired_;

  bool exists_ = false;
  AccountRecord record_;
  std::map<MailboxId, Container> containers_;
  std::map<ItemId, Item> items_;
  std::map<ItemId, ContentRecord> contents_;
  std::map<Place, Placement> placements_;
  std::set<Place> damaged_;  // Placements that cannot be read.
  std::map<ThreadId, Thread> threads_;
  std::map<std::pair<MailboxId, ThreadId>, ThreadCount> thread_counts_;
  Wanted tombstones_, object_tombstones_;
};

}  // namespace facteur::mailbox
