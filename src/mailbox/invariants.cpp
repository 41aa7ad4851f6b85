#include "mailbox/invariants.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "base/ascii.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/paths.hpp"
#include "mailbox/repair.hpp"
#include "mailbox/rows.hpp"

namespace facteur::mailbox {
namespace {

class Checker {
 public:
  Checker(const KeyValue& from, AccountId account) : from_(from), account_(account) {}

  Result<std::vector<std::string>> run() {
    for (const auto step :
         {&Checker::read_account, &Checker::read_containers, &Checker::read_items, &Checker::read_threads,
          &Checker::check_placements, &Checker::check_items, &Checker::check_containers, &Checker::check_thread_indexes,
          &Checker::check_object_indexes, &Checker::check_tombstones, &Checker::check_rows}) {
      auto done = (this->*step)();
      if (!done) return failed(done);
    }
    return std::move(problems_);
  }

 private:
  using Place = std::pair<MailboxId, Uid>;
  struct Count {
    std::uint32_t total = 0, unread = 0, deleted = 0, shared = 0;
    std::uint64_t bytes = 0;
  };
  struct Live {
    std::uint64_t modseq;
    std::uint64_t created;
  };

  template <class... Parts>
  void wrong(const Parts&... parts) {
    if (problems_.size() >= 1000) return;
    std::string text;
    const auto add = [&text](const auto& part) {
      if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(part)>>) {
        text += std::to_string(part);
      } else {
        text += part;
      }
    };
    (add(parts), ...);
    problems_.push_back(std::move(text));
  }
  void expect(bool holds, std::string_view what, std::uint64_t id) {
    if (!holds) wrong(what, " (", id, ")");
  }

