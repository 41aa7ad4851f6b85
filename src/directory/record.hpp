// The directory's records in account 0 of the store: subspace 'D', each value begins with the number of its layout.
//
//   'D' 'a' id             account
//   'D' 'l' domain 0 local address: belongs to an account, or is an alias
//   'D' 'd' domain         domain that was added by command
//   'D' 'n'                the next account id: ids are never reused
//   'D' 'x' id             account that was removed, and when
//   'D' 'g' what key       guessed passwords, and who never guesses (remembered.hpp)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "directory/directory.hpp"
#include "directory/remembered.hpp"
#include "store/key.hpp"

namespace facteur::directory {

// An account with what proves it. Never leaves this folder.
struct AccountRecord {
  Account account;  // The id stands in the key.
  std::string password_phc;
  std::string scram_salt;
  std::uint32_t scram_iterations = 0;
  std::string scram_stored_key;
  std::string scram_server_key;
  std::string secret;  // The password itself, if the account opted in.
};

struct AddressRecord {
  AccountId account;                 // 0: an alias.
  std::vector<std::string> targets;  // Of the alias.
};

struct DomainRecord {
  std::string catch_all;
};

struct RemovedRecord {
  AccountRecord account;
  UtcTime at;
};

std::string account_key(AccountId id);
std::string removed_key(AccountId id);
std::string removed_prefix();
std::string accounts_prefix();
std::string address_key(std::string_view local, std::string_view domain);
std::string addresses_prefix(std::string_view domain = {});  // Of all domains without one.
std::string domain_key(std::string_view domain);
std::string domains_prefix();
std::string next_id_key();
std::string guess_key(const Remembered& one);
std::string guesses_prefix();

AccountId account_of_key(Bytes key);
std::string address_of_key(Bytes key);  // "local@domain"
std::string domain_of_key(Bytes key);

std::string write(const AccountRecord& record);
std::string write(const AddressRecord& record);
std::string write(const DomainRecord& record);
std::string write(const RemovedRecord& record);

// Failures: corrupt.
Result<AccountRecord> read_account(AccountId id, Bytes value);
Result<AddressRecord> read_address(Bytes value);
Result<DomainRecord> read_domain(Bytes value);
Result<RemovedRecord> read_removed(AccountId id, Bytes value);

std::string write(const Remembered& one);
Result<Remembered> read_guess(Bytes key, Bytes value);

}  // namespace facteur::directory
