// What follows from items and placements: threads, counts, indexes, packed rows.
#include <algorithm>
#include <functional>

#include "mailbox/paths.hpp"
#include "mailbox/repairer.hpp"
#include "mailbox/rows.hpp"

namespace facteur::mailbox {
namespace {

bool same_rows(const RowTable& a, const RowTable& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Row x = a.row(i), y = b.row(i);
    const bool same = x.uid == y.uid && x.modseq == y.modseq && x.flags == y.flags && x.size == y.size &&
                      x.received == y.received && x.item == y.item && x.mid == y.mid && x.thread == y.thread;
    if (!same) return false;
  }
  return true;
}

}  // namespace

// ---- tombstones

Result<void> Repairer::read_tombstones() {
  std::map<MailboxId, std::uint64_t> raised;
  auto read = each('t', [&](store::Parser key, Bytes value) {
    const MailboxId mailbox(key.u48());
    const std::uint64_t modseq = key.u48();
    const auto container = containers_.find(mailbox);
    if (container == containers_.end()) return;
    container->second.high = std::max(container->second.high, modseq);
    const auto tombstone = decode<PlacementTombstone>(value);
    if (!tombstone) {
      raised[mailbox] = std::max(raised[mailbox], modseq);
    } else if (!placements_.contains({mailbox, tombstone->uid})) {
      container->second.uidnext = std::max(container->second.uidnext, tombstone->uid.value + 1);
      tombstones_.emplace(keys::tombstone(account_, mailbox, modseq).take(), std::string(value));
    }
  });
  if (!read) return read;
  // Below the floor a reader is told that it must begin anew, so it misses nothing.
  for (const auto& [mailbox, modseq] : raised) {
    Container& container = containers_.at(mailbox);
    container.floor = std::max(container.floor, modseq);
  }
  return each('T', [&](store::Parser key, Bytes value) {
    const auto type = static_cast<Type>(key.u8());
    const std::uint64_t modseq = key.u48();
    if (static_cast<std::size_t>(type) < type_count) {
      auto& state = record_.state[static_cast<std::size_t>(type)];
      state = std::max(state, modseq);
    }
    const auto tombstone = decode<ObjectTombstone>(value);
    if (!tombstone) {
      record_.floor = std::max(record_.floor, modseq);
      return;
    }
    const auto item = items_.find(ItemId(tombstone->id));
    const bool lives = containers_.contains(MailboxId(tombstone->id)) || (item != items_.end() && !item->second.hidden);
    if (!lives) object_tombstones_.emplace(keys::object_tombstone(account_, type, modseq).take(), std::string(value));
  });
}

// ---- threads

Result<void> Repairer::join_threads() {
  std::map<std::uint64_t, ThreadId> leading;  // g as it is.
  std::map<ThreadId, std::uint64_t> modseqs;  // X as it is.
  auto read = each('g', [&](store::Parser key, Bytes value) {
    const std::uint64_t hash = key.u64();
    leading[hash] = ThreadId(store::Parser(value).u48());
  });
  if (read)
    read = each('X', [&](store::Parser key, Bytes value) {
      const bool thread = static_cast<Type>(key.u8()) == Type::thread;
      const std::uint64_t modseq = key.u48();
      if (thread) modseqs[ThreadId(store::Parser(value).u48())] = modseq;
    });
  std::map<ThreadId, Thread> known;
  if (read)
    read = each_record<Thread>('r',
                               [&](store::Parser key, Thread t) { known.emplace(ThreadId(key.u48()), std::move(t)); });
  if (!read) return read;
  std::map<ThreadId, std::vector<ItemId>> members;
  for (auto& [id, item] : items_) {
    if (item.hidden || item.kind != ItemKind::email) continue;
    if (!item.thread) {
      item.thread = ThreadId(++record_.next_id);
      for (const auto& place : item.places) placements_.at(place).thread = item.thread;
    }
    members[item.thread].push_back(id);
  }
  std::map<ThreadId, std::vector<std::uint64_t>> keys_of;
  for (const auto& [hash, thread] : leading) keys_of[thread].push_back(hash);
  std::map<std::uint64_t, ThreadId> owned;
  std::set<std::uint64_t> modseqs_used;
  for (auto& [id, items] : members) {
    const auto there = known.find(id);
    const bool is_new = there == known.end();
    Thread thread = is_new ? Thread{} : std::move(there->second);
    record_.next_id = std::max(record_.next_id, id.value);
    std::vector<ItemId> right;
    for (const ItemId item : thread.items) {
      if (std::ranges::binary_search(items, item) && std::ranges::find(right, item) == right.end())
        right.push_back(item);
    }
    for (const ItemId item : items) {
      if (std::ranges::find(right, item) == right.end()) right.push_back(item);
    }
    const bool changed = right != thread.items;
    thread.items = std::move(right);
    if (is_new) {
      thread.keys = keys_of[id];
      thread.modseq = modseqs.contains(id) ? modseqs.at(id) : 0;
      thread.created = items_.at(thread.items.front()).created;
      for (const ItemId item : thread.items) thread.created = std::min(thread.created, items_.at(item).created);
    }
    const bool usable = thread.modseq != 0 && thread.modseq <= record_.modseq && (is_new || !changed);
    if (!usable || !modseqs_used.insert(thread.modseq).second) {
      thread.modseq = next_modseq();
      modseqs_used.insert(thread.modseq);
    }
    thread.created = std::min(thread.created, thread.modseq);
    if (thread.keys.empty() && options_.thread_keys) {
      // As when they were filed: the first brings all its keys, the others their own.
      for (const ItemId item : thread.items) {
        auto hashes = options_.thread_keys(contents_.at(item));
        if (item != thread.items.front() && hashes.size() > 1) hashes.resize(1);
        for (const std::uint64_t hash : hashes) {
          if (std::ranges::find(thread.keys, hash) == thread.keys.end()) thread.keys.push_back(hash);
        }
      }
    }
    // A message id leads to one thread: the one it leads to now, else the oldest that claims it.
    std::erase_if(thread.keys, [&](std::uint64_t hash) {
      const auto now = leading.find(hash);
      if (now != leading.end() && now->second != id && members.contains(now->second)) return true;
      return !owned.emplace(hash, id).second;
    });
    threads_.emplace(id, std::move(thread));
  }
  return {};
}

