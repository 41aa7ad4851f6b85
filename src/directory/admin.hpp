// Changing who has mail here: what `facteur domain|account|alias` do, effective at once in the running server.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "directory/directory.hpp"
#include "observe/event.hpp"

namespace facteur::directory {

struct Domain {
  std::string name;
  bool configured = false;  // Named in the configuration: permanent (DECISIONS.md 28).
  std::string catch_all;    // Address, or empty.
};
struct Alias {
  std::string address;
  std::vector<std::string> targets;
};
struct NewAccount {
  std::string address;
  observe::Secret password;  // Empty: nobody can log in until one is set.
  std::string display_name;
  std::optional<std::uint64_t> quota_bytes;  // Absent: what the configuration says for new accounts.
  bool shared_secret = false;                // Keep the password itself too, for CRAM-MD5 and APOP.
  // What must be there before anybody can see the account (its mailboxes), made with its id. If the server ends between
  // the two, nobody knows the account, and the id goes to the next one: it must stand being called again.
  std::function<Task<Result<void>>(AccountId id)> first{};
  bool fresh = false;  // Though a removed account with this address could be restored.
};
// An account that was removed, and waits for its end or to be restored.
struct RemovedAccount {
  Account account;
  UtcTime at;
};

// add_account: a removed account had this address, and nobody said what to make of it.
inline constexpr std::string_view account_was_removed = "F-6034";

// Addresses and domains may come in any case and as U-labels; they are made canonical here. All changes are durable and
// in force when the task ends; failures are permanent with a text for the operator. From any shard.
class Admin {
 public:
  virtual ~Admin() = default;

  virtual Result<std::vector<Domain>> list_domains() const = 0;
  virtual Task<Result<void>> add_domain(std::string domain) = 0;
  virtual Task<Result<void>> remove_domain(std::string domain) = 0;  // Refused while it has accounts or aliases.
  virtual Task<Result<void>> set_catch_all(std::string domain, std::string address) = 0;  // Empty: none.

  // The id is new for ever. The domain of the address must be ours. Mailboxes are made by the caller.
  virtual Task<Result<AccountId>> add_account(NewAccount account) = 0;
  // Its addresses are free again; it can be restored until forget_account(). `at`: now.
  virtual Task<Result<AccountId>> remove_account(std::string address, UtcTime at) = 0;
  virtual Result<std::vector<RemovedAccount>> list_removed() const = 0;  // The newest first.
  // With its password, quota and name, and those of its addresses that are still free; its main address must be.
  virtual Task<Result<Account>> restore_account(AccountId account) = 0;
  virtual Task<Result<void>> forget_account(AccountId account) = 0;  // A removed one, when its mail is gone.
  // Its main address becomes `to`; the id, the mail and the password stay. The old address stays too if asked.
  virtual Task<Result<void>> rename_account(std::string from, std::string to, bool keep_old) = 0;
  virtual Task<Result<void>> set_password(std::string address, observe::Secret password, bool shared_secret) = 0;
  virtual Task<Result<void>> set_quota(std::string address, std::uint64_t bytes) = 0;
  virtual Task<Result<void>> set_enabled(std::string address, bool enabled) = 0;
  virtual Task<Result<void>> set_display_name(std::string address, std::string name) = 0;
  virtual Task<Result<void>> add_address(std::string account, std::string address) = 0;
  virtual Task<Result<void>> remove_address(std::string account, std::string address) = 0;

  virtual Result<std::vector<Alias>> list_aliases(std::string_view domain = {}) const = 0;
  virtual Task<Result<void>> set_alias(std::string address, std::vector<std::string> targets) = 0;  // Adds or replaces.
  virtual Task<Result<void>> remove_alias(std::string address) = 0;
};

}  // namespace facteur::directory
