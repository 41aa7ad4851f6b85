// fsck: accounts checked and repaired, and what they have lost filed again.
#include <algorithm>

#include "mailbox/invariants.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/repair.hpp"
#include "mailbox/service.hpp"
#include "mailbox/thread_keys.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_octets = 16 << 20;  // Of one commit of a repair.
constexpr std::size_t header_octets = 64 * 1024;

std::vector<std::uint64_t> keys_of_content(const store::Engine& engine, const ContentRecord& content) {
  const auto text = engine.content(content.blob);
  return text && *text ? thread_keys((*text)->slice(0, header_octets)) : std::vector<std::uint64_t>();
}

struct Examined {
  Mailboxes::Checked checked;
  Repaired repaired;
  store::Batch changes;
};

// Reads all of the account; blocks.
Result<Examined> examine(const store::Engine& engine, const store::Reader& reader, AccountId account,
                         RepairOptions options) {
  const Stored from(reader);
  Examined out;
  auto value = from.get(keys::account(account));
  if (!value) return failed(value);
  const auto record = *value ? decode<AccountRecord>(**value) : Result<AccountRecord>(AccountRecord());
  if (record && record->removing) return out;  // Its records are going.
  options.thread_keys = [&engine](const ContentRecord& content) { return keys_of_content(engine, content); };
  Layer layer(from);
  auto repaired = repair_account(layer, account, options);
  if (!repaired) return failed(repaired);
  auto problems = check_account(from, account);
  if (!problems) return failed(problems);
  out.checked.problems = std::move(*problems);
  out.checked.records = repaired->records;
  out.checked.lost = repaired->lost;
  if (repaired->any()) layer.write_to(out.changes);
  for (const auto& [blob, owner] : repaired->references) out.changes.reference(blob, owner);
  out.repaired = std::move(*repaired);
  // Packed columns and the like are no invariants, and yet not as they should be.
  if (out.checked.problems.empty() && out.repaired.any()) {
    std::string kinds;
    for (const auto& [kind, count] : out.checked.records) kinds += kind;
    out.checked.problems.push_back("records of these kinds must be made again: " + kinds);
  }
  return out;
}

}  // namespace

Task<Result<Mailboxes::Checked>> Service::check(AccountId account, bool repair) {
  return at_home(account, check_here(account, repair));
}

Task<Result<Mailboxes::Checked>> Service::check_here(AccountId id, bool repair) {
  RepairOptions options;
  options.now = clock_.utc();
  random_.fill(options.replica);
  auto look = [this, id, options, snapshot = engine_.snapshot()] { return examine(engine_, *snapshot, id, options); };
  auto seen = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(look));
  if (!seen) co_return failed(seen);
  if (!repair || seen->checked.problems.empty()) co_return std::move(seen->checked);
  Checked checked = std::move(seen->checked);
  auto written = co_await write_repair(id, checked);
  if (!written) co_return failed(written);
  auto look_again = [this, id, options, snapshot = engine_.snapshot()] {
    return examine(engine_, *snapshot, id, options);
  };
  auto left = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(look_again));
  if (!left) co_return failed(left);
  checked.left = std::move(left->checked.problems);
  co_return checked;
}

// With the account's turn held and no commit on its way, so that nothing is built on what is being made anew.
Task<Result<void>> Service::write_repair(AccountId id, Checked& checked) {
  const auto account = account_here(id);
  auto held = co_await account->turn();
  // If it cannot be carried, the repair does what can be done.
  static_cast<void>(co_await account->load_carried());
  co_await account->drained();
  RepairOptions options;
  options.now = clock_.utc();
  random_.fill(options.replica);
  auto look = [this, id, options] { return examine(engine_, engine_.latest(), id, options); };
  auto found = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(look));
  if (!found) co_return failed(found);
  checked.records = found->checked.records;
  checked.lost = found->checked.lost;
  // Each record that is written is right by itself, so a repair may stop between two commits.
  Result<void> done;
  store::Batch part;
  auto& all = found->changes.operations;
  for (std::size_t i = 0, octets = 0; i < all.size() && done; ++i) {
    octets += all[i].key.size() + all[i].value.size() + 32;
    part.operations.push_back(std::move(all[i]));
    if (octets < most_octets && i + 1 < all.size()) continue;
    octets = 0;
    store::Batch next = std::exchange(part, store::Batch());
    done = co_await engine_.commit(std::move(next));
  }
  account->start_anew();
  scope_.event("mailbox_account_repaired")
      .field("account", id.value)
      .field("records", all.size())
      .field("lost", checked.lost);
  co_return done;
}

