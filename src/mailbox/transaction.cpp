// The account, its containers, and the end of a transaction. Items: transaction_items.cpp.
#include "mailbox/transaction.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"
#include "mailbox/paths.hpp"

namespace facteur::mailbox {
namespace {

// Counts come from records; damaged ones must not wrap around.
template <class Number>
void add(Number& to, std::int64_t difference) {
  const auto sum = static_cast<std::int64_t>(to) + difference;
  to = sum < 0 ? Number{0} : static_cast<Number>(sum);
}

Result<void> remove_range(Layer& layer, std::string first) {
  std::vector<std::string> found;
  auto scanned = layer.scan(first, store::behind(first), [&](Bytes key, Bytes) {
    found.emplace_back(key);
    return true;
  });
  if (!scanned) return scanned;
  for (auto& key : found) layer.remove(std::move(key));
  return {};
}

}  // namespace

Transaction::Transaction(AccountId account, const AccountState& state, const KeyValue& below, Options options)
    : account_(account), state_(state), options_(options), layer_(below), record_(state.record) {}

AccountRecord& Transaction::edit_record() {
  any_ = true;
  return record_;
}

std::uint64_t Transaction::next_modseq() {
  if (options_.planted_one_modseq_per_commit && planted_) return *planted_;
  planted_ = ++edit_record().modseq;
  return *planted_;
}

std::uint64_t Transaction::next_id() { return ++edit_record().next_id; }

void Transaction::begin_at(const FirstNumbers& least) {
  AccountRecord& record = edit_record();
  record.modseq = std::max(record.modseq, least.modseq);
  record.next_id = std::max(record.next_id, least.id);
  record.uidvalidity = std::max(record.uidvalidity, least.uidvalidity);
}

void Transaction::open_account(const std::array<char, 16>& replica, const FirstNumbers& first) {
  edit_record().replica = replica;
  begin_at(first);
}

void Transaction::number_anew(const std::array<char, 16>& replica, const FirstNumbers& least) {
  begin_at(least);
  for (const auto& entry : state_.containers) {
    Container& container = *edit(entry.first);
    const std::uint64_t modseq = next_modseq();
    // RFC 9051 §2.3.1.1: greater than the one before.
    container.uidvalidity = UidValidity(++edit_record().uidvalidity);
    if (container.kind != ContainerKind::trash) {
      changed(type_of(container.kind), container.id.value, container.changed(), modseq);
    }
    container.modseq = container.high = container.floor = modseq;
  }
  edit_record().replica = replica;
  record_.floor = record_.modseq;
}

std::uint64_t Transaction::reserve_ids(std::uint32_t count) {
  const std::uint64_t first = record_.next_id + 1;
  edit_record().next_id += count;
  return first;
}

Result<std::uint16_t> Transaction::keyword(std::string_view name) {
  const std::string folded = ascii::lower(name);  // RFC 9051 §2.3.2: keywords ignore case.
  if (const auto known = state_.keyword_numbers.find(folded); known != state_.keyword_numbers.end()) {
    return known->second;
  }
  if (const auto known = new_keywords_.find(folded); known != new_keywords_.end()) return known->second;
  const std::size_t number = state_.keywords.size() + new_keywords_.size();
  const bool bad = name.empty() || name.size() > 255 || std::ranges::any_of(name, [](char c) {
                     return ascii::is_control(c) || c == ' ' || static_cast<unsigned char>(c) > 126;
                   });
  if (bad || number >= options_.most_keywords) {
    return failure(Failure::Kind::permanent, limit_reached, bad ? "Not a keyword" : "Too many different keywords");
  }
  const auto assigned = static_cast<std::uint16_t>(number);
  any_ = true;
  new_keywords_.emplace(folded, assigned);
  effects_.keywords.emplace_back(assigned, std::string(name));
  layer_.put(keys::keyword(account_, assigned).take(), std::string(name));
  return assigned;
}

void Transaction::subscribe(const std::string& path, bool on) {
  any_ = true;
  effects_.subscriptions.emplace_back(path, on);
  auto key = keys::subscription(account_, path).take();
  if (on) {
    layer_.put(std::move(key), "");
  } else {
    layer_.remove(std::move(key));
  }
}

Result<Transaction::Expired> Transaction::expire(std::uint64_t floor, std::size_t most) {
  floor = std::min(floor, record_.modseq);
  if (floor > record_.floor) edit_record().floor = floor;
  std::vector<std::string> found;
  const auto collect = [&](const keys::Key& from, const keys::Key& to) {
    return layer_.scan(from, to, [&](Bytes key, Bytes) {
      if (found.size() <= most) found.emplace_back(key);
      return found.size() <= most;
    });
  };
  for (const auto& [id, container] : state_.containers) {
    const std::size_t before = found.size();
    auto scanned = collect(keys::tombstone(account_, id, 0), keys::tombstone(account_, id, floor + 1));
    if (!scanned) return failed(scanned);
    if (found.size() == before) continue;
    Container* edited = edit(id);
    if (edited == nullptr) continue;
    edited->floor = std::max(edited->floor, std::min(floor, edited->high));
    // Packed rows must know of what has vanished before its tombstone goes.
    if (edited->unpacked == 0 || edited->packed >= floor) continue;
    if (auto packed = pack_rows(layer_, account_, *edited, options_.pack, effects_.rows); !packed)
      return failed(packed);
  }
  for (std::uint8_t type = 1; type < type_count; ++type) {
    auto scanned = collect(keys::object_tombstone(account_, static_cast<Type>(type), 0),
                           keys::object_tombstone(account_, static_cast<Type>(type), floor + 1));
    if (!scanned) return failed(scanned);
  }
  const bool all = found.size() <= most;
  if (!all) found.resize(most);
  if (!found.empty()) any_ = true;
  const std::size_t count = found.size();
  for (auto& key : found) layer_.remove(std::move(key));
  return Expired{count, all};
}

// ---- change indexes

void Transaction::changed(Type type, std::uint64_t id, std::uint64_t old, std::uint64_t now) {
  if (old != 0) layer_.withdraw(keys::object_change(account_, type, old).take());
  layer_.put(keys::object_change(account_, type, now).take(), keys::Key().u48(id).take());
  // A run that is carried brings modseqs that were given before others.
  std::uint64_t& state = edit_record().state[static_cast<std::size_t>(type)];
  state = std::max(state, now);
}

void Transaction::destroyed(Type type, std::uint64_t id, std::uint64_t old, std::uint64_t created) {
  const std::uint64_t modseq = next_modseq();
  layer_.withdraw(keys::object_change(account_, type, old).take());
  layer_.put(keys::object_tombstone(account_, type, modseq).take(),
             encode(ObjectTombstone{.id = id, .created = created, .at = options_.now}));
  edit_record().state[static_cast<std::size_t>(type)] = modseq;
}

// ---- containers

const Container* Transaction::find(MailboxId container) const {
  const auto own = containers_.find(container);
  if (own == containers_.end()) return state_.find(container);
  return own->second ? &*own->second : nullptr;
}

Container* Transaction::edit(MailboxId container) {
  const auto own = containers_.find(container);
  if (own != containers_.end()) return own->second ? &*own->second : nullptr;
  const Container* known = state_.find(container);
  if (known == nullptr) return nullptr;
  any_ = true;
  return &*containers_.emplace(container, *known).first->second;
}

const Container* Transaction::child(MailboxId parent, std::string_view name) const {
  const auto own = names_.find({parent, fold(name)});
  if (own != names_.end()) return own->second ? find(*own->second) : nullptr;
  const Container* known = state_.child(parent, name);
  return known ? find(known->id) : nullptr;
}

bool Transaction::has_children(MailboxId container) const {
  for (const auto& [key, id] : names_) {
    if (key.first == container && id) return true;
  }
  for (auto at = state_.names.lower_bound({container, ""}); at != state_.names.end(); ++at) {
    if (at->first.first != container) break;
    if (!names_.contains(at->first)) return true;
  }
  return false;
}

namespace {
std::unexpected<Failure> no_mailbox() { return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox"); }
}  // namespace

Result<MailboxId> Transaction::make_container(const NewContainer& wanted) {
  if (child(wanted.parent, wanted.name) != nullptr) {
    return failure(Failure::Kind::permanent, mailbox_exists, "The mailbox exists already");
  }
  if (state_.containers.size() + containers_.size() >= options_.most_containers) {
    return failure(Failure::Kind::permanent, limit_reached, "Too many mailboxes");
  }
  if (wanted.parent && find(wanted.parent) == nullptr) return no_mailbox();
  Container made;
  made.id = MailboxId(next_id());
  made.kind = wanted.kind;
  made.parent = wanted.parent;
  made.name = wanted.name;
  made.role = wanted.role;
  made.selectable = wanted.selectable;
  made.uidvalidity = UidValidity(++edit_record().uidvalidity);
  made.created = made.modseq = made.counts_modseq = made.high = made.packed = next_modseq();
  const MailboxId id = made.id;
  if (made.kind != ContainerKind::trash) {
    changed(type_of(made.kind), id.value, 0, made.modseq);
    layer_.put(keys::name(account_, made.parent, fold(made.name)).take(), keys::Key().u48(id.value).take());
    names_[{made.parent, fold(made.name)}] = id;
  }
  containers_[id] = std::move(made);
  return id;
}

Result<MailboxId> Transaction::trash_container() {
  if (record_.trash != 0) return MailboxId(record_.trash);
  // A name that no path can have, under a parent that cannot be.
  auto made = make_container({.name = "\x01", .kind = ContainerKind::trash});
  if (made) edit_record().trash = made->value;
  return made;
}

void Transaction::rename_key(const Container& container, const std::string& name, MailboxId parent) {
  layer_.remove(keys::name(account_, container.parent, fold(container.name)).take());
  names_[{container.parent, fold(container.name)}] = std::nullopt;
  layer_.put(keys::name(account_, parent, fold(name)).take(), keys::Key().u48(container.id.value).take());
  names_[{parent, fold(name)}] = container.id;
}

Result<void> Transaction::rename_container(MailboxId container, MailboxId parent, const std::string& name) {
  const Container* there = child(parent, name);
  if (there != nullptr && there->id != container) {
    return failure(Failure::Kind::permanent, mailbox_exists, "The mailbox exists already");
  }
  Container* edited = edit(container);
  if (edited == nullptr) return no_mailbox();
  rename_key(*edited, name, parent);
  const std::uint64_t modseq = next_modseq();
  changed(type_of(edited->kind), container.value, edited->changed(), modseq);
  edited->name = name;
  edited->parent = parent;
  edited->modseq = modseq;
  return {};
}

Result<void> Transaction::set_role(MailboxId container, Role role) {
  Container* edited = edit(container);
  if (edited == nullptr) return no_mailbox();
  const std::uint64_t modseq = next_modseq();
  changed(type_of(edited->kind), container.value, edited->changed(), modseq);
  edited->role = role;
  edited->modseq = modseq;
  return {};
}

Result<void> Transaction::set_selectable(MailboxId container, bool selectable) {
  expect_carried();
  Container* edited = edit(container);
  if (edited == nullptr) return no_mailbox();
  const std::uint64_t modseq = next_modseq();
  changed(type_of(edited->kind), container.value, edited->changed(), modseq);
  edited->selectable = selectable;
  edited->modseq = modseq;
  if (selectable) {
    edited->uidvalidity = UidValidity(++edit_record().uidvalidity);
    edited->high = modseq;
  }
  // Tombstones of placements die with the UIDVALIDITY.
  if (auto removed = remove_range(layer_, keys::of('t', account_).u48(container.value).take()); !removed) {
    return removed;
  }
  auto dropped = drop_packed(layer_, account_, *edited);
  forget_runs(container);
  edited->packed = edited->high;
  edited->unpacked = 0;
  return dropped;
}

Result<void> Transaction::remove_container(MailboxId container) {
  expect_carried();
  Container* edited = edit(container);
  if (edited == nullptr) return no_mailbox();
  if (auto removed = remove_range(layer_, keys::of('t', account_).u48(container.value).take()); !removed) {
    return removed;
  }
  if (auto dropped = drop_packed(layer_, account_, *edited); !dropped) return dropped;
  forget_runs(container);
  // Of P, x and q only what could not be read is still there; k: what was imported.
  for (const char subspace : {'P', 'x', 'q', 'k'}) {
    auto removed = remove_range(layer_, keys::of(subspace, account_).u48(container.value).take());
    if (!removed) return removed;
  }
  destroyed(type_of(edited->kind), container.value, edited->changed(), edited->created);
  layer_.remove(keys::name(account_, edited->parent, fold(edited->name)).take());
  names_[{edited->parent, fold(edited->name)}] = std::nullopt;
  layer_.remove(keys::container(account_, container).take());
  counts_.erase(container);
  containers_[container] = std::nullopt;
  return {};
}

// ---- the end

Result<void> Transaction::end_threads() {
  for (const ThreadId id : emptied_) {
    auto thread = derived<Thread>(keys::thread(account_, id));
    if (!thread) return failed(thread);
    if (!*thread || !(*thread)->items.empty()) continue;
    destroyed(Type::thread, id.value, (*thread)->modseq, (*thread)->created);
    layer_.remove(keys::thread(account_, id).take());
    for (const std::uint64_t key : (*thread)->keys) layer_.remove(keys::thread_key(account_, key).take());
  }
  return {};
}

void Transaction::apply_counts() {
  for (const auto& [id, difference] : counts_) {
    Container* container = edit(id);
    if (container == nullptr) continue;
    add(container->total, difference.total);
    add(container->unread, difference.unread);
    add(container->deleted, difference.deleted);
    add(container->bytes, difference.bytes);
    add(container->threads, difference.threads);
    add(container->unread_threads, difference.unread_threads);
    const bool shown =
        difference.total != 0 || difference.unread != 0 || difference.threads != 0 || difference.unread_threads != 0;
    if (!shown) continue;
    const std::uint64_t old = container->changed();
    container->counts_modseq = next_modseq();
    changed(type_of(container->kind), id.value, old, container->counts_modseq);
  }
}

Result<void> Transaction::pack_containers() {
  for (auto& [id, container] : containers_) {
    if (!container || container->kind == ContainerKind::trash) continue;
    if (container->sealed_rows > 2 * container->total + 2000) {  // Mostly structure records of what is gone.
      auto removed = remove_range(layer_, keys::of('E', account_).u48(id.value).take());
      if (!removed) return removed;
      container->sealed_uid = container->sealed_rows = 0;
    }
    if (container->unpacked < options_.pack.changes) continue;
    // If packed rows are damaged they are made again from the placements, which a run is still to bring.
    const auto concerned = [id](const auto& run) { return run->from == id || run->to == id; };
    if (std::ranges::any_of(state_.placing, concerned)) continue;
    if (auto packed = pack_rows(layer_, account_, *container, options_.pack, effects_.rows); !packed) return packed;
  }
  return {};
}

Result<Effects> Transaction::finish(store::Batch& batch) {
  CHECK_OR_BUG(pending_.empty());  // Every new item was placed.
  if (auto ended = end_threads(); !ended) return failed(ended);
  apply_counts();
  if (auto packed = pack_containers(); !packed) return failed(packed);
  if (!any_) return std::move(effects_);
  for (auto& [id, container] : containers_) {
    if (container) {
      layer_.put(keys::container(account_, id).take(), encode(*container));
      effects_.containers.push_back(std::move(*container));
    } else {
      effects_.removed.push_back(id);
    }
  }
  layer_.put(keys::account(account_).take(), encode(record_));
  effects_.any = true;
  effects_.record = record_;
  layer_.write_to(batch);
  for (auto& reference : references_) batch.operations.push_back(std::move(reference));
  return std::move(effects_);
}

}  // namespace facteur::mailbox
