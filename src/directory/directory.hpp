// Who has mail here: domains, accounts, addresses, aliases, credentials, quotas. Records of account 0 in the store.
//
// An account is an immutable number; addresses are attributes of it (DEMAND.md row 45). Look-ups see the
// newest state: what `facteur account add` did is in force when it returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "observe/event.hpp"
#include "store/engine.hpp"
#include "store/ids.hpp"

namespace facteur::directory {

using store::AccountId;

struct Account {
  AccountId id;
  std::string address;  // The main one: login name and sender, canonical form (lower case, A-labels).
  std::string display_name;
  std::uint64_t quota_bytes = 0;  // 0: none.
  bool enabled = true;
  std::vector<std::string> addresses;  // All that belong to it, the main one first: what it may send as.
};

// What an address leads to. The order is fixed (DEMAND.md row 48): account, alias, subaddress (user+detail) of these,
// catch-all of the domain, nobody.
struct Target {
  enum class Kind : std::uint8_t {
    account,    // `account`; `detail` is what stood behind '+'.
    addresses,  // An alias or list: `addresses` are to be resolved in their turn (local or remote).
    nobody,     // The domain is ours, the user does not exist: 550 5.1.1.
    foreign,    // Not a domain of ours.
  };
  Kind kind = Kind::foreign;
  AccountId account;
  std::string detail;
  std::vector<std::string> addresses;
};

// The directory as others read it. Synchronous: index look-ups.
class Directory {
 public:
  virtual ~Directory() = default;

  virtual bool is_local_domain(std::string_view domain) const = 0;  // Canonical form.
  virtual Result<Target> resolve(std::string_view local, std::string_view domain) const = 0;
  virtual Result<std::optional<Account>> account(AccountId id) const = 0;
  virtual Result<std::optional<Account>> account_of_login(std::string_view login) const = 0;
  // May this account use that envelope sender (RFC 6409 §6.1)? Its addresses, aliases that lead to it alone,
  // subaddresses of these, and the whole domain if it owns the catch-all.
  virtual Result<bool> may_send_as(AccountId id, std::string_view local, std::string_view domain) const = 0;

  virtual std::vector<std::string> domains() const = 0;
  virtual Result<std::vector<Account>> accounts(std::string_view domain = {}) const = 0;  // All, or of one domain.
};

}  // namespace facteur::directory
