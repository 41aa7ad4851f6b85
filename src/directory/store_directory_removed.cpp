// Accounts that were removed: kept for a time, restored or forgotten.
#include <algorithm>

#include "directory/store_directory.hpp"

namespace facteur::directory {

Task<Result<AccountId>> StoreDirectory::remove_account(std::string address, UtcTime at) {
  return in_turn(remove_account_now(std::move(address), at));
}

Task<Result<AccountId>> StoreDirectory::remove_account_now(std::string address, UtcTime at) {
  auto record = need_account(address);
  if (!record) co_return failed(record);
  const AccountId id = record->account.id;
  store::Batch batch;
  batch.remove(account_key(id));
  for (const auto& own : record->account.addresses) {
    if (const auto split = split_address(own)) batch.remove(address_key(split->local, split->domain));
  }
  batch.put(removed_key(id), write(RemovedRecord{std::move(*record), at}));
  auto committed = co_await engine_.commit(std::move(batch));
  if (!committed) co_return failed(committed);
  co_return id;
}

Result<std::vector<RemovedRecord>> StoreDirectory::removed_accounts() const {
  std::vector<RemovedRecord> out;
  const std::string prefix = removed_prefix();
  auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
    auto record = read_removed(account_of_key(key), value);  // A damaged one hides no other.
    if (record) out.push_back(std::move(*record));
    return true;
  });
  if (!scanned) return failed(scanned);
  std::ranges::sort(out, std::greater<>(),
                    [](const RemovedRecord& r) { return std::pair(r.at, r.account.account.id); });
  return out;
}

Result<std::vector<RemovedAccount>> StoreDirectory::list_removed() const {
  auto records = removed_accounts();
  if (!records) return failed(records);
  std::vector<RemovedAccount> out;
  for (auto& record : *records) out.push_back({std::move(record.account.account), record.at});
  return out;
}

Task<Result<Account>> StoreDirectory::restore_account(AccountId account) {
  return in_turn(restore_account_now(account));
}

Task<Result<Account>> StoreDirectory::restore_account_now(AccountId id) {
  auto value = engine_.latest().get(removed_key(id));
  if (!value) co_return failed(value);
  if (!*value) co_return failure(Failure::Kind::permanent, "F-6035", "There is no such removed account");
  auto removed = read_removed(id, **value);
  if (!removed) co_return failed(removed);
  AccountRecord& record = removed->account;
  auto main = need_free_address(record.account.address);
  if (!main) co_return failed(main);
  store::Batch batch;
  std::erase_if(record.account.addresses, [&](const std::string& address) {
    const auto free = need_free_address(address);  // Others have been given to somebody else meanwhile.
    if (free) batch.put(address_key(free->local, free->domain), write(AddressRecord{id, {}}));
    return !free;
  });
  batch.remove(removed_key(id));
  batch.put(account_key(id), write(record));
  auto committed = co_await engine_.commit(std::move(batch));
  if (!committed) co_return failed(committed);
  co_return std::move(record.account);
}

Task<Result<void>> StoreDirectory::forget_account(AccountId account) { return in_turn(forget_account_now(account)); }

Task<Result<void>> StoreDirectory::forget_account_now(AccountId account) {
  store::Batch batch;
  batch.remove(removed_key(account));
  co_return co_await engine_.commit(std::move(batch));
}

}  // namespace facteur::directory