// ---- counts

void Repairer::count() {
  struct Count {
    std::uint32_t total = 0, unread = 0, deleted = 0, shared = 0, threads = 0, unread_threads = 0;
    std::uint64_t bytes = 0;
  };
  std::map<MailboxId, Count> counts;
  for (const auto& [place, placed] : placements_) {
    Count& count = counts[place.first];
    ++count.total;
    count.bytes += placed.size;
    if (containers_.at(place.first).kind == ContainerKind::trash) continue;
    const bool unread = !placed.flags.has(Flags::seen);
    count.unread += unread ? 1 : 0;
    count.deleted += placed.flags.has(Flags::deleted) ? 1 : 0;
    count.shared += items_.at(placed.item).places.size() > 1 ? 1 : 0;
    if (!placed.thread) continue;
    ThreadCount& thread = thread_counts_[{place.first, placed.thread}];
    ++thread.items;
    thread.unread += unread ? 1 : 0;
  }
  for (const auto& [key, thread] : thread_counts_) {
    Count& count = counts[key.first];
    ++count.threads;
    count.unread_threads += thread.unread > 0 ? 1 : 0;
  }
  for (auto& [id, c] : containers_) {
    const Count& count = counts[id];
    const bool shown =
        c.kind != ContainerKind::trash && (c.total != count.total || c.unread != count.unread ||
                                           c.threads != count.threads || c.unread_threads != count.unread_threads);
    c.total = count.total;
    c.bytes = count.bytes;
    if (c.kind == ContainerKind::trash) continue;
    c.unread = count.unread;
    c.deleted = count.deleted;
    c.threads = count.threads;
    c.unread_threads = count.unread_threads;
    if (c.shared != Container::unknown || count.shared == 0) c.shared = count.shared;
    if (shown) c.counts_modseq = next_modseq();
  }
  record_.used_bytes = record_.used_items = 0;
  for (const auto& [id, item] : items_) {
    if (item.hidden) continue;
    record_.used_bytes += item.size;
    ++record_.used_items;
  }
}

// ---- writing

void Repairer::write_indexes(Wanted& x, Wanted& m, Wanted& h) const {
  for (const auto& [place, placed] : placements_) {
    const auto [mailbox, uid] = place;
    if (containers_.at(mailbox).kind == ContainerKind::trash) continue;
    x.emplace(keys::change(account_, mailbox, placed.modseq).take(),
              encode(PlacementChange{.uid = uid, .created = placed.created}));
    m.emplace(keys::message(account_, placed.mid).take(), keys::Key().u48(mailbox.value).u32(uid.value).take());
    if (placed.name) h.emplace(keys::href(account_, mailbox, *placed.name).take(), keys::Key().u32(uid.value).take());
  }
}

Result<void> Repairer::write_objects() {
  Wanted wanted;
  const auto add = [&](Type type, std::uint64_t id, std::uint64_t modseq) {
    auto& state = record_.state[static_cast<std::size_t>(type)];
    state = std::max(state, modseq);
    wanted.emplace(keys::object_change(account_, type, modseq).take(), keys::Key().u48(id).take());
  };
  for (const auto& [id, c] : containers_) {
    if (c.kind != ContainerKind::trash) add(type_of(c.kind), id.value, c.changed());
  }
  for (const auto& [id, item] : items_) {
    if (!item.hidden) add(type_of(item.kind), id.value, item.modseq);
  }
  for (const auto& [id, thread] : threads_) add(Type::thread, id.value, thread.modseq);
  return reconcile('X', wanted);
}

