// Items and placements in a transaction.
#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/transaction.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_thread_items = 1000;  // Keeps the thread's record small: a larger one continues as another.
constexpr std::size_t most_thread_keys = 2000;

std::unexpected<Failure> missing(Bytes key) {
  return failure(Failure::Kind::corrupt, "F-2111", "A record is missing", std::string(key.substr(0, 1)));
}

Flags item_flags(const Flags& flags) {
  Flags result = flags;
  result.bits &= static_cast<std::uint8_t>(~Flags::deleted);
  return result;
}

bool unseen(const Item& item) { return !item.flags.has(Flags::seen); }

}  // namespace

// ---- reading

template <class Record>
Result<std::optional<Record>> Transaction::get(Bytes key) const {
  auto value = layer_.get(key);
  if (!value) return failed(value);
  if (!*value) return std::optional<Record>();
  auto record = decode<Record>(**value);
  if (!record) return failed(record);
  return std::optional<Record>(std::move(*record));
}

template <class Record>
Result<Record> Transaction::require(Bytes key) const {
  auto record = get<Record>(key);
  if (!record) return failed(record);
  if (!*record) return missing(key);
  return std::move(**record);
}

template <class Record>
Result<std::optional<Record>> Transaction::derived(Bytes key) const {
  auto record = get<Record>(key);
  if (!record && record.error().kind == Failure::Kind::corrupt) return std::optional<Record>();
  return record;
}
template Result<std::optional<Thread>> Transaction::derived<Thread>(Bytes) const;

Result<std::optional<Placement>> Transaction::placement(MailboxId container, Uid uid) {
  expect_carried();
  if (auto carried = carry(container, uid); !carried) return failed(carried);
  auto found = get<Placement>(keys::placement(account_, container, uid));
  if (found && *found) seen_.emplace(container, uid, **found);
  return found;
}

Result<Placement> Transaction::placed_at(MailboxId container, Uid uid) {
  expect_carried();
  if (seen_ && seen_->container == container && seen_->uid == uid) return seen_->placement;
  if (auto carried = carry(container, uid); !carried) return failed(carried);
  return require<Placement>(keys::placement(account_, container, uid));
}

Result<Item> Transaction::item(ItemId id) {
  if (const auto pending = pending_.find(id); pending != pending_.end()) return pending->second.item;
  expect_carried();
  if (auto carried = carry_item(id); !carried) return failed(carried);
  return require<Item>(keys::item(account_, id));
}

Result<Transaction::Located> Transaction::locate(MailboxId container, Uid uid) {
  auto placed = placed_at(container, uid);
  if (!placed) return failed(placed);
  auto found = item(placed->item);
  if (!found) return failed(found);
  if (found->uid_in(container) != uid || find(container) == nullptr) {
    return failure(Failure::Kind::corrupt, "F-2112", "Records contradict each other", "item and placement");
  }
  return Located{std::move(*placed), std::move(*found)};
}

Result<std::optional<std::pair<MailboxId, Uid>>> Transaction::find_message(MessageId mid) const {
  using Found = std::optional<std::pair<MailboxId, Uid>>;
  expect_carried();
  auto value = layer_.get(keys::message(account_, mid));
  if (!value) return failed(value);
  if (!*value) return Found();
  store::Parser in(**value);
  const MailboxId container(in.u48());
  return Found(std::in_place, container, Uid(in.u32()));
}

Result<std::optional<Uid>> Transaction::find_name(MailboxId container, std::string_view name) const {
  auto value = layer_.get(keys::href(account_, container, name));
  if (!value) return failed(value);
  if (!*value) return std::optional<Uid>();
  return std::optional<Uid>(store::Parser(**value).u32());
}

Result<std::vector<Uid>> Transaction::uids(MailboxId container) const {
  expect_carried();
  std::vector<Uid> found;
  const auto first = keys::placements(account_, container).take();
  auto scanned = layer_.scan(first, store::behind(first), [&](Bytes key, Bytes) {
    found.emplace_back(store::Parser(key.substr(first.size())).u32());
    return true;
  });
  if (!scanned) return failed(scanned);
  return found;
}

// ---- threads