  Result<void> each(char subspace, const std::function<void(store::Parser key, Bytes value)>& use) {
    const auto first = keys::of(subspace, account_).take();
    return from_.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
      use(store::Parser(key.substr(first.size())), value);
      return true;
    });
  }
  template <class Record>
  Result<void> each_record(char subspace, const std::function<void(store::Parser key, Record record)>& use) {
    return each(subspace, [&](store::Parser key, Bytes value) {
      auto record = decode<Record>(value);
      if (record) return use(key, std::move(*record));
      wrong("record in ", std::string(1, subspace), " at ", ascii::escaped(key.rest()), " cannot be read");
    });
  }

  Result<void> read_account() {
    auto value = from_.get(keys::account(account_));
    if (!value) return failed(value);
    auto record = *value ? decode<AccountRecord>(**value) : Result<AccountRecord>(AccountRecord());
    if (!*value || !record) wrong("the account record is missing or damaged");
    if (record) record_ = *record;
    expect(record_.modseq <= keys::last_modseq && record_.next_id <= keys::last_modseq, "counters have 48 bits", 0);
    return {};
  }

  Result<void> read_containers() {
    std::map<std::pair<MailboxId, std::string>, MailboxId> names;
    auto done = each_record<Container>('C', [&](store::Parser key, Container c) {
      expect(MailboxId(key.u48()) == c.id && c.id.value <= record_.next_id, "a container's id", c.id.value);
      expect(c.high <= record_.modseq && c.changed() <= record_.modseq, "a container's modseq", c.id.value);
      if (c.kind != ContainerKind::trash) {
        names[{c.parent, fold(c.name)}] = c.id;
        live_[type_of(c.kind)][c.id.value] = {c.changed(), c.created};
        take_cn(c.modseq, c.id.value);
      }
      containers_.emplace(c.id, std::move(c));
    });
    if (!done) return done;
    std::size_t found = 0;
    done = each('n', [&](store::Parser key, Bytes value) {
      const MailboxId parent(key.u48());
      const auto known = names.find({parent, std::string(key.rest())});
      ++found;
      expect(known != names.end() && known->second.value == store::Parser(value).u48(), "a name leads to its container",
             parent.value);
    });
    expect(found == names.size(), "each container has one name", found);
    return done;
  }

  Result<void> read_items() {
    return each_record<Item>('I', [&](store::Parser key, Item i) {
      expect(ItemId(key.u48()) == i.id && i.id.value <= record_.next_id, "an item's id", i.id.value);
      items_.emplace(i.id, std::move(i));
    });
  }

  Result<void> read_threads() {
    return each_record<Thread>('r', [&](store::Parser key, Thread t) {
      const ThreadId id(key.u48());
      expect(!t.items.empty(), "a thread has items", id.value);
      live_[Type::thread][id.value] = {t.modseq, t.created};
      threads_.emplace(id, std::move(t));
    });
  }

  void take_cn(std::uint64_t cn, std::uint64_t id) {
    expect(change_numbers_.insert(cn).second, "change numbers differ", id);
  }

  Result<void> check_placements() {
    auto done = each_record<Placement>('P', [&](store::Parser key, Placement p) {
      const MailboxId mailbox(key.u48());
      const Uid uid(key.u32());
      const auto container = containers_.find(mailbox);
      const auto item = items_.find(p.item);
      if (container == containers_.end() || item == items_.end()) {
        return wrong("placement ", mailbox.value, "/", uid.value, " has no container or no item");
      }
      check_placement(container->second, uid, p, item->second);
    });
    if (!done) return done;
    const auto exactly = [&](char subspace, std::size_t want) -> Result<void> {
      std::size_t found = 0;
      auto counted = each(subspace, [&](store::Parser, Bytes) { ++found; });
      if (found != want) wrong("entries in ", std::string(1, subspace), ": ", found, " instead of ", want);
      return counted;
    };
    // Each placement's own entries were looked up; so equal numbers say that there are no others.
    for (const auto& [subspace, want] : {std::pair{'m', placements_}, {'x', placements_}, {'h', named_}}) {
      if (auto counted = exactly(subspace, want); !counted) return counted;
    }
    return {};
  }

  void check_placement(const Container& c, Uid uid, const Placement& p, const Item& item) {
    const std::uint64_t id = p.mid.value;
    expect(item.uid_in(c.id) == uid, "an item knows its placement", item.id.value);
    expect(uid.value < c.uidnext, "uid below uidnext", uid.value);
    Flags flags = p.flags;
    flags.bits &= static_cast<std::uint8_t>(~Flags::deleted);
    expect(flags == item.flags, "flags of item and placement are equal", id);
    expect(p.size == item.size && p.thread == item.thread && p.received == item.received,
           "size, date and thread of item and placement are equal", id);
    Count& count = counts_[c.id];
    ++count.total;
    count.bytes += p.size;
    if (c.kind == ContainerKind::trash) {
      expect(item.hidden && item.places.size() == 1 && p.origin, "what is in the trash is nowhere else", item.id.value);
      return;
    }
    expect(!item.hidden, "a visible item is not hidden", item.id.value);
    ++placements_;
    if (!p.flags.has(Flags::seen)) ++count.unread;
    if (p.flags.has(Flags::deleted)) ++count.deleted;
    if (item.places.size() > 1) ++count.shared;
    expect(p.cn <= p.modseq && p.read_cn <= p.modseq && p.created <= p.modseq, "change numbers up to the modseq", id);
    expect(c.high >= p.modseq, "the container's modseq is the highest", c.id.value);
    take_cn(p.cn, id);
    if (p.read_cn != p.cn) take_cn(p.read_cn, id);
    expect(id <= record_.next_id, "a message id that was given out", id);
    expect(value_of(keys::message(account_, p.mid)) == store::Key().u48(c.id.value).u32(uid.value).text(),
           "a message id leads to its placement", id);
    const auto change = decode<PlacementChange>(value_of(keys::change(account_, c.id, p.modseq)));
    expect(change && change->uid == uid && change->created == p.created, "a placement is at its modseq", id);
    if (p.thread) {
      auto& thread = thread_counts_[{c.id, p.thread}];
      ++thread.items;
      if (!p.flags.has(Flags::seen)) ++thread.unread;
    }
    if (!p.name) return;
    ++named_;
    expect(value_of(keys::href(account_, c.id, *p.name)) == store::Key().u32(uid.value).text(),
           "a name leads to its placement", id);
  }

  std::string value_of(Bytes key) {
    auto value = from_.get(key);
    return value && *value ? std::move(**value) : std::string();
  }

  Result<void> check_items() {
    std::uint64_t bytes = 0, count = 0;
    for (const auto& [id, item] : items_) {
      expect(!item.places.empty(), "an item is somewhere", id.value);
      for (const auto& [mailbox, uid] : item.places) {
        expect(!value_of(keys::placement(account_, mailbox, uid)).empty(), "an item's placement exists", id.value);
      }
      std::set<MailboxId> distinct;
      for (const auto& place : item.places) distinct.insert(place.first);
      expect(distinct.size() == item.places.size(), "one placement in a container", id.value);
      const auto content = decode<ContentRecord>(value_of(keys::content(account_, id)));
      expect(content && content->blob == item.blob, "an item's content record", id.value);
      const auto reference = store::Key('Z').raw(item.blob.bytes()).raw(keys::owner(account_, id));
      auto referenced = from_.get(reference);
      expect(referenced && *referenced, "an item references its blob", id.value);
      if (item.hidden) continue;
      bytes += item.size;
      ++count;
      live_[type_of(item.kind)][id.value] = {item.modseq, item.created};
      if (item.kind != ItemKind::email) continue;
      const auto thread = threads_.find(item.thread);
      expect(thread != threads_.end() && std::ranges::count(thread->second.items, id) == 1, "an email is in its thread",
             id.value);
      ++in_threads_;
    }
    expect(bytes == record_.used_bytes && count == record_.used_items, "quota is the sum", bytes);
    std::size_t contents = 0;
    auto done = each('J', [&](store::Parser, Bytes) { ++contents; });
    expect(contents == items_.size(), "content records belong to items", contents);
    return done;
  }

  Result<void> check_containers() {
    for (const auto& [id, c] : containers_) {
      const Count& count = counts_[id];
      expect(c.total == count.total && c.bytes == count.bytes, "a container's totals", id.value);
      if (c.kind == ContainerKind::trash) continue;
      expect(c.unread == count.unread && c.deleted == count.deleted, "a container's unread and deleted", id.value);
      expect(c.shared == count.shared || c.shared == Container::unknown, "a container's shared placements", id.value);
      std::uint32_t threads = 0, unread = 0;
      for (auto at = thread_counts_.lower_bound({id, ThreadId()}); at != thread_counts_.end(); ++at) {
        if (at->first.first != id) break;
        ++threads;
        if (at->second.unread > 0) ++unread;
      }
      expect(c.threads == threads && c.unread_threads == unread, "a container's threads", id.value);
    }
    return {};
  }

  Result<void> check_thread_indexes() {
    std::size_t members = 0, keys_of_threads = 0;
    for (const auto& [id, thread] : threads_) {
      members += thread.items.size();
      keys_of_threads += thread.keys.size();
      for (const std::uint64_t key : thread.keys) {
        expect(value_of(keys::thread_key(account_, key)) == store::Key().u48(id.value).text(),
               "a message id leads to its thread", id.value);
      }
    }
    expect(members == in_threads_, "threads have no items but live emails", members);
    std::size_t found = 0;
    auto done = each('g', [&](store::Parser, Bytes) { ++found; });
    if (!done) return done;
    expect(found == keys_of_threads, "message ids lead to live threads", found);
    found = 0;
    done = each_record<ThreadCount>('q', [&](store::Parser key, ThreadCount count) {
      const MailboxId mailbox(key.u48());
      const auto known = thread_counts_.find({mailbox, ThreadId(key.u48())});
      ++found;
      expect(
          known != thread_counts_.end() && known->second.items == count.items && known->second.unread == count.unread,
          "counts of a thread in a mailbox", mailbox.value);
    });
    expect(found == thread_counts_.size(), "each thread in a mailbox is counted", found);
    return done;
  }

  Result<void> check_object_indexes() {
    std::map<Type, std::size_t> found;
    auto done = each('X', [&](store::Parser key, Bytes value) {
      const auto type = static_cast<Type>(key.u8());
      const std::uint64_t modseq = key.u48(), id = store::Parser(value).u48();
      ++found[type];
      const auto known = live_[type].find(id);
      expect(known != live_[type].end() && known->second.modseq == modseq, "an object is at its modseq", id);
      expect(static_cast<std::size_t>(type) < type_count && record_.state[static_cast<std::size_t>(type)] >= modseq,
             "the state of a type is the highest", modseq);
    });
    if (!done) return done;
    for (const auto& [type, objects] : live_) {
      expect(found[type] == objects.size(), "each object has one change entry", static_cast<std::uint64_t>(type));
      for (const auto& [id, object] : objects) {
        expect(object.created <= object.modseq && object.modseq <= record_.modseq, "created before changed", id);
      }
    }
    return each_record<ObjectTombstone>('T', [&](store::Parser key, ObjectTombstone tombstone) {
      const auto type = static_cast<Type>(key.u8());
      expect(!live_[type].contains(tombstone.id), "what was destroyed does not live again", tombstone.id);
      expect(record_.state[static_cast<std::size_t>(type) % type_count] >= key.u48(),
             "the state of a type is the highest", tombstone.id);
    });
  }

  Result<void> check_tombstones() {
    return each_record<PlacementTombstone>('t', [&](store::Parser key, PlacementTombstone tombstone) {
      const MailboxId mailbox(key.u48());
      const std::uint64_t modseq = key.u48();
      const auto container = containers_.find(mailbox);
      expect(container != containers_.end() && container->second.high >= modseq, "a tombstone's container",
             mailbox.value);
      expect(value_of(keys::placement(account_, mailbox, tombstone.uid)).empty(), "a uid is not used again",
             tombstone.uid.value);
    });
  }

  // What is packed shows what is there.
  Result<void> check_rows() {
    for (const auto& [id, container] : containers_) {
      if (container.kind == ContainerKind::trash) continue;
      bool damaged = false;
      const Damage damage = [&](Bytes, std::string_view) { damaged = true; };
      auto packed = load_rows(from_, account_, container, damage);
      auto scanned = scan_rows(from_, account_, id, damage);
      if (!packed) return failed(packed);
      if (!scanned) return failed(scanned);
      const auto difference = diff(*packed, *scanned);
      expect(!damaged, "rows can be read", id.value);
      bool same = packed->size() == scanned->size() && difference.vanished.empty() && difference.changed.empty() &&
                  difference.appeared.empty();
      for (std::size_t i = 0; same && i < packed->size(); ++i) same = same_row(packed->row(i), scanned->row(i));
      expect(same, "packed rows are as the placements", id.value);
    }
    return {};
  }
  static bool same_row(const Row& a, const Row& b) {
    return a.uid == b.uid && a.modseq == b.modseq && a.flags == b.flags && a.size == b.size &&
           a.received == b.received && a.item == b.item && a.mid == b.mid && a.thread == b.thread;
  }

  const KeyValue& from_;
  AccountId account_;
  std::vector<std::string> problems_;
  AccountRecord record_;
  std::map<MailboxId, Container> containers_;
  std::unordered_map<ItemId, Item> items_;
  std::map<ThreadId, Thread> threads_;
  std::map<MailboxId, Count> counts_;
  std::map<std::pair<MailboxId, ThreadId>, ThreadCount> thread_counts_;
  std::map<Type, std::map<std::uint64_t, Live>> live_;
  std::set<std::uint64_t> change_numbers_;
  std::size_t placements_ = 0, named_ = 0, in_threads_ = 0;
};

}  // namespace

Result<std::vector<std::string>> check_account(const KeyValue& from, AccountId account) {
  auto state = AccountState::load(from, account);
  if (!state || (state->runs.empty() && state->placing.empty())) return Checker(from, account).run();
  // Runs hold already, but single records do not know them yet: they are carried into a layer, and that is
  // what must be right.
  Layer carried(from);
  if (auto done = carry_all_runs(carried, account); !done) return failed(done);
  return Checker(carried, account).run();
}

}  // namespace facteur::mailbox
