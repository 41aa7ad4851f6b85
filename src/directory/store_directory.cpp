// Look-ups. Changes stand in store_directory_admin.cpp.
#include "directory/store_directory.hpp"

#include <algorithm>

namespace facteur::directory {

namespace {

constexpr int deepest_alias = 8;
constexpr std::size_t most_known = 4096;  // Records in memory: some hundred octets each.

// RFC 5321 §4.5.1: postmaster must be accepted at every domain; RFC 2142 §2 and §4 ask for abuse.
bool is_role(std::string_view local) { return local == "postmaster" || local == "abuse"; }

bool holds(const std::vector<std::string>& addresses, std::string_view address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

}  // namespace

StoreDirectory::StoreDirectory(store::Engine& engine, world::Shards& shards, world::Random& random, Settings settings)
    : engine_(engine),
      shards_(shards),
      random_(random),
      settings_(std::make_shared<const Settings>(std::move(settings))) {}

void StoreDirectory::configure(Settings settings) {
  auto next = std::make_shared<const Settings>(std::move(settings));
  const std::lock_guard lock(settings_mutex_);
  settings_.swap(next);
}

std::shared_ptr<const Settings> StoreDirectory::settings() const {
  const std::lock_guard lock(settings_mutex_);
  return settings_;
}

bool StoreDirectory::is_local_domain(std::string_view domain) const {
  const std::string name = canonical_domain(domain);
  if (settings()->domains.contains(name)) return true;
  if (const auto known = is_added_domain(name)) return *known;
  const auto found = engine_.latest().get(domain_key(name));
  return found && *found;
}

std::optional<bool> StoreDirectory::is_added_domain(const std::string& name) const {
  const std::uint64_t begun = begun_.load();
  {
    const std::lock_guard lock(known_.mutex);
    if (known_.begun == begun && known_.many_domains) return std::nullopt;
    if (known_.begun == begun && known_.domains) return known_.domains->contains(name);
  }
  if (changes_.load() != begun) return std::nullopt;
  std::set<std::string> names;
  const std::string prefix = domains_prefix();
  const auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes) {
    names.insert(domain_of_key(key));
    return names.size() <= most_known;
  });
  if (!scanned) return std::nullopt;
  const bool many = names.size() > most_known;
  const auto found = many ? std::nullopt : std::optional(names.contains(name));
  const std::lock_guard lock(known_.mutex);
  if (!renew(begun)) return found;
  known_.many_domains = many;
  if (!many) known_.domains = std::move(names);
  return found;
}

// With the lock held: whether what was read after `begun` changes had ended may be kept.
bool StoreDirectory::renew(std::uint64_t begun) const {
  if (begun_.load() != begun) return false;
  if (known_.begun == begun) return true;
  known_.begun = begun;
  known_.values.clear();
  known_.domains.reset();
  known_.many_domains = false;
  return true;
}

// Only what is there is kept: whoever asks for names that do not exist fills nothing.
Result<std::optional<std::string>> StoreDirectory::read(const std::string& key) const {
  const std::uint64_t begun = begun_.load();
  {
    const std::lock_guard lock(known_.mutex);
    if (known_.begun == begun) {
      if (const auto at = known_.values.find(key); at != known_.values.end()) return std::optional(at->second);
    }
  }
  const bool calm = changes_.load() == begun;
  auto value = engine_.latest().get(key);
  if (!value || !*value || !calm) return value;
  const std::lock_guard lock(known_.mutex);
  if (!renew(begun)) return value;
  if (known_.values.size() >= most_known) known_.values.clear();
  known_.values.emplace(key, **value);
  return value;
}

Result<std::optional<AddressRecord>> StoreDirectory::find_address(std::string_view local,
                                                                  std::string_view domain) const {
  auto value = read(address_key(local, domain));
  if (!value) return failed(value);
  if (!*value) return std::nullopt;
  auto record = read_address(**value);
  if (!record) return failed(record);
  return std::optional(std::move(*record));
}

Result<std::optional<AccountRecord>> StoreDirectory::find_account(AccountId id) const {
  auto value = read(account_key(id));
  if (!value) return failed(value);
  if (!*value) return std::nullopt;
  auto record = read_account(id, **value);
  if (!record) return failed(record);
  return std::optional(std::move(*record));
}

std::string StoreDirectory::catch_all_of(const std::string& domain) const {
  const auto now = settings();
  const auto configured = now->catch_all.find(domain);
  if (configured != now->catch_all.end()) return configured->second;
  const auto value = engine_.latest().get(domain_key(domain));
  if (!value || !*value) return {};
  const auto record = read_domain(**value);
  return record ? record->catch_all : std::string();
}

Result<Target> StoreDirectory::resolve(std::string_view local_part, std::string_view domain_name) const {
  const std::string local = canonical_local(local_part);
  const std::string domain = canonical_domain(domain_name);
  Target out;
  if (!is_local_domain(domain)) return out;
  const auto now = settings();

  // 1 and 2: account, alias.  3: the same without the detail behind the separator.
  std::string base = local;
  for (int step = 0; step < 2; ++step) {
    if (step == 1) {
      const auto cut = now->separator ? local.find(*now->separator) : std::string::npos;
      if (cut == std::string::npos || cut == 0) break;
      base = local.substr(0, cut);
      out.detail = std::string(local_part.substr(cut + 1));  // RFC 5233 §4: as it was written.
    }
    auto found = find_address(base, domain);
    if (!found) return failed(found);
    if (!*found) continue;
    out.kind = (*found)->account ? Target::Kind::account : Target::Kind::addresses;
    out.account = (*found)->account;
    out.addresses = (*found)->targets;
    return out;
  }
  out.detail.clear();

  // Postmaster goes before the catch-all; a postmaster that does not exist itself must not go in circles.
  const std::string whole = local + "@" + domain;
  const std::string last = is_role(local) ? now->postmaster : catch_all_of(domain);
  if (!last.empty() && last != whole) {
    out.kind = Target::Kind::addresses;
    out.addresses = {last};
    return out;
  }
  out.kind = Target::Kind::nobody;
  return out;
}