Result<ThreadId> Transaction::find_thread(const std::vector<std::uint64_t>& thread_keys) {
  for (const std::uint64_t key : thread_keys) {
    auto value = layer_.get(keys::thread_key(account_, key));
    if (!value) return failed(value);
    if (!*value) continue;
    const ThreadId id(store::Parser(**value).u48());
    auto thread = derived<Thread>(keys::thread(account_, id));
    if (!thread) return failed(thread);
    if (!*thread || (*thread)->items.size() >= most_thread_items) continue;
    joined_.emplace(id, std::move(**thread));
    return id;
  }
  return ThreadId{};
}

Result<void> Transaction::change_thread(ThreadId id, ItemId item, bool add,
                                        const std::vector<std::uint64_t>& thread_keys) {
  const auto key = keys::thread(account_, id);
  auto found = std::exchange(joined_, std::nullopt);
  Result<std::optional<Thread>> known;
  if (found && found->first == id) {
    known = std::move(found->second);
  } else if (!begun_.contains(id) || layer_.own(key).value_or(std::nullopt)) {
    known = derived<Thread>(key);
  }
  if (!known) return failed(known);
  const std::uint64_t modseq = next_modseq();
  Thread thread = *known ? std::move(**known) : Thread{.created = modseq};
  std::erase(thread.items, item);
  if (add) thread.items.push_back(item);
  if (thread.items.empty()) emptied_.insert(id);  // Decided at the end: an id must not die and revive in one commit.
  for (const std::uint64_t hash : thread_keys) {
    if (thread.keys.size() >= most_thread_keys) break;
    if (std::ranges::find(thread.keys, hash) != thread.keys.end()) continue;  // Leads here already.
    thread.keys.push_back(hash);
    layer_.put(keys::thread_key(account_, hash).take(), keys::Key().u48(id.value).take());
  }
  changed(Type::thread, id.value, thread.modseq, modseq);
  thread.modseq = modseq;
  layer_.put(std::string(key.text()), encode(thread));
  return {};
}

Result<void> Transaction::count_thread(MailboxId container, ThreadId thread, std::int32_t items, std::int32_t unread) {
  auto key = keys::thread_counts(account_, container, thread);
  ThreadCount count;
  if (!begun_.contains(thread) || layer_.own(key)) {
    auto known = derived<ThreadCount>(key);
    if (!known) return failed(known);
    if (*known) count = **known;
  }
  Counts& counts = counts_[container];
  counts.threads -= count.items > 0 ? 1 : 0;
  counts.unread_threads -= count.unread > 0 ? 1 : 0;
  const auto added = [](std::uint32_t to, std::int32_t n) {
    return static_cast<std::uint32_t>(std::max<std::int64_t>(0, std::int64_t{to} + n));
  };
  count.items = added(count.items, items);
  count.unread = added(count.unread, unread);
  counts.threads += count.items > 0 ? 1 : 0;
  counts.unread_threads += count.unread > 0 ? 1 : 0;
  if (count.items == 0) {
    layer_.remove(key.take());
  } else {
    layer_.put(key.take(), encode(count));
  }
  return {};
}

Result<void> Transaction::count(MailboxId container, const Item& item, int sign) {
  if (!carrying_) {
    Counts& counts = counts_[container];
    counts.total += sign;
    counts.bytes += sign * static_cast<std::int64_t>(item.size);
    if (unseen(item)) counts.unread += sign;
  }
  if (!item.thread) return {};
  return count_thread(container, item.thread, sign, unseen(item) ? sign : 0);
}

// ---- writing

void Transaction::touch(Item& item, std::uint64_t modseq) {
  if (item.created == 0) item.created = modseq;
  changed(type_of(item.kind), item.id.value, item.modseq, modseq);
  item.modseq = modseq;
  layer_.put(keys::item(account_, item.id).take(), encode(item));
}

void Transaction::write(MailboxId container, Uid uid, const Placement& placement) {
  seen_.reset();
  layer_.put(keys::placement(account_, container, uid).take(), encode(placement));
  layer_.put(keys::change(account_, container, placement.modseq).take(),
             encode(PlacementChange{.uid = uid, .created = placement.created}));
  if (carrying_) return;
  Container* edited = edit(container);
  edited->high = placement.modseq;
  ++edited->unpacked;
  effects_.rows.push_back({container, false, row_of(uid, placement)});
}

std::uint64_t Transaction::touch(MailboxId container, Uid uid, Placement& placement) {
  const std::uint64_t modseq = next_modseq();
  layer_.withdraw(keys::change(account_, container, placement.modseq).take());
  placement.modseq = modseq;
  write(container, uid, placement);
  return modseq;
}

