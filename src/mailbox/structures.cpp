// Structure records: single ones beside each message (J), packed ones by uid (E), so that ENVELOPE of a large mailbox
// is one sequential read.
#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/packed_view.hpp"
#include "mailbox/service.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::uint32_t seal_after = 1000;       // So many messages behind the packed ones are packed;
constexpr std::uint32_t seal_at_once = 4000;     // so many in one transaction;
constexpr std::size_t chunk_octets = 60 * 1024;  // so large a record.

struct Sealed {
  std::vector<std::pair<Uid, std::string>> chunks;
  Uid covered;
  std::uint32_t rows = 0;
  bool more = false;
};

// Reads what is to be packed of a mailbox: rows behind `after`.
Result<Sealed> read_for_sealing(const store::Reader& reader, AccountId account, MailboxId mailbox, Uid after) {
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
  store::Key chunk;
  Uid first;
  const auto close = [&] {
    if (!chunk.text().empty()) result.chunks.emplace_back(first, sealed(1, chunk));
    chunk = store::Key();
  };
  for (const auto& [uid, item] : found) {
    auto value = reader.get(keys::content(account, item));
    if (!value) return failed(value);
    if (!*value) continue;
    const auto content = decode<ContentRecord>(**value);
    if (!content || content->structure.empty()) continue;  // Will be asked for singly.
    if (chunk.text().size() + content->structure.size() > chunk_octets) close();
    if (chunk.text().empty()) first = uid;
    chunk.u32(uid.value).string(content->structure);
    ++result.rows;
  }
  close();
  return result;
}

}  // namespace

void Service::consider_sealing(Account& account, MailboxId mailbox) {
  if (!structure_ || !account.current()) return;
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
    const Container* container = state ? (*state)->find(mailbox) : nullptr;
    if (container == nullptr) break;
    const Uid after(container->sealed_uid);
    auto snapshot = engine_.snapshot();
    auto read = [snapshot, id, mailbox, after] { return read_for_sealing(*snapshot, id, mailbox, after); };
    auto ready = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(read));
    if (!ready || ready->covered == after) break;
    auto held = co_await account->turn();
    auto loaded = co_await account->load();
    if (!loaded) break;
    Transaction transaction = account->begin();
    const Container* now = transaction.find(mailbox);
    if (now == nullptr || now->sealed_uid != after.value) break;
    auto done = transaction.seal(mailbox, ready->covered, ready->rows, ready->chunks);
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
                                       std::size_t last,
                                       const std::function<bool(std::size_t row, Bytes record)>& visit) {
  const auto& packed = dynamic_cast<const PackedView&>(*view);
  const RowTable& rows = packed.rows();
  last = std::min(last, rows.size());
  if (first >= last) co_return Result<void>{};
  const auto snapshot = engine_.snapshot();
  std::size_t next = first;
  bool more = true;
  Result<void> trouble;
  // Rows up to `uid` that are in no chunk.
  const auto singles = [&](std::uint64_t up_to) {
    for (; more && next < last; ++next) {
      const Row row = rows.row(next);
      if (row.uid.value >= up_to) return;
      auto value = snapshot->get(keys::content(account, row.item));
      if (!value) {
        trouble = failed(value);
        more = false;
        return;
      }
      const auto content = *value ? decode<ContentRecord>(**value) : Result<ContentRecord>(ContentRecord());
      more = visit(next, content ? Bytes(content->structure) : Bytes());  // Gone or damaged: to be parsed anew.
    }
  };
  const auto entries = [&](Bytes, Bytes value) {
    const auto octets = unsealed(value);
    if (!octets || octets->version != 1) return true;  // Its rows are read singly.
    store::Parser in(octets->body);
    while (more && next < last && !in.done() && in.ok()) {
      const Uid uid(in.u32());
      const Bytes record = in.string();
      if (!in.ok()) break;
      Uid at = rows.uid(next);
      if (uid < at) continue;  // Before the first row, or gone.
      if (at < uid) {
        singles(uid.value);
        if (!more || next == last) break;
        at = rows.uid(next);
      }
      if (at == uid) more = visit(next++, record);
    }
    return more && next < last;
  };
  const MailboxId mailbox = view->mailbox();
  const auto prefix = keys::of('E', account).u48(mailbox.value).take();
  // The chunk that begins at or before the first row.
  std::string start = keys::structures(account, mailbox, rows.uid(first)).take();
  auto scanned = snapshot->scan_back(prefix, keys::structures(account, mailbox, Uid(rows.uid(first).value + 1)),
                                     [&](Bytes key, Bytes) {
                                       start = std::string(key);
                                       return false;
                                     });
  if (scanned) scanned = snapshot->scan(start, store::behind(prefix), entries);
  if (!scanned) co_return scanned;
  singles(std::uint64_t{1} << 32);
  co_return trouble;
}

}  // namespace facteur::mailbox