Result<std::optional<Account>> StoreDirectory::account(AccountId id) const {
  auto record = find_account(id);
  if (!record) return failed(record);
  if (!*record) return std::nullopt;
  return std::optional(std::move((*record)->account));
}

Result<std::optional<AccountRecord>> StoreDirectory::record_of_login(std::string_view login) const {
  std::vector<std::string> candidates;
  if (login.find('@') != std::string_view::npos) {
    candidates.emplace_back(login);
  } else {
    for (const auto& domain : domains()) candidates.push_back(std::string(login) + "@" + domain);
  }
  std::optional<AccountId> id;
  for (const auto& candidate : candidates) {
    const auto address = split_address(candidate);
    if (!address) continue;
    auto found = find_address(address->local, address->domain);
    if (!found) return failed(found);
    if (!*found || !(*found)->account) continue;
    if (id && *id != (*found)->account) return std::nullopt;  // A bare user name that several domains have.
    id = (*found)->account;
  }
  if (!id) return std::nullopt;
  return find_account(*id);
}

Result<std::optional<Account>> StoreDirectory::account_of_login(std::string_view login) const {
  auto record = record_of_login(login);
  if (!record) return failed(record);
  if (!*record) return std::nullopt;
  return std::optional(std::move((*record)->account));
}

// The one account that gets all mail to `address`, through aliases with one target each.
Result<std::optional<AccountId>> StoreDirectory::leads_only_to(std::string address) const {
  for (int depth = 0; depth < deepest_alias; ++depth) {
    const auto split = split_address(address);
    if (!split) return std::nullopt;
    auto target = resolve(split->local, split->domain);
    if (!target) return failed(target);
    if (target->kind == Target::Kind::account) return std::optional(target->account);
    if (target->kind != Target::Kind::addresses || target->addresses.size() != 1) return std::nullopt;
    address = target->addresses.front();
  }
  return std::nullopt;
}

// Because resolve() follows account, alias, subaddress, postmaster and catch-all in this order, whoever alone gets the
// mail of an address may also write from it, and nobody else.
Result<bool> StoreDirectory::may_send_as(AccountId id, std::string_view local, std::string_view domain) const {
  auto sender = find_account(id);
  if (!sender) return failed(sender);
  if (!*sender || !(*sender)->account.enabled) return false;
  const std::string address = canonical_local(local) + "@" + canonical_domain(domain);
  if (holds((*sender)->account.addresses, address)) return true;
  auto owner = leads_only_to(address);
  if (!owner) return failed(owner);
  return *owner == id;
}

std::vector<std::string> StoreDirectory::domains() const {
  const auto now = settings();
  std::set<std::string> names = now->domains;
  const std::string prefix = domains_prefix();
  const auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes) {
    names.insert(domain_of_key(key));
    return true;
  });
  if (!scanned) names = now->domains;
  return {names.begin(), names.end()};
}

Result<std::vector<Account>> StoreDirectory::accounts(std::string_view domain) const {
  std::vector<Account> out;
  const std::string wanted = domain.empty() ? std::string() : "@" + canonical_domain(domain);
  const std::string prefix = accounts_prefix();
  auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
    // A damaged record hides one account, never the others.
    auto record = read_account(account_of_key(key), value);
    if (record && record->account.address.ends_with(wanted)) out.push_back(std::move(record->account));
    return true;
  });
  if (!scanned) return failed(scanned);
  std::ranges::sort(out, {}, &Account::address);
  return out;
}

Result<bool> StoreDirectory::any_shared_secret() const {
  const std::uint64_t changes = changes_.load();
  const std::uint64_t known = any_secret_.load();
  if (known / 2 == changes) return known % 2 == 1;
  bool any = false;
  const std::string prefix = accounts_prefix();
  auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
    const auto record = read_account(account_of_key(key), value);
    any = record && !record->secret.empty();
    return !any;
  });
  if (!scanned) return failed(scanned);
  any_secret_.store(changes * 2 + (any ? 1 : 0));
  return any;
}

Result<std::vector<Domain>> StoreDirectory::list_domains() const {
  std::vector<Domain> out;
  const auto now = settings();
  for (const auto& name : domains()) out.push_back({name, now->domains.contains(name), catch_all_of(name)});
  return out;
}

Result<std::vector<Alias>> StoreDirectory::list_aliases(std::string_view domain) const {
  std::vector<Alias> out;
  const std::string prefix = addresses_prefix(canonical_domain(domain));
  auto scanned = engine_.latest().scan(prefix, store::behind(prefix), [&](Bytes key, Bytes value) {
    auto record = read_address(value);
    if (record && !record->account) out.push_back({address_of_key(key), std::move(record->targets)});
    return true;
  });
  if (!scanned) return failed(scanned);
  return out;
}

}  // namespace facteur::directory