Result<ItemId> Transaction::make_item(NewItem wanted) {
  Pending made;
  if (wanted.kind == ItemKind::email && !wanted.thread) {
    auto found = find_thread(wanted.thread_keys);
    if (!found) return failed(found);
    if (*found) {
      wanted.thread = *found;
      // One entry leads here already; of the others only the message's own id is worth one.
      if (wanted.thread_keys.size() > 1) wanted.thread_keys.resize(1);
      auto own = layer_.get(keys::thread_key(account_, wanted.thread_keys.front()));
      if (!own) return failed(own);
      if (*own) wanted.thread_keys.clear();
    } else {
      wanted.thread = ThreadId(next_id());
      begun_.insert(wanted.thread);
    }
    made.thread_keys = std::move(wanted.thread_keys);
  }
  made.item.id = ItemId(next_id());
  made.item.kind = wanted.kind;
  made.item.blob = wanted.blob;
  made.item.size = wanted.size;
  made.item.received = wanted.received;
  made.item.thread = wanted.thread;
  made.item.flags = item_flags(wanted.flags);
  made.content = {wanted.blob, std::move(wanted.prefix), std::move(wanted.structure)};
  const ItemId id = made.item.id;
  pending_.emplace(id, std::move(made));
  return id;
}

Result<Uid> Transaction::place(ItemId id, MailboxId container, Place how) {
  auto found = item(id);
  if (!found) return failed(found);
  return place(std::move(*found), container, std::move(how));
}

Result<Uid> Transaction::place(Item placing, MailboxId container, Place how) {
  Container* into = edit(container);
  if (into == nullptr || into->uidnext == UINT32_MAX) {
    return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  }
  CHECK_OR_BUG(!placing.uid_in(container));
  Numbers numbers{.uid = Uid(into->uidnext++), .mid = how.mid, .modseq = next_modseq()};
  if (!numbers.mid) numbers.mid = MessageId(next_id());
  auto done = place(std::move(placing), container, std::move(how), numbers);
  if (!done) return failed(done);
  return numbers.uid;
}

Result<void> Transaction::place(Item placing, MailboxId container, Place how, const Numbers& numbers) {
  const ItemId id = placing.id;
  const auto [uid, mid, modseq] = numbers;
  Placement placed;
  placed.item = id;
  placed.mid = mid;
  placed.modseq = placed.created = placed.cn = placed.read_cn = modseq;
  placed.flags = placing.flags;
  if (how.deleted) {
    placed.flags.bits |= Flags::deleted;
    ++counts_[container].deleted;
  }
  placed.size = placing.size;
  placed.received = placing.received;
  placed.thread = placing.thread;
  placed.name = std::move(how.name);
  placed.version = std::move(how.version);
  layer_.put(keys::message(account_, placed.mid).take(), keys::Key().u48(container.value).u32(uid.value).take());
  if (placed.name) {
    layer_.put(keys::href(account_, container, *placed.name).take(), keys::Key().u32(uid.value).take());
  }
  write(container, uid, placed);
  placing.places.emplace_back(container, uid);
  count_shared(placing, container, true);
  const bool first = placing.created == 0;
  touch(placing, modseq);
  if (first) {
    auto pending = pending_.extract(id);
    layer_.put(keys::content(account_, id).take(), encode(pending.mapped().content));
    references_.push_back(
        {store::Batch::Operation::Kind::reference, std::string(placing.blob.bytes()) + keys::owner(account_, id), {}});
    edit_record().used_bytes += placing.size;
    ++record_.used_items;
    if (placing.thread) {
      auto joined = change_thread(placing.thread, id, true, pending.mapped().thread_keys);
      if (!joined) return joined;
    }
  }
  return count(container, placing, 1);
}

void Transaction::take_out(MailboxId container, Uid uid, const Placement& placement, Item& item, std::uint64_t modseq) {
  seen_.reset();
  layer_.remove(keys::placement(account_, container, uid).take());
  layer_.remove(keys::message(account_, placement.mid).take());
  layer_.withdraw(keys::change(account_, container, placement.modseq).take());
  PlacementTombstone tombstone{.uid = uid,
                               .mid = placement.mid,
                               .item = placement.item,
                               .created = placement.created,
                               .at = options_.now,
                               .name = placement.name};
  layer_.put(keys::tombstone(account_, container, modseq).take(), encode(tombstone));
  if (placement.name) layer_.remove(keys::href(account_, container, *placement.name).take());
  if (!carrying_) {
    Container* edited = edit(container);
    edited->high = modseq;
    ++edited->unpacked;
    if (placement.flags.has(Flags::deleted)) --counts_[container].deleted;
    effects_.rows.push_back({container, true, Row{.uid = uid, .modseq = ModSeq(modseq)}});
  }
  std::erase_if(item.places, [&](const auto& place) { return place.first == container; });
  count_shared(item, container, false);
}

