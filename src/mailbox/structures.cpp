// What messages are made of: single records beside each message (J), packed columns by uid (E), so that ENVELOPE of a
// large mailbox is one sequential read.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "base/base64.hpp"
#include "mailbox/columns.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/packed_view.hpp"
#include "mailbox/service.hpp"
#include "message/structure.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::uint32_t seal_after = 1000;    // So many messages behind the packed ones are packed;
constexpr std::uint32_t seal_at_once = 4000;  // so many in one transaction.
constexpr std::uint64_t near = 16;            // Ids or uids that lie so far apart, on average, are read in one pass.

// Columns of messages that are in another mailbox, too, by item: copied from there instead of made again.
using Elsewhere = std::unordered_map<ItemId, std::array<std::string, column_count>>;

// The mailbox where most of these items are besides `mailbox`, with their uids there, ascending.
struct Source {
  MailboxId mailbox;
  std::map<Uid, ItemId> items;
};
Result<Source> find_source(const store::Reader& reader, AccountId account, MailboxId mailbox,
                           const std::vector<std::pair<Uid, ItemId>>& found) {
  std::vector<ItemId> items;
  for (const auto& [uid, item] : found) items.push_back(item);
  std::ranges::sort(items);
  if (items.empty() || items.back().value - items.front().value > near * items.size()) return Source();
  std::map<MailboxId, std::map<Uid, ItemId>> places;
  auto scanned = reader.scan(keys::item(account, items.front()),
                             store::behind(keys::item(account, items.back()).text()), [&](Bytes, Bytes value) {
                               const auto item = decode<Item>(value);
                               if (!item || item->places.size() < 2 || !std::ranges::binary_search(items, item->id)) {
                                 return true;
                               }
                               for (const auto& [other, uid] : item->places) {
                                 if (other != mailbox) places[other].emplace(uid, item->id);
                               }
                               return true;
                             });
  if (!scanned) return failed(scanned);
  Source most;
  for (auto& [other, uids] : places) {
    if (uids.size() > most.items.size()) most = {other, std::move(uids)};
  }
  return most;
}

Result<Elsewhere> read_elsewhere(const store::Reader& reader, AccountId account, MailboxId mailbox,
                                 const std::vector<std::pair<Uid, ItemId>>& found) {
  Elsewhere elsewhere;
  auto source = find_source(reader, account, mailbox, found);
  if (!source) return failed(source);
  if (source->items.empty()) return elsewhere;
  const Uid first = source->items.begin()->first, last = source->items.rbegin()->first;
  if (last.value - first.value > 2 * source->items.size()) return elsewhere;  // Columns are large.
  auto read =
      read_columns(reader, account, source->mailbox, all_columns, first, [&](Uid uid, std::span<const Bytes> values) {
        if (uid > last) return false;
        const auto item = source->items.find(uid);
        if (item == source->items.end()) return true;
        std::ranges::copy(values, elsewhere[item->second].begin());
        return true;
      });
  if (!read) return failed(read);
  return elsewhere;
}

struct Sealed {
  std::vector<std::pair<std::string, std::string>> records;
  Uid covered;
  std::uint32_t rows = 0;
  bool more = false;
};

// Reads what is to be packed of a mailbox: rows behind `after`.
Result<Sealed> read_for_sealing(const store::Engine& engine, const store::Reader& reader, AccountId account,
                                MailboxId mailbox, Uid after, const StructureMaker& make) {
  Sealed result;
  result.covered = after;
  std::vector<std::pair<Uid, ItemId>> found;
  const auto prefix = keys::placements(account, mailbox).take();
  auto scanned = reader.scan(keys::placement(account, mailbox, Uid(after.value + 1)), store::behind(prefix),
                             [&](Bytes key, Bytes value) {
                               if (found.size() == seal_at_once) {
                                 result.more = true;
                                 return false;
                               }
                               const Uid uid(store::Parser(key.substr(prefix.size())).u32());
                               result.covered = uid;
                               if (const auto placed = decode<Placement>(value)) found.emplace_back(uid, placed->item);
                               return true;
                             });
  if (!scanned) return failed(scanned);
  auto elsewhere = read_elsewhere(reader, account, mailbox, found);
  if (!elsewhere) return failed(elsewhere);
  ColumnWriter columns(account, mailbox);
  for (const auto& [uid, item] : found) {
    if (const auto copied = elsewhere->find(item); copied != elsewhere->end()) {
      columns.add(uid, copied->second);
      ++result.rows;
      continue;
    }
    auto value = reader.get(keys::content(account, item));
    if (!value) return failed(value);
    if (!*value) continue;
    auto content = decode<ContentRecord>(**value);
    if (!content) continue;            // Will be asked for singly.
    if (content->structure.empty()) {  // A streamed message, and its record is not made yet.
      const auto text = engine.content(content->blob);
      if (!text || !*text) continue;
      content->structure = make(content->prefix, (*text)->text());
      if (!(*text)->intact()) continue;  // Made of zeros.
    }
    const auto hint = engine.place_of(content->blob);
    if (columns.add(uid, content->structure, {content->blob, hint, content->prefix})) ++result.rows;
  }
  result.records = columns.finish();
  return result;
}

