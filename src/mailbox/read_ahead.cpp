#include "mailbox/read_ahead.hpp"

#include <algorithm>
#include <map>

#include "mailbox/keys.hpp"
#include "mailbox/records.hpp"

namespace facteur::mailbox {

bool ReadAhead::fetch(std::string from, std::string to, std::size_t most) {
  Range range{.from = std::move(from), .to = std::move(to), .records = {}};
  bool few = true;
  const auto scanned = below_.scan(range.from, range.to, [&](Bytes key, Bytes value) {
    few = range.records.size() < most;
    if (few) range.records.emplace_back(key, value);
    return few;
  });
  const bool kept = few && scanned;
  if (!kept) range = {};  // It contains no key.
  ranges_.push_back(std::move(range));
  return kept;
}

std::span<const std::pair<std::string, std::string>> ReadAhead::fetched() const {
  if (ranges_.empty()) return {};
  return ranges_.back().records;
}

Result<std::optional<std::string>> ReadAhead::get(Bytes key) const {
  const auto range = std::ranges::find_if(ranges_, [key](const Range& r) { return r.from <= key && key < r.to; });
  if (range == ranges_.end()) return below_.get(key);
  const auto& records = range->records;
  auto found = records.begin() + static_cast<std::ptrdiff_t>(range->next);
  if (found == records.end() || found->first != key) {
    found = std::ranges::lower_bound(records, key, {}, [](const auto& record) { return Bytes(record.first); });
    if (found == records.end() || found->first != key) return std::nullopt;
  }
  range->next = static_cast<std::size_t>(found - records.begin()) + 1;
  return found->second;
}

namespace {

// The keys that a command on many messages reads lie between the least and the greatest of each kind.
template <class Id>
struct Span {
  Id first{keys::last_modseq}, last{};
  void add(Id id) {
    first = std::min(first, id);
    last = std::max(last, id);
  }
  bool empty() const { return first > last; }
};
template <>
struct Span<Uid> {
  Uid first{UINT32_MAX}, last{};
  std::size_t count = 0;
  void add(Uid uid) {
    first = std::min(first, uid);
    last = std::max(last, uid);
    ++count;
  }
};

constexpr std::size_t few = 16;  // Below it is not worth it.

}  // namespace

void fetch_messages(ReadAhead& into, AccountId account, MailboxId mailbox, std::span<const Uid> uids,
                    std::span<const MailboxId> counted) {
  if (uids.size() < few) return;
  const std::size_t most = 4 * uids.size();
  const auto fetch = [&](const keys::Key& first, const keys::Key& last) {
    into.fetch(std::string(first.text()), store::behind(last.text()), most);
  };
  fetch(keys::placement(account, mailbox, uids.front()), keys::placement(account, mailbox, uids.back()));
  const auto prefix = keys::placements(account, mailbox).take().size();
  Span<ItemId> items;
  Span<ThreadId> threads;
  for (const auto& [key, value] : into.fetched()) {
    const Uid uid(store::Parser(Bytes(key).substr(prefix)).u32());
    if (!std::ranges::binary_search(uids, uid)) continue;
    const auto placed = decode<Placement>(value);
    if (!placed) continue;  // Whoever needs it reports it.
    items.add(placed->item);
    if (placed->thread) threads.add(placed->thread);
  }
  if (items.empty()) return;
  fetch(keys::item(account, items.first), keys::item(account, items.last));
  std::map<MailboxId, Span<Uid>> others;  // Flags change in all places of a message.
  for (const auto& [key, value] : into.fetched()) {
    const auto item = decode<Item>(value);
    if (!item) continue;
    for (const auto& [other, uid] : item->places) {
      if (other != mailbox) others[other].add(uid);
    }
  }
  std::vector<MailboxId> counting(counted.begin(), counted.end());
  for (const auto& [other, span] : others) {
    if (span.count < few) continue;
    fetch(keys::placement(account, other, span.first), keys::placement(account, other, span.last));
    if (std::ranges::find(counting, other) == counting.end()) counting.push_back(other);
  }
  if (threads.empty()) return;
  for (const MailboxId where : counting) {
    fetch(keys::thread_counts(account, where, threads.first), keys::thread_counts(account, where, threads.last));
  }
}

}  // namespace facteur::mailbox