void Transaction::count_shared(const Item& item, MailboxId container, bool added) {
  const auto change = [this](MailboxId where, int by) {
    Container* edited = edit(where);
    if (edited == nullptr || edited->shared == Container::unknown) return;
    if (by > 0 || edited->shared > 0) edited->shared += static_cast<std::uint32_t>(by);
  };
  const std::size_t before = item.places.size() + (added ? 0 : 1) - (added ? 1 : 0);
  const std::size_t now = item.places.size();
  const int by = added ? 1 : -1;
  if (std::max(before, now) > 1) change(container, by);
  if (std::min(before, now) != 1) return;
  for (const auto& [other, uid] : item.places) {  // It was alone, or is now.
    if (other != container) change(other, by);
  }
}

void Transaction::drop_item(const Item& item) {
  layer_.remove(keys::item(account_, item.id).take());
  layer_.remove(keys::content(account_, item.id).take());
  references_.push_back({store::Batch::Operation::Kind::unreference,
                         std::string(item.blob.bytes()) + keys::owner(account_, item.id),
                         {}});
}

Result<void> Transaction::destroy(const Item& item) {
  destroyed(type_of(item.kind), item.id.value, item.modseq, item.created);
  AccountRecord& record = edit_record();
  record.used_bytes -= std::min<std::uint64_t>(record.used_bytes, item.size);
  record.used_items -= std::min<std::uint64_t>(record.used_items, 1);
  if (!item.thread) return {};
  return change_thread(item.thread, item.id, false, {});
}

Result<void> Transaction::unplace(MailboxId container, Uid uid) {
  auto found = locate(container, uid);
  if (!found) return failed(found);
  return unplace(container, uid, *found, next_modseq());
}

Result<void> Transaction::unplace(MailboxId container, Uid uid, Located& found, std::uint64_t modseq) {
  auto& [placed, it] = found;
  take_out(container, uid, placed, it, modseq);
  if (auto counted = count(container, it, -1); !counted) return counted;
  if (!it.places.empty()) {
    touch(it, modseq);
    return {};
  }
  drop_item(it);
  return destroy(it);
}

Result<void> Transaction::expunge(MailboxId container, Uid uid, const std::string& path) {
  auto found = locate(container, uid);
  if (!found) return failed(found);
  return expunge(container, uid, *found, path, next_modseq());
}

Result<void> Transaction::expunge(MailboxId container, Uid uid, Located& found, const std::string& path,
                                  std::uint64_t modseq) {
  auto& [placed, it] = found;
  if (it.places.size() > 1) return unplace(container, uid, found, modseq);  // Nothing is lost.
  auto trash = trash_container();
  if (!trash) return failed(trash);
  take_out(container, uid, placed, it, modseq);
  if (auto counted = count(container, it, -1); !counted) return counted;
  // For every protocol the item ends here; undelete makes another one of the same content.
  if (auto ended = destroy(it); !ended) return ended;
  Container* into = edit(*trash);
  const Uid waiting(into->uidnext++);
  ++into->total;
  into->bytes += it.size;
  it.hidden = true;
  it.places.emplace_back(*trash, waiting);
  layer_.put(keys::item(account_, it.id).take(), encode(it));
  Placement kept = placed;
  kept.mid = {};
  kept.flags = it.flags;
  kept.name.reset();
  kept.version.clear();
  kept.origin = Placement::Origin{.mailbox = container, .uid = uid, .at = options_.now, .path = path};
  layer_.put(keys::placement(account_, *trash, waiting).take(), encode(kept));
  return {};
}