// The rows of a table one after the other.
class RowCursor {
 public:
  RowCursor(const RowTable& rows, std::size_t index) : parts_(rows.parts()), row_(index) {
    while (part_ < parts_.size() && index >= parts_[part_].count) index -= parts_[part_++].count;
    index_ = index;
  }
  std::size_t row() const { return row_; }
  Uid uid() const { return parts_[part_].chunk->uid(index_); }
  ItemId item() const { return parts_[part_].chunk->row(index_).item; }
  void next() {
    ++row_;
    if (++index_ < parts_[part_].count) return;
    ++part_;
    index_ = 0;
  }

 private:
  const std::vector<RowTable::Part>& parts_;
  std::size_t row_;
  std::size_t part_ = 0;
  std::size_t index_ = 0;
};

// Rows [first, last) in order: `packed` gets those that are in columns, `single` the others; false ends it.
struct Walk {
  std::function<bool(std::size_t row, std::span<const Bytes> values)> packed;
  std::function<bool(std::size_t row, ItemId item)> single;
};
Result<void> walk(const store::Reader& reader, AccountId account, MailboxId mailbox, const RowTable& rows,
                  std::size_t first, std::size_t last, std::span<const Column> wanted, const Walk& to) {
  RowCursor at(rows, first);
  bool more = true;
  const auto singles = [&](std::uint64_t up_to) {
    for (; more && at.row() < last && at.uid().value < up_to; at.next()) more = to.single(at.row(), at.item());
  };
  const auto entry = [&](Uid uid, std::span<const Bytes> values) {
    singles(uid.value);
    if (more && at.row() < last && at.uid() == uid) {  // Else the message is gone.
      more = to.packed(at.row(), values);
      at.next();
    }
    return more && at.row() < last;
  };
  auto read = read_columns(reader, account, mailbox, wanted, at.uid(), entry);
  if (!read) return read;
  singles(std::uint64_t{1} << 32);
  return {};
}

std::vector<Column> columns_of(const Mailboxes::Parts& parts) {
  std::vector<Column> wanted;
  if (parts.envelope) wanted.push_back(Column::envelope);
  if (parts.layout) wanted.push_back(Column::layout);
  if (parts.texts) wanted.push_back(Column::texts);
  if (parts.threading) wanted.push_back(Column::threading);
  return wanted;
}

Result<MessageText> with_content(Result<std::optional<store::Content>> content, const BlobId& blob,
                                 std::string prefix) {
  if (!content) return failed(content);
  if (!*content) {
    return failure(Failure::Kind::corrupt, "F-2121", "The message's content is missing", to_hex(blob.bytes()));
  }
  return MessageText{std::move(prefix), std::move(**content)};
}

// One record of the parts read; `storage` holds it if it had to be made.
Bytes record_of(std::span<const Bytes> parts, std::string& storage) {
  if (parts.size() <= 1) return parts.empty() ? Bytes() : parts.front();
  auto joined = message::joined_structure(parts);
  storage = joined ? std::move(*joined) : std::string();
  return storage;
}

}  // namespace

void Service::consider_sealing(Account& account, MailboxId mailbox) {
  if (!structure_ || !account.current() || account.changing_many > 0) return;
  if (!account.state().placing.empty()) return;  // Its placements are not all there.
  const Container* container = account.state().find(mailbox);
  if (container == nullptr || container->kind != ContainerKind::mail) return;
  if (container->uidnext <= container->sealed_uid + seal_after || container->total < seal_after) return;
  if (!sealing_here(account.id(), mailbox)) return;
  tasks_[shards_.current()]->start(seal(account.id(), mailbox));
}

bool Service::sealing_here(AccountId account, MailboxId mailbox) {
  return homes_[shards_.current()]->sealing.emplace(account, mailbox).second;
}

Task<void> Service::seal(AccountId id, MailboxId mailbox) {
  const auto account = account_here(id);
  for (bool more = true; more;) {
    more = false;
    auto state = co_await account->published();
    const Container* container = state && (*state)->placing.empty() ? (*state)->find(mailbox) : nullptr;
    if (container == nullptr) break;
    const Uid after(container->sealed_uid);
    auto snapshot = engine_.snapshot();
    auto read = [this, snapshot, id, mailbox, after] {
      return read_for_sealing(engine_, *snapshot, id, mailbox, after, structure_);
    };
    auto ready = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(read));
    if (!ready || ready->covered == after) break;
    auto held = co_await account->turn();
    auto loaded = co_await account->load();
    if (!loaded) break;
    Transaction transaction = account->begin();
    const Container* now = transaction.find(mailbox);
    if (now == nullptr || now->sealed_uid != after.value) break;
    auto done = transaction.seal(mailbox, ready->covered, ready->rows, std::move(ready->records));
    if (done) done = co_await account->commit(transaction, store::Batch(), std::move(held));
    more = done && ready->more;
  }
  homes_[shards_.current()]->sealing.erase({id, mailbox});
}