Result<void> Repairer::write() {
  std::map<char, Wanted> wanted;
  write_indexes(wanted['x'], wanted['m'], wanted['h']);
  for (auto& [id, c] : containers_) {
    if (c.kind == ContainerKind::trash) continue;
    const bool orphan = c.parent && !containers_.contains(c.parent);
    if (orphan) c.parent = {};
    const auto key = [&] { return keys::name(account_, c.parent, fold(c.name)).take(); };
    const bool twice = wanted['n'].contains(key());
    if (twice) c.name += "-" + std::to_string(id.value);
    if (orphan || twice) c.modseq = next_modseq();
    wanted['n'].emplace(key(), keys::Key().u48(id.value).take());
  }
  for (const auto& [id, item] : items_) {
    wanted['I'].emplace(keys::item(account_, id).take(), encode(item));
    wanted['J'].emplace(keys::content(account_, id).take(), encode(contents_.at(id)));
    auto referenced = layer_.get(store::Key('Z').raw(item.blob.bytes()).raw(keys::owner(account_, id)));
    if (!referenced) return failed(referenced);
    if (!*referenced) repaired_.references.emplace_back(item.blob, keys::owner(account_, id));
  }
  for (const auto& [place, placed] : placements_) {
    wanted['P'].emplace(keys::placement(account_, place.first, place.second).take(), encode(placed));
  }
  for (const auto& [id, thread] : threads_) {
    wanted['r'].emplace(keys::thread(account_, id).take(), encode(thread));
    for (const std::uint64_t hash : thread.keys) {
      wanted['g'].emplace(keys::thread_key(account_, hash).take(), keys::Key().u48(id.value).take());
    }
  }
  for (const auto& [key, thread] : thread_counts_) {
    wanted['q'].emplace(keys::thread_counts(account_, key.first, key.second).take(), encode(thread));
  }
  wanted['t'] = std::move(tombstones_);
  wanted['T'] = std::move(object_tombstones_);
  for (const char subspace : {'I', 'J', 'P', 'x', 'm', 'h', 'n', 'r', 'g', 'q', 't', 'T'}) {
    if (auto done = reconcile(subspace, wanted[subspace]); !done) return done;
  }
  return write_objects();
}

// ---- packed rows and columns

// Every column has as many rows as were packed.
Result<bool> Repairer::columns_whole(const Container& container) const {
  std::map<std::uint8_t, std::set<std::uint32_t>> groups;
  bool whole = true;
  const auto first = keys::of('E', account_).u48(container.id.value).take();
  auto scanned = layer_.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    store::Parser rest(key.substr(first.size()));
    const std::uint8_t column = rest.u8();
    groups[column].insert(rest.u32());
    whole = whole && rest.done() && column >= 1 && column <= column_count && unsealed(value).has_value();
    return whole;
  });
  if (!scanned) return failed(scanned);
  if (container.sealed_rows == 0) return whole && groups.empty();
  if (groups.size() != column_count) return false;
  return whole && std::ranges::all_of(groups, [&](const auto& group) { return group.second == groups.at(1); });
}

Result<void> Repairer::remove_all(char subspace, MailboxId mailbox) {
  ++repaired_.records[subspace];
  std::vector<std::string> found;
  const auto first = keys::of(subspace, account_).u48(mailbox.value).take();
  auto scanned = layer_.scan(first, store::behind(first), [&](Bytes key, Bytes) {
    found.emplace_back(key);
    return true;
  });
  for (auto& key : found) layer_.remove(std::move(key));
  return scanned;
}

Result<void> Repairer::pack() {
  for (auto& [id, container] : containers_) {
    const std::string before = [&] {
      auto value = layer_.get(keys::container(account_, id));
      return value && *value ? **value : std::string();
    }();
    if (container.kind != ContainerKind::trash) {
      bool damaged = false;
      const Damage damage = [&](Bytes, std::string_view) { damaged = true; };
      auto packed = load_rows(layer_, account_, container, damage);
      auto scanned = scan_rows(layer_, account_, id, {});
      if (!packed) return failed(packed);
      if (!scanned) return failed(scanned);
      if (damaged || !same_rows(*packed, *scanned)) {
        if (auto gone = remove_all('V', id); !gone) return gone;
        container.packed = 0;
        container.delta_blocks = container.delta_rows = container.unpacked = 0;
        if (auto done = pack_rows(layer_, account_, container, {.changes = 0, .delta_rows = 0}); !done) return done;
      }
      auto whole = columns_whole(container);
      if (!whole) return failed(whole);
      if (!*whole) {
        if (auto gone = remove_all('E', id); !gone) return gone;
        container.sealed_uid = container.sealed_rows = 0;  // Packed again in the background.
      }
    }
    auto after = encode(container);
    if (after != before) put(keys::container(account_, id).take(), std::move(after));
  }
  auto value = layer_.get(keys::account(account_));
  if (!value) return failed(value);
  auto after = encode(record_);
  if (!*value || **value != after) put(keys::account(account_).take(), std::move(after));
  return {};
}

}  // namespace facteur::mailbox