Result<void> Transaction::set_flags(ItemId id, const Flags& flags, std::optional<Deleted> deleted) {
  auto it = item(id);
  if (!it) return failed(it);
  std::vector<Placement> placed;
  for (const auto& [container, uid] : it->places) {
    auto read = placed_at(container, uid);
    if (!read) return failed(read);
    placed.push_back(std::move(*read));
  }
  const Flags wanted = item_flags(flags);
  const bool seen = (wanted.bits ^ it->flags.bits) & Flags::seen;
  const bool other = ((wanted.bits ^ it->flags.bits) & ~Flags::seen) != 0 || wanted.keywords != it->flags.keywords;
  const int unread = seen ? (wanted.has(Flags::seen) ? -1 : 1) : 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const auto [container, uid] = it->places[i];
    const bool was = placed[i].flags.has(Flags::deleted);
    const bool is = deleted && deleted->container == container && deleted->uid == uid ? deleted->on : was;
    if (!seen && !other && was == is) continue;
    placed[i].flags = wanted;
    if (is) placed[i].flags.bits |= Flags::deleted;
    const std::uint64_t before = placed[i].modseq;
    placed[i].modseq = next_modseq();
    if (other) placed[i].cn = placed[i].modseq;
    if (seen) placed[i].read_cn = placed[i].modseq;
    layer_.withdraw(keys::change(account_, container, before).take());
    write(container, uid, placed[i]);
    if (seen || other) last = placed[i].modseq;
    counts_[container].deleted += (is ? 1 : 0) - (was ? 1 : 0);
    counts_[container].unread += unread;
    if (unread == 0 || !it->thread) continue;
    if (auto counted = count_thread(container, it->thread, 0, unread); !counted) return counted;
  }
  if (last == 0) return {};
  it->flags = wanted;
  touch(*it, last);
  return {};
}

Result<void> Transaction::set_deleted(MailboxId container, Uid uid, bool on) {
  auto placed = placed_at(container, uid);
  if (!placed) return failed(placed);
  if (placed->flags.has(Flags::deleted) == on) return {};
  placed->flags.bits ^= Flags::deleted;
  counts_[container].deleted += on ? 1 : -1;
  touch(container, uid, *placed);
  return {};
}

Result<Uid> Transaction::copy_as_new(MailboxId from, Uid uid, MailboxId to) {
  auto found = locate(from, uid);
  if (!found) return failed(found);
  auto content = require<ContentRecord>(keys::content(account_, found->item.id));
  if (!content) return failed(content);
  if (find(to) == nullptr) return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  const Item& original = found->item;
  auto made = make_item({.kind = original.kind,
                         .blob = original.blob,
                         .size = original.size,
                         .prefix = std::move(content->prefix),
                         .structure = std::move(content->structure),
                         .received = original.received,
                         .flags = original.flags,
                         .thread = original.thread,
                         .thread_keys = {}});
  if (!made) return failed(made);
  return place(*made, to);
}

Result<Uid> Transaction::copy(MailboxId from, Uid uid, MailboxId to) {
  auto found = locate(from, uid);
  if (!found) return failed(found);
  if (found->item.uid_in(to)) return copy_as_new(from, uid, to);
  return place(std::move(found->item), to, {});
}

Result<Uid> Transaction::move(MailboxId from, Uid uid, MailboxId to, MessageId mid) {
  auto found = locate(from, uid);
  if (!found) return failed(found);
  if (find(to) == nullptr) return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  auto& [placed, it] = *found;
  if (from != to) {
    if (const auto there = it.uid_in(to)) {
      if (auto left = unplace(from, uid); !left) return failed(left);
      return *there;
    }
  }
  const std::uint64_t modseq = next_modseq();
  take_out(from, uid, placed, it, modseq);
  if (auto counted = count(from, it, -1); !counted) return failed(counted);
  return place(std::move(it), to, {.mid = mid, .name = placed.name});
}