Task<void> Service::make_structure_late(AccountId id, ItemId item, BlobId blob) {
  auto content = engine_.content(blob);
  if (!content || !*content) co_return;
  auto value = engine_.latest().get(keys::content(id, item));
  if (!value || !*value) co_return;
  const auto record = decode<ContentRecord>(**value);
  if (!record) co_return;
  auto make = [this, text = **content, prefix = record->prefix] {
    return text.pieces().size() == 1 ? structure_(prefix, text.pieces().front()) : structure_(prefix, text.text());
  };
  auto structure = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(make));
  if (!(*content)->intact()) co_return;  // Made of zeros.
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load();
  if (!loaded) co_return;
  Transaction transaction = account->begin();
  if (!transaction.set_structure(item, std::move(structure))) co_return;
  auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
  if (!committed) scope_.event("mailbox_structure_not_stored").failure(committed.error());
}

Task<Result<void>> Service::structures(AccountId account, std::shared_ptr<const View> view, std::size_t first,
                                       std::size_t last, Parts parts, const StructureVisit& visit) {
  const RowTable& rows = dynamic_cast<const PackedView&>(*view).rows();
  last = std::min(last, rows.size());
  if (first >= last) co_return Result<void>{};
  const auto snapshot = engine_.snapshot();
  Result<void> trouble;
  std::string storage;
  Walk to;
  to.packed = [&](std::size_t row, std::span<const Bytes> values) { return visit(row, record_of(values, storage)); };
  to.single = [&](std::size_t row, ItemId item) {
    auto value = snapshot->get(keys::content(account, item));
    if (!value) {
      trouble = failed(value);
      return false;
    }
    const auto content = *value ? decode<ContentRecord>(**value) : Result<ContentRecord>(ContentRecord());
    return visit(row, content ? Bytes(content->structure) : Bytes());  // Gone or damaged: to be parsed anew.
  };
  auto wanted = columns_of(parts);
  if (wanted.empty()) wanted.push_back(Column::layout);
  auto walked = walk(*snapshot, account, view->mailbox(), rows, first, last, wanted, to);
  co_return walked ? trouble : walked;
}

namespace {

Result<ContentRecord> content_record(const store::Reader& reader, AccountId account, ItemId item) {
  auto value = reader.get(keys::content(account, item));
  if (!value) return failed(value);
  if (!*value) return failure(Failure::Kind::permanent, "F-2120", "The message is gone");
  return decode<ContentRecord>(**value);
}

}  // namespace

Result<MessageText> Service::text_of(const store::Reader& reader, AccountId account, ItemId item,
                                     std::string* record) const {
  auto stored = content_record(reader, account, item);
  if (!stored) return failed(stored);
  if (record) *record = std::move(stored->structure);
  return with_content(engine_.content(stored->blob), stored->blob, std::move(stored->prefix));
}

Task<Result<void>> Service::texts(AccountId account, std::shared_ptr<const View> view, std::size_t first,
                                  std::size_t last, Parts parts, const TextVisit& visit) {
  const RowTable& rows = dynamic_cast<const PackedView&>(*view).rows();
  last = std::min(last, rows.size());
  if (first >= last) co_return Result<void>{};
  const auto snapshot = engine_.snapshot();
  std::string storage;
  Walk to;
  to.single = [&](std::size_t row, ItemId item) {
    std::string record;
    auto text = text_of(*snapshot, account, item, &record);
    return visit(row, std::move(text), record);
  };
  to.packed = [&](std::size_t row, std::span<const Bytes> values) {
    const auto entry = decode_content_entry(values.front());
    if (!entry) return to.single(row, rows.row(row).item);
    auto text = with_content(engine_.content_near(entry->blob, entry->hint), entry->blob, std::string(entry->prefix));
    return visit(row, std::move(text), record_of(values.subspan(1), storage));
  };
  std::vector<Column> wanted{Column::content};
  std::ranges::copy(columns_of(parts), std::back_inserter(wanted));
  co_return walk(*snapshot, account, view->mailbox(), rows, first, last, wanted, to);
}

// ---- one message

Task<Result<MessageText>> Service::text(AccountId account, const Row& row) {
  co_return text_of(engine_.latest(), account, row.item, nullptr);
}

Task<Result<std::string>> Service::structure(AccountId account, const Row& row) {
  auto record = content_record(engine_.latest(), account, row.item);
  if (!record) co_return failed(record);
  co_return std::move(record->structure);
}

}  // namespace facteur::mailbox