Task<void> Service::start_anew(AccountId account) {
  static_cast<void>(co_await at_home(account, start_anew_here(account)));
}

Task<Result<void>> Service::start_anew_here(AccountId id) {
  const auto account = account_here(id);
  auto held = co_await account->turn();
  co_await account->drained();
  account->start_anew();
  co_return Result<void>{};
}

Task<Result<std::vector<AccountId>>> Service::stored_accounts() {
  auto look = [snapshot = engine_.snapshot()]() -> Result<std::vector<AccountId>> {
    std::set<AccountId> found;
    for (const char subspace : {'A', 'C', 'I', 'P'}) {
      for (std::uint64_t next = 1; next <= UINT32_MAX;) {
        const std::string from = keys::of(subspace, AccountId(static_cast<std::uint32_t>(next))).take();
        next = UINT64_MAX;
        auto scanned = snapshot->scan(from, std::string(1, static_cast<char>(subspace + 1)), [&](Bytes key, Bytes) {
          const AccountId id(store::Parser(key.substr(1)).u32());
          found.insert(id);
          next = std::uint64_t{id.value} + 1;
          return false;
        });
        if (!scanned) return failed(scanned);
      }
    }
    return std::vector<AccountId>(found.begin(), found.end());
  };
  co_return co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(look));
}

// ---- contents and who has them

namespace {

// References by items; other parts of the server have owners of other lengths.
std::optional<Mailboxes::Holding> holding_of(Bytes key) {
  constexpr std::size_t owner_octets = 10;  // keys::owner
  const Bytes owner = key.substr(1 + sizeof(BlobId::digest));
  if (owner.size() != owner_octets) return std::nullopt;
  store::Parser in(owner);
  const AccountId account(in.u32());
  return Mailboxes::Holding{
      .account = account, .item = ItemId(in.u48()), .blob = BlobId::from(key.substr(1, sizeof(BlobId::digest)))};
}

Result<std::vector<Mailboxes::Holding>> find_orphans(const store::Reader& reader) {
  std::vector<Mailboxes::Holding> found;
  Result<void> trouble;
  auto scanned = reader.scan("Z", store::behind("Z"), [&](Bytes key, Bytes) {
    const auto holding = holding_of(key);
    if (!holding) return true;
    auto value = reader.get(keys::item(holding->account, holding->item));
    if (!value) {
      trouble = failed(value);
      return false;
    }
    const auto item = *value ? decode<Item>(**value) : Result<Item>(Item());
    if (!*value || (item && item->blob != holding->blob)) found.push_back(*holding);
    return true;
  });
  if (!scanned) return failed(scanned);
  if (!trouble) return failed(trouble);
  return found;
}

}  // namespace

Task<Result<std::vector<Mailboxes::Holding>>> Service::orphans() {
  auto look = [snapshot = engine_.snapshot()] { return find_orphans(*snapshot); };
  co_return co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(look));
}

Task<Result<std::vector<Mailboxes::Holding>>> Service::holders(std::vector<BlobId> blobs) {
  std::vector<Holding> found;
  for (const BlobId& blob : blobs) {
    const std::string first = store::Key('Z').raw(blob.bytes()).take();
    auto scanned = engine_.latest().scan(first, store::behind(first), [&](Bytes key, Bytes) {
      if (const auto holding = holding_of(key)) found.push_back(*holding);
      return true;
    });
    if (!scanned) co_return failed(scanned);
  }
  co_return found;
}

Task<Result<Placed>> Service::rescue(Holding orphan, AccountId into) {
  auto content = engine_.content(orphan.blob);
  if (!content) co_return failed(content);
  if (!*content) co_return failure(Failure::Kind::corrupt, "F-2125", "The content of a lost message is gone");
  NewMessage message;
  message.octets = (*content)->text();
  std::vector<Placing> placings(1);
  placings.front().account = into;
  placings.front().path = std::string(lost_and_found);
  placings.front().create = true;
  store::Batch also;
  also.unreference(orphan.blob, keys::owner(orphan.account, orphan.item));
  auto placed = co_await file(std::move(message), std::move(placings), std::move(also));
  if (!placed) co_return failed(placed);
  scope_.event("mailbox_orphan_filed")
      .field("account", into.value)
      .field("of", orphan.account.value)
      .field("uid", placed->front().uid.value);
  co_return placed->front();
}

}  // namespace facteur::mailbox
