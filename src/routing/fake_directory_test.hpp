// A directory from a few lines, for tests: accounts, aliases, domains.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ascii.hpp"
#include "directory/directory.hpp"

namespace facteur::directory {

class FakeDirectory : public Directory {
 public:
  std::set<std::string, std::less<>> local_domains{"example.org"};
  std::map<std::string, std::uint32_t> users;  // "anne@example.org" -> account number.
  std::map<std::string, std::vector<std::string>> aliases;
  std::map<std::uint32_t, std::uint64_t> quotas;
  std::set<std::uint32_t> disabled;
  bool broken = false;

  bool is_local_domain(std::string_view domain) const override { return local_domains.contains(domain); }

  Result<Target> resolve(std::string_view local, std::string_view domain) const override {
    if (broken) return failure(Failure::Kind::temporary, "F-7099", "The directory cannot be read");
    Target target;
    if (!is_local_domain(domain)) return target;
    target.kind = Target::Kind::nobody;
    const auto plus = local.find('+');
    for (const auto part : {local, local.substr(0, plus)}) {
      const auto key = ascii::lower(part) + "@" + std::string(domain);
      if (const auto user = users.find(key); user != users.end()) {
        target.kind = Target::Kind::account;
        target.account = AccountId(user->second);
        if (part != local) target.detail = std::string(local.substr(plus + 1));
        return target;
      }
      if (const auto alias = aliases.find(key); alias != aliases.end()) {
        target.kind = Target::Kind::addresses;
        target.addresses = alias->second;
        return target;
      }
    }
    return target;
  }

  Result<std::optional<Account>> account(AccountId id) const override {
    for (const auto& [address, number] : users) {
      if (AccountId(number) == id) {
        Account found;
        found.id = id;
        found.address = address;
        found.addresses = {address};
        if (const auto quota = quotas.find(number); quota != quotas.end()) found.quota_bytes = quota->second;
        found.enabled = !disabled.contains(number);
        return found;
      }
    }
    return std::optional<Account>();
  }
  Result<std::optional<Account>> account_of_login(std::string_view login) const override {
    const auto at = users.find(std::string(login));
    return at == users.end() ? std::optional<Account>() : *account(AccountId(at->second));
  }
  Result<bool> may_send_as(AccountId, std::string_view, std::string_view) const override { return true; }
  std::vector<std::string> domains() const override { return {local_domains.begin(), local_domains.end()}; }
  Result<std::vector<Account>> accounts(std::string_view) const override { return std::vector<Account>(); }
};

}  // namespace facteur::directory
