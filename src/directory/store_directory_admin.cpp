// Changes of the directory, one after the other on shard 0, each one commit.
#include <algorithm>

#include "crypto/hash.hpp"
#include "crypto/scram.hpp"
#include "directory/store_directory.hpp"

namespace facteur::directory {

namespace {

constexpr std::uint32_t scram_iterations = 4096;  // RFC 7677 §4: at least; each client pays it at each login.
constexpr std::size_t most_targets = 10000;
constexpr std::size_t most_addresses = 1000;

std::unexpected<Failure> wrong(std::string_view code, std::string text) {
  return failure(Failure::Kind::permanent, code, std::move(text));
}

std::string random_octets(world::Random& random, std::size_t count) {
  std::string out(count, '\0');
  random.fill(Room(out.data(), out.size()));
  return out;
}

}  // namespace

Task<Result<void>> StoreDirectory::add_domain(std::string domain) {
  return in_turn(add_domain_now(canonical_domain(domain)));
}

Task<Result<void>> StoreDirectory::add_domain_now(std::string domain) {
  if (!is_domain_name(domain)) co_return wrong("F-6010", "\"" + domain + "\" is not a domain name");
  if (is_local_domain(domain)) co_return wrong("F-6011", domain + " is one of our domains already");
  store::Batch batch;
  batch.put(domain_key(domain), write(DomainRecord{}));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::remove_domain(std::string domain) {
  return in_turn(remove_domain_now(canonical_domain(domain)));
}

Task<Result<void>> StoreDirectory::remove_domain_now(std::string domain) {
  if (settings()->domains.contains(domain)) {
    co_return wrong("F-6012", domain + " stands in the configuration (domains): remove it there and reload");
  }
  if (!is_local_domain(domain)) co_return wrong("F-6013", domain + " is not one of our domains");
  bool used = false;
  const std::string prefix = addresses_prefix(domain);
  auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes, Bytes) {
    used = true;
    return false;
  });
  if (!scanned) co_return failed(scanned);
  if (used) co_return wrong("F-6014", domain + " still has accounts or aliases");
  store::Batch batch;
  batch.remove(domain_key(domain));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::set_catch_all(std::string domain, std::string address) {
  return in_turn(set_catch_all_now(canonical_domain(domain), std::move(address)));
}

Task<Result<void>> StoreDirectory::set_catch_all_now(std::string domain, std::string address) {
  if (settings()->domains.contains(domain)) {
    co_return wrong("F-6015",
                    domain + " stands in the configuration: set its catch-all there ([[directory.catch_all]])");
  }
  if (!is_local_domain(domain)) co_return wrong("F-6016", domain + " is not one of our domains");
  const auto split = split_address(address);
  if (!address.empty() && !split) co_return wrong("F-6017", "\"" + address + "\" is not a mail address");
  store::Batch batch;
  batch.put(domain_key(domain), write(DomainRecord{split ? split->text() : std::string()}));
  co_return co_await engine_.commit(std::move(batch));
}

Result<SplitAddress> StoreDirectory::need_free_address(std::string_view address) const {
  auto split = split_address(address);
  if (!split) return wrong("F-6018", "\"" + std::string(address) + "\" is not a mail address");
  if (!is_local_domain(split->domain)) {
    return wrong("F-6019",
                 split->domain + " is not one of our domains; add it first: facteur domain add " + split->domain);
  }
  auto found = find_address(split->local, split->domain);
  if (!found) return failed(found);
  if (*found) return wrong("F-6020", split->text() + " exists already");
  return std::move(*split);
}

Result<AccountRecord> StoreDirectory::need_account(std::string_view address) const {
  auto record = record_of_login(address);
  if (!record) return failed(record);
  if (!*record) return wrong("F-6021", "There is no account " + std::string(address));
  return std::move(**record);
}

Task<Result<void>> StoreDirectory::set_secrets(AccountRecord& record, observe::Secret password, bool shared_secret) {
  record.password_phc.clear();
  record.scram_stored_key.clear();
  record.scram_server_key.clear();
  record.secret.clear();
  if (password.value.empty()) co_return Result<void>();
  record.scram_salt = random_octets(random_, 16);
  record.scram_iterations = scram_iterations;
  const std::string salt = random_octets(random_, 16);
  const auto cost = settings()->cost;
  auto hash = [&] {
    const auto keys =
        crypto::scram_keys(crypto::ScramHash::sha256, password.value, record.scram_salt, record.scram_iterations);
    record.scram_stored_key = keys.stored_key;
    record.scram_server_key = keys.server_key;
    return crypto::argon2id_hash(password.value, salt, cost);
  };
  auto work = world::blocking(shards_, world::Shards::Lane::pool, std::move(hash));
  auto phc = co_await work;
  if (!phc) co_return failed(phc);
  record.password_phc = std::move(*phc);
  if (shared_secret) record.secret = password.value;
  crypto::wipe(password.value);
  co_return Result<void>();
}

Task<Result<AccountId>> StoreDirectory::add_account(NewAccount account) {
  return in_turn(add_account_now(std::move(account)));
}

Task<Result<AccountId>> StoreDirectory::add_account_now(NewAccount account) {
  auto address = need_free_address(account.address);
  if (!address) co_return failed(address);
  if (auto removed = removed_accounts(); !account.fresh) {
    if (!removed) co_return failed(removed);
    for (const auto& record : *removed) {
      if (std::ranges::find(record.account.account.addresses, address->text()) ==
          record.account.account.addresses.end())
        continue;
      co_return wrong(account_was_removed, address->text() +
                                               " belonged to an account that was removed and still has its mail: "
                                               "--reattach restores that account, --fresh begins an empty one");
    }
  }
  auto next = engine_.latest().get(next_id_key());
  if (!next) co_return failed(next);
  std::uint32_t id = 1;
  if (*next) {
    store::Parser parser(**next);
    id = parser.u32();
    if (!parser.done() || id == 0)
      co_return failure(Failure::Kind::corrupt, "F-6022", "The number of the next account is damaged");
  }
  AccountRecord record;
  record.account = {
      AccountId{id}, address->text(),  account.display_name, account.quota_bytes.value_or(settings()->quota_bytes),
      true,          {address->text()}};
  auto secrets = co_await set_secrets(record, std::move(account.password), account.shared_secret);
  if (!secrets) co_return failed(secrets);
  if (account.first) {
    auto made = co_await account.first(AccountId{id});
    if (!made) co_return failed(made);
  }
  store::Batch batch;
  batch.put(next_id_key(), store::Key().u32(id + 1));
  batch.put(account_key(AccountId{id}), write(record));
  batch.put(address_key(address->local, address->domain), write(AddressRecord{AccountId{id}, {}}));
  auto committed = co_await engine_.commit(std::move(batch));
  if (!committed) co_return failed(committed);
  co_return AccountId{id};
}

Task<Result<void>> StoreDirectory::rename_account(std::string from, std::string to, bool keep_old) {
  return in_turn(rename_account_now(std::move(from), std::move(to), keep_old));
}

Task<Result<void>> StoreDirectory::rename_account_now(std::string from, std::string to, bool keep_old) {
  auto record = need_account(from);
  if (!record) co_return failed(record);
  auto next = split_address(to);
  auto& account = record->account;
  const bool own = next && std::ranges::find(account.addresses, next->text()) != account.addresses.end();
  if (!own) {
    auto free = need_free_address(to);
    if (!free) co_return failed(free);
  }
  const auto old = split_address(account.address);
  std::erase(account.addresses, next->text());
  store::Batch batch;
  if (!keep_old) {
    std::erase(account.addresses, account.address);
    if (old) batch.remove(address_key(old->local, old->domain));
  }
  account.addresses.insert(account.addresses.begin(), next->text());
  account.address = next->text();
  batch.put(address_key(next->local, next->domain), write(AddressRecord{account.id, {}}));
  batch.put(account_key(account.id), write(*record));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::set_password(std::string address, observe::Secret password, bool shared_secret) {
  return in_turn(set_password_now(std::move(address), std::move(password), shared_secret));
}

Task<Result<void>> StoreDirectory::set_password_now(std::string address, observe::Secret password, bool shared_secret) {
  auto record = need_account(address);
  if (!record) co_return failed(record);
  auto secrets = co_await set_secrets(*record, std::move(password), shared_secret);
  if (!secrets) co_return failed(secrets);
  store::Batch batch;
  batch.put(account_key(record->account.id), write(*record));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::change_account_now(std::string address, std::function<void(AccountRecord&)> change) {
  auto record = need_account(address);
  if (!record) co_return failed(record);
  change(*record);
  store::Batch batch;
  batch.put(account_key(record->account.id), write(*record));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::set_quota(std::string address, std::uint64_t bytes) {
  auto change = [bytes](AccountRecord& record) { record.account.quota_bytes = bytes; };
  return in_turn(change_account_now(std::move(address), change));
}

Task<Result<void>> StoreDirectory::set_enabled(std::string address, bool enabled) {
  auto change = [enabled](AccountRecord& record) { record.account.enabled = enabled; };
  return in_turn(change_account_now(std::move(address), change));
}

Task<Result<void>> StoreDirectory::set_display_name(std::string address, std::string name) {
  auto change = [name = std::move(name)](AccountRecord& record) { record.account.display_name = name; };
  return in_turn(change_account_now(std::move(address), std::move(change)));
}

Task<Result<void>> StoreDirectory::add_address(std::string account, std::string address) {
  return in_turn(add_address_now(std::move(account), std::move(address)));
}

Task<Result<void>> StoreDirectory::add_address_now(std::string account, std::string address) {
  auto record = need_account(account);
  if (!record) co_return failed(record);
  auto free = need_free_address(address);
  if (!free) co_return failed(free);
  if (record->account.addresses.size() >= most_addresses)
    co_return wrong("F-6023", "This account has too many addresses");
  record->account.addresses.push_back(free->text());
  store::Batch batch;
  batch.put(address_key(free->local, free->domain), write(AddressRecord{record->account.id, {}}));
  batch.put(account_key(record->account.id), write(*record));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::remove_address(std::string account, std::string address) {
  return in_turn(remove_address_now(std::move(account), std::move(address)));
}

Task<Result<void>> StoreDirectory::remove_address_now(std::string account, std::string address) {
  auto record = need_account(account);
  if (!record) co_return failed(record);
  const auto split = split_address(address);
  auto& addresses = record->account.addresses;
  if (!split || std::ranges::find(addresses, split->text()) == addresses.end()) {
    co_return wrong("F-6024", address + " is not an address of " + record->account.address);
  }
  if (split->text() == record->account.address) {
    co_return wrong("F-6025", address + " is the main address: rename the account instead");
  }
  std::erase(addresses, split->text());
  store::Batch batch;
  batch.remove(address_key(split->local, split->domain));
  batch.put(account_key(record->account.id), write(*record));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::set_alias(std::string address, std::vector<std::string> targets) {
  return in_turn(set_alias_now(std::move(address), std::move(targets)));
}

Task<Result<void>> StoreDirectory::set_alias_now(std::string address, std::vector<std::string> targets) {
  const auto split = split_address(address);
  if (!split) co_return wrong("F-6026", "\"" + address + "\" is not a mail address");
  if (!is_local_domain(split->domain)) co_return wrong("F-6027", split->domain + " is not one of our domains");
  auto found = find_address(split->local, split->domain);
  if (!found) co_return failed(found);
  if (*found && (*found)->account) co_return wrong("F-6028", split->text() + " is an address of an account");
  if (targets.empty() || targets.size() > most_targets)
    co_return wrong("F-6029", "An alias needs 1 to 10000 addresses");
  AddressRecord record;
  for (const auto& target : targets) {
    const auto to = split_address(target);
    if (!to) co_return wrong("F-6030", "\"" + target + "\" is not a mail address");
    if (to->text() == split->text()) co_return wrong("F-6031", split->text() + " cannot lead to itself");
    // The local part of a foreign address keeps its case (RFC 5321 §2.4).
    record.targets.push_back(target.substr(0, target.rfind('@')) + "@" + to->domain);
  }
  store::Batch batch;
  batch.put(address_key(split->local, split->domain), write(record));
  co_return co_await engine_.commit(std::move(batch));
}

Task<Result<void>> StoreDirectory::remove_alias(std::string address) {
  return in_turn(remove_alias_now(std::move(address)));
}

Task<Result<void>> StoreDirectory::remove_alias_now(std::string address) {
  const auto split = split_address(address);
  if (!split) co_return wrong("F-6032", "\"" + address + "\" is not a mail address");
  auto found = find_address(split->local, split->domain);
  if (!found) co_return failed(found);
  if (!*found || (*found)->account) co_return wrong("F-6033", "There is no alias " + split->text());
  store::Batch batch;
  batch.remove(address_key(split->local, split->domain));
  co_return co_await engine_.commit(std::move(batch));
}

}  // namespace facteur::directory
