// The world of the acceptance test: an account driven by random operations of all protocols, and readers that keep only
// what their protocol lets them keep (DATA-MODEL.md section 6).
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/account_state.hpp"
#include "mailbox/changes.hpp"
#include "mailbox/invariants.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/rows.hpp"
#include "mailbox/transaction.hpp"
#include "sim/random.hpp"

namespace facteur::mailbox::model {

inline constexpr AccountId account{3};

// Thrown where an assertion would stop the run: the mutation test wants to see it, others let it fail the test.
struct Broken {
  std::string what;
};
inline void require(bool holds, const std::string& what) {
  if (!holds) throw Broken{what};
}
template <class T>
T must(Result<T> result, const char* what) {
  if (!result) throw Broken{std::string(what) + ": " + std::string(result.error().code) + " " + result.error().cause};
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Where records are kept. Several commits may be on their way: transactions see them, readers do not.
class Keeper {
 public:
  virtual ~Keeper() = default;
  virtual const KeyValue& durable() const = 0;
  virtual const KeyValue& pending() const { return durable(); }
  virtual void commit(Layer layer, store::Batch batch) = 0;
  virtual void settle() {}  // Until all of them are durable.
  // A backup, and the return to it.
  virtual void back_up() { throw Broken{"this keeper has no backup"}; }
  virtual void restore() { throw Broken{"this keeper has no backup"}; }
};

// A map: the transaction core alone.
class MapKeeper final : public Keeper, public KeyValue {
 public:
  void back_up() override { backup_ = map_; }
  void restore() override { map_ = backup_; }
  const KeyValue& durable() const override { return *this; }
  void commit(Layer, store::Batch batch) override {
    using Kind = store::Batch::Operation::Kind;
    for (auto& [kind, key, value] : batch.operations) {
      const bool reference = kind == Kind::reference || kind == Kind::unreference;
      std::string stored = reference ? 'Z' + key : std::move(key);
      if (kind == Kind::put || kind == Kind::reference) {
        map_.insert_or_assign(std::move(stored), std::move(value));
      } else {
        map_.erase(stored);
      }
    }
  }
  Result<std::optional<std::string>> get(Bytes key) const override {
    const auto found = map_.find(key);
    return found == map_.end() ? std::optional<std::string>() : found->second;
  }
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override {
    for (auto at = map_.lower_bound(from); at != map_.end() && at->first < to; ++at) {
      if (!visit(at->first, at->second)) break;
    }
    return {};
  }

 private:
  std::map<std::string, std::string, std::less<>> map_, backup_;
};

// Reads an account as its readers see it.
class Reading {
 public:
  explicit Reading(const KeyValue& from) : from_(from) {}
  const KeyValue& from() const { return from_; }

  template <class Record>
  std::optional<Record> get(Bytes key) const {
    auto value = must(from_.get(key), "get");
    if (!value) return std::nullopt;
    return must(decode<Record>(*value), "decode");
  }
  std::optional<Container> container(MailboxId id) const { return get<Container>(keys::container(account, id)); }
  std::optional<Container> by_name(const std::string& name) const {
    const auto value = must(from_.get(keys::name(account, {}, name)), "name");
    if (!value) return std::nullopt;
    return container(MailboxId(store::Parser(*value).u48()));
  }
  std::map<Uid, Placement> placements(MailboxId id) const {
    std::map<Uid, Placement> found;
    const auto first = keys::placements(account, id).take();
    must(from_.scan(first, store::behind(first),
                    [&](Bytes key, Bytes value) {
                      found.emplace(Uid(store::Parser(key.substr(first.size())).u32()),
                                    must(decode<Placement>(value), "placement"));
                      return true;
                    }),
         "scan");
    return found;
  }
  Item item(ItemId id) const {
    const auto found = get<Item>(keys::item(account, id));
    require(found.has_value(), "item is missing");
    return *found;
  }
  template <class Record>
  std::vector<std::pair<std::uint64_t, Record>> all(char subspace) const {
    std::vector<std::pair<std::uint64_t, Record>> found;
    const auto first = keys::of(subspace, account).take();
    must(from_.scan(first, store::behind(first),
                    [&](Bytes key, Bytes value) {
                      found.emplace_back(store::Parser(key.substr(first.size())).u48(),
                                         must(decode<Record>(value), "record"));
                      return true;
                    }),
         "scan");
    return found;
  }
  AccountRecord record() const { return get<AccountRecord>(keys::account(account)).value_or(AccountRecord()); }

 private:
  const KeyValue& from_;
};

class Client {
 public:
  virtual ~Client() = default;
  virtual void sync(const Reading& reading, sim::Random& chance) = 0;
};

std::unique_ptr<Client> imap_client(std::string name);
std::unique_ptr<Client> jmap_client();
std::unique_ptr<Client> dav_client(MailboxId collection);
std::unique_ptr<Client> ics_client(MailboxId folder);

struct Run {
  std::uint64_t seed = 1;
  std::size_t operations = 1500;
  std::size_t check_every = 50;  // 0: the readers alone must notice.
  unsigned sync_per_mille = 60;  // How often each reader looks.
  bool planted_one_modseq_per_commit = false;
  unsigned restore_per_mille = 0;      // How often all is lost and restored from the last backup, which is as rare.
  bool planted_plain_restore = false;  // As it was in the backup.
};
struct Statistics {
  std::uint64_t modseq = 0;
  std::size_t puts = 0;
  std::size_t removes = 0;
};
// Throws Broken if a reader does not see what the server has, or an invariant does not hold.
Statistics run(Keeper& keeper, const Run& parameters);

}  // namespace facteur::mailbox::model
