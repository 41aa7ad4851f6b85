#include "mailbox/changes.hpp"

#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/mailboxes.hpp"

namespace facteur::mailbox {
namespace {

template <class Record>
Result<std::optional<Record>> read(const KeyValue& from, Bytes key) {
  auto value = from.get(key);
  if (!value) return failed(value);
  if (!*value) return std::optional<Record>();
  auto record = decode<Record>(**value);
  if (!record) return failed(record);
  return std::optional<Record>(std::move(*record));
}

std::uint64_t modseq_of(Bytes key) { return store::Parser(key.substr(key.size() - 6)).u48(); }

// The entries of two indexes come in one order, and a page is cut from both.
template <class Entry>
bool cut(std::vector<Entry>& entries, std::size_t most) {
  std::ranges::sort(entries, {}, &Entry::modseq);
  if (most == 0 || entries.size() <= most) return false;
  entries.resize(most);
  return true;
}

}  // namespace

Result<std::optional<CollectionChanges>> collection_changes(const KeyValue& from, AccountId account, MailboxId id,
                                                            std::uint64_t since, std::size_t most) {
  auto container = read<Container>(from, keys::container(account, id));
  if (!container) return failed(container);
  if (!*container) return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox");
  using Changes = std::optional<CollectionChanges>;
  if (since < (**container).floor) return Changes();
  CollectionChanges found;
  bool damaged = false;
  // One more than asked for, of each, tells whether there is more.
  std::size_t taken = 0;
  const auto live = [&](Bytes key, Bytes value) {
    const auto change = decode<PlacementChange>(value);
    damaged |= !change;
    if (change) found.entries.push_back({modseq_of(key), false, change->uid, change->created, std::nullopt});
    return !damaged && (most == 0 || ++taken <= most);
  };
  const auto gone = [&](Bytes key, Bytes value) {
    auto tombstone = decode<PlacementTombstone>(value);
    damaged |= !tombstone;
    if (tombstone) {
      found.entries.push_back({modseq_of(key), true, tombstone->uid, tombstone->created, std::move(tombstone->name)});
    }
    return !damaged && (most == 0 || ++taken <= most);
  };
  auto scanned = from.scan(keys::change(account, id, since + 1), keys::change(account, id, keys::last_modseq), live);
  if (!scanned) return failed(scanned);
  taken = 0;
  scanned = from.scan(keys::tombstone(account, id, since + 1), keys::tombstone(account, id, keys::last_modseq), gone);
  if (!scanned) return failed(scanned);
  if (damaged) return Changes();
  found.more = cut(found.entries, most);
  found.up_to = found.more ? found.entries.back().modseq : (**container).high;
  return Changes(std::move(found));
}

namespace {

// When a live object of that type was created; nullopt: there is none.
Result<std::optional<std::uint64_t>> created_of(const KeyValue& from, AccountId account, Type type, std::uint64_t id) {
  using Created = std::optional<std::uint64_t>;
  const auto created = [](auto record) -> Result<Created> {
    if (!record) return failed(record);
    return *record ? Created((**record).created) : Created();
  };
  switch (type) {
    case Type::mailbox:
    case Type::calendar:
    case Type::address_book:
    case Type::task_list:
      return created(read<Container>(from, keys::container(account, MailboxId(id))));
    case Type::thread:
      return created(read<Thread>(from, keys::thread(account, ThreadId(id))));
    case Type::email:
    case Type::event:
    case Type::contact:
    case Type::task:
      break;
  }
  return created(read<Item>(from, keys::item(account, ItemId(id))));
}

struct ObjectEntry {
  std::uint64_t modseq = 0;
  bool destroyed = false;
  std::uint64_t id = 0;
  std::uint64_t created = 0;
};

}  // namespace

Result<std::optional<ObjectChanges>> object_changes(const KeyValue& from, AccountId account, Type type,
                                                    std::uint64_t since, std::size_t most) {
  auto record = read<AccountRecord>(from, keys::account(account));
  if (!record) return failed(record);
  if (!*record) return failure(Failure::Kind::permanent, no_such_account, "No such account");
  using Changes = std::optional<ObjectChanges>;
  if (since == 0 || since < (**record).floor) return Changes();
  std::vector<ObjectEntry> entries;
  std::size_t taken = 0;
  bool damaged = false;
  const auto live = [&](Bytes key, Bytes value) {
    entries.push_back({.modseq = modseq_of(key), .id = store::Parser(value).u48()});
    return most == 0 || ++taken <= most;
  };
  const auto gone = [&](Bytes key, Bytes value) {
    const auto tombstone = decode<ObjectTombstone>(value);
    damaged |= !tombstone;
    if (tombstone) entries.push_back({modseq_of(key), true, tombstone->id, tombstone->created});
    return !damaged && (most == 0 || ++taken <= most);
  };
  auto scanned = from.scan(keys::object_change(account, type, since + 1),
                           keys::object_change(account, type, keys::last_modseq), live);
  if (!scanned) return failed(scanned);
  taken = 0;
  scanned = from.scan(keys::object_tombstone(account, type, since + 1),
                      keys::object_tombstone(account, type, keys::last_modseq), gone);
  if (!scanned) return failed(scanned);
  if (damaged) return Changes();
  ObjectChanges found;
  found.more = cut(entries, most);
  found.up_to = entries.empty() ? since
                : found.more    ? entries.back().modseq
                                : (**record).state[static_cast<std::size_t>(type)];
  for (const ObjectEntry& entry : entries) {
    if (entry.destroyed) {
      if (entry.created <= since) found.destroyed.push_back(entry.id);  // Else the client never heard of it.
      continue;
    }
    auto created = created_of(from, account, type, entry.id);
    if (!created && created.error().kind != Failure::Kind::corrupt) return failed(created);
    if (!created || !*created) return Changes();
    (**created > since ? found.created : found.updated).push_back(entry.id);
  }
  return Changes(std::move(found));
}

}  // namespace facteur::mailbox