Result<void> Transaction::edit(MessageId mid, const BlobId& blob, std::uint32_t size, std::string version) {
  auto where = find_message(mid);
  if (!where) return failed(where);
  if (!*where) return missing("m");
  const auto [container, uid] = **where;
  auto found = locate(container, uid);
  if (!found) return failed(found);
  auto& [placed, it] = *found;
  if (it.kind == ItemKind::email) {
    if (auto gone = unplace(container, uid); !gone) return gone;
    auto made = make_item({.blob = blob,
                           .size = size,
                           .received = it.received,
                           .flags = it.flags,
                           .thread = it.thread,
                           .thread_keys = {}});
    if (!made) return failed(made);
    auto again = place(*made, container, {.mid = mid, .version = std::move(version)});
    if (!again) return failed(again);
    return {};
  }
  std::vector<Placement> all;
  for (const auto& [other, other_uid] : it.places) {
    auto read = placed_at(other, other_uid);
    if (!read) return failed(read);
    all.push_back(std::move(*read));
  }
  const auto difference = static_cast<std::int64_t>(size) - static_cast<std::int64_t>(it.size);
  using Kind = store::Batch::Operation::Kind;
  references_.push_back({Kind::unreference, std::string(it.blob.bytes()) + keys::owner(account_, it.id), {}});
  references_.push_back({Kind::reference, std::string(blob.bytes()) + keys::owner(account_, it.id), {}});
  edit_record().used_bytes = static_cast<std::uint64_t>(static_cast<std::int64_t>(record_.used_bytes) + difference);
  it.blob = blob;
  it.size = size;
  layer_.put(keys::content(account_, it.id).take(), encode(ContentRecord{.blob = blob}));
  std::uint64_t modseq = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [other, other_uid] = it.places[i];
    const std::uint64_t before = all[i].modseq;
    if (other == container) all[i].version = version;
    all[i].size = size;
    modseq = all[i].modseq = all[i].cn = next_modseq();
    layer_.withdraw(keys::change(account_, other, before).take());
    write(other, other_uid, all[i]);
    counts_[other].bytes += difference;
  }
  touch(it, modseq);
  return {};
}

Result<void> Transaction::set_structure(ItemId id, std::string structure) {
  auto content = require<ContentRecord>(keys::content(account_, id));
  if (!content) return failed(content);
  content->structure = std::move(structure);
  any_ = true;
  layer_.put(keys::content(account_, id).take(), encode(*content));
  return {};
}

Result<bool> Transaction::imported(MailboxId container, Bytes source) const {
  auto found = layer_.get(keys::source(account_, container, source));
  if (!found) return failed(found);
  return found->has_value();
}

void Transaction::remember_import(MailboxId container, Bytes source, Uid uid) {
  any_ = true;
  layer_.put(keys::source(account_, container, source).take(), store::Key().u32(uid.value).take());
}

// ---- trash

Result<Transaction::Undeleted> Transaction::undelete(Uid trashed, MailboxId to) {
  auto found = locate(MailboxId(record_.trash), trashed);
  if (!found) return failed(found);
  const Item& old = found->item;
  auto content = require<ContentRecord>(keys::content(account_, old.id));
  if (!content) return failed(content);
  if (find(to) == nullptr) return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  auto thread = derived<Thread>(keys::thread(account_, old.thread));
  if (!thread) return failed(thread);
  auto made = make_item({.kind = old.kind,
                         .blob = old.blob,
                         .size = old.size,
                         .prefix = content->prefix,
                         .structure = content->structure,
                         .received = old.received,
                         .flags = old.flags,
                         .thread = *thread ? old.thread : ThreadId{},  // One that has ended must not come back.
                         .thread_keys = {}});
  if (!made) return failed(made);
  auto uid = place(*made, to);
  if (!uid) return failed(uid);
  if (auto gone = purge(trashed); !gone) return failed(gone);
  return Undeleted{to, *uid, *made};
}

Result<void> Transaction::purge(Uid trashed) {
  const MailboxId trash(record_.trash);
  auto found = locate(trash, trashed);
  if (!found) return failed(found);
  Container* container = edit(trash);
  seen_.reset();
  layer_.remove(keys::placement(account_, trash, trashed).take());
  drop_item(found->item);
  container->total -= std::min<std::uint32_t>(container->total, 1);
  container->bytes -= std::min<std::uint64_t>(container->bytes, found->item.size);
  return {};
}

Result<void> Transaction::seal(MailboxId container, Uid covered, std::uint32_t rows,
                               std::vector<std::pair<std::string, std::string>> records) {
  Container* edited = edit(container);
  if (edited == nullptr) return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  if (covered.value <= edited->sealed_uid) return {};
  if (edited->sealed_uid == 0) {  // What older versions have packed in their way goes.
    std::vector<std::string> old;
    const auto first = keys::of('E', account_).u48(container.value).take();
    auto scanned = layer_.scan(first, store::behind(first), [&](Bytes key, Bytes) {
      old.emplace_back(key);
      return true;
    });
    if (!scanned) return scanned;
    for (auto& key : old) layer_.remove(std::move(key));
  }
  for (auto& [key, value] : records) layer_.put(std::move(key), std::move(value));
  edited->sealed_uid = covered.value;
  edited->sealed_rows += rows;
  return {};
}

}  // namespace facteur::mailbox
