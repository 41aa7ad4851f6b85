// The directory over records of the store: look-ups from any shard, changes one after the other on shard 0.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/wait.hpp"
#include "crypto/password.hpp"
#include "directory/address.hpp"
#include "directory/admin.hpp"
#include "directory/directory.hpp"
#include "directory/record.hpp"
#include "store/engine.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::directory {

// What the configuration says. Domains and addresses canonical.
struct Settings {
  std::set<std::string> domains;                 // Permanent ones.
  std::string postmaster;                        // RFC 5321 §4.5.1: reads postmaster@ of every domain of ours.
  std::map<std::string, std::string> catch_all;  // Domain -> address; goes before what a command has set.
  std::optional<char> separator = '+';           // RFC 5233.
  std::uint64_t quota_bytes = 0;                 // Of new accounts.
  crypto::Argon2Cost cost;
};

class StoreDirectory : public Directory, public Admin {
 public:
  StoreDirectory(store::Engine& engine, world::Shards& shards, world::Random& random, Settings settings);

  void configure(Settings settings);  // Any thread; in force at the next look-up.
  std::shared_ptr<const Settings> settings() const;

  // Directory
  bool is_local_domain(std::string_view domain) const override;
  Result<Target> resolve(std::string_view local, std::string_view domain) const override;
  Result<std::optional<Account>> account(AccountId id) const override;
  Result<std::optional<Account>> account_of_login(std::string_view login) const override;
  Result<bool> may_send_as(AccountId id, std::string_view local, std::string_view domain) const override;
  std::vector<std::string> domains() const override;
  Result<std::vector<Account>> accounts(std::string_view domain = {}) const override;

  // Admin
  Result<std::vector<Domain>> list_domains() const override;
  Task<Result<void>> add_domain(std::string domain) override;
  Task<Result<void>> remove_domain(std::string domain) override;
  Task<Result<void>> set_catch_all(std::string domain, std::string address) override;
  Task<Result<AccountId>> add_account(NewAccount account) override;
  Task<Result<AccountId>> remove_account(std::string address, UtcTime at) override;
  Result<std::vector<RemovedAccount>> list_removed() const override;
  Task<Result<Account>> restore_account(AccountId account) override;
  Task<Result<void>> forget_account(AccountId account) override;
  Task<Result<void>> rename_account(std::string from, std::string to, bool keep_old) override;
  Task<Result<void>> set_password(std::string address, observe::Secret password, bool shared_secret) override;
  Task<Result<void>> set_quota(std::string address, std::uint64_t bytes) override;
  Task<Result<void>> set_enabled(std::string address, bool enabled) override;
  Task<Result<void>> set_display_name(std::string address, std::string name) override;
  Task<Result<void>> add_address(std::string account, std::string address) override;
  Task<Result<void>> remove_address(std::string account, std::string address) override;
  Result<std::vector<Alias>> list_aliases(std::string_view domain = {}) const override;
  Task<Result<void>> set_alias(std::string address, std::vector<std::string> targets) override;
  Task<Result<void>> remove_alias(std::string address) override;

  // For the authenticator: the account of a login with its secrets.
  Result<std::optional<AccountRecord>> record_of_login(std::string_view login) const;
  // Whether any account keeps its password for CRAM-MD5 and APOP. Looks through the accounts once after each change.
  Result<bool> any_shared_secret() const;

 private:
  // Runs `work` on shard 0 after all changes before it; comes back.
  template <class T>
  Task<Result<T>> in_turn(Task<Result<T>> work);

  Task<Result<void>> add_domain_now(std::string domain);
  Task<Result<void>> remove_domain_now(std::string domain);
  Task<Result<void>> set_catch_all_now(std::string domain, std::string address);
  Task<Result<AccountId>> add_account_now(NewAccount account);
  Task<Result<AccountId>> remove_account_now(std::string address, UtcTime at);
  Task<Result<Account>> restore_account_now(AccountId account);
  Task<Result<void>> forget_account_now(AccountId account);
  Result<std::vector<RemovedRecord>> removed_accounts() const;
  Task<Result<void>> rename_account_now(std::string from, std::string to, bool keep_old);
  Task<Result<void>> set_password_now(std::string address, observe::Secret password, bool shared_secret);
  Task<Result<void>> change_account_now(std::string address, std::function<void(AccountRecord&)> change);
  Task<Result<void>> add_address_now(std::string account, std::string address);
  Task<Result<void>> remove_address_now(std::string account, std::string address);
  Task<Result<void>> set_alias_now(std::string address, std::vector<std::string> targets);
  Task<Result<void>> remove_alias_now(std::string address);
  Task<Result<void>> set_secrets(AccountRecord& record, observe::Secret password, bool shared_secret);

  // The value of a record, from memory if no change has begun since it was read.
  Result<std::optional<std::string>> read(const std::string& key) const;
  bool renew(std::uint64_t begun) const;
  // The domains that commands have added, read anew after each change; nullopt: ask the store.
  std::optional<bool> is_added_domain(const std::string& name) const;
  Result<std::optional<AddressRecord>> find_address(std::string_view local, std::string_view domain) const;
  Result<std::optional<AccountRecord>> find_account(AccountId id) const;
  Result<AccountRecord> need_account(std::string_view address) const;
  Result<SplitAddress> need_free_address(std::string_view address) const;
  std::string catch_all_of(const std::string& domain) const;
  Result<std::optional<AccountId>> leads_only_to(std::string address) const;

  store::Engine& engine_;
  world::Shards& shards_;
  world::Random& random_;
  Turn turn_;                               // Of shard 0.
  std::atomic<std::uint64_t> begun_ = 0;    // Changes that have begun.
  std::atomic<std::uint64_t> changes_ = 0;  // Changes that have ended. One that was broken off never does.
  struct Known {
    std::mutex mutex;
    std::uint64_t begun = 0;  // What `values` is worth: changes that had begun, all of them ended.
    std::unordered_map<std::string, std::string> values;
    std::optional<std::set<std::string>> domains;  // That commands have added; nullopt: not read.
    bool many_domains = false;                     // Too many to keep.
  };
  mutable Known known_;
  // What any_shared_secret() found: changes_ at that time * 2 + the answer; none yet.
  mutable std::atomic<std::uint64_t> any_secret_ = UINT64_MAX;
  mutable std::mutex settings_mutex_;
  std::shared_ptr<const Settings> settings_;
};

template <class T>
Task<Result<T>> StoreDirectory::in_turn(Task<Result<T>> work) {
  const unsigned from = shards_.current();
  co_await world::hop(shards_, 0);
  std::optional<Result<T>> result;
  std::exception_ptr bug;
  {
    auto held = co_await turn_.take();
    ++begun_;
    try {
      result.emplace(co_await std::move(work));
    } catch (...) {
      bug = std::current_exception();
    }
    ++changes_;
  }
  co_await world::hop(shards_, from);  // Back in any case: the caller belongs there.
  if (bug) std::rethrow_exception(bug);
  co_return std::move(*result);
}

}  // namespace facteur::directory
