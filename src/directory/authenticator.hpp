// Who are you? Passwords (PLAIN, LOGIN, USER/PASS), SCRAM verifiers and opt-in shared secrets, with the brake on
// guessing (DEMAND.md row 25) in front of all of them.
//
// The brake: each wrong password from one address for one login doubles the time until the next try is looked at (from
// half a second to one minute); the same wrong password again counts once. An address that logged in well to that
// account in the last 30 days is never refused, so nobody is locked out by others or by an old phone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "observe/event.hpp"
#include "store/ids.hpp"

namespace facteur::directory {

using store::AccountId;

// RFC 5802 §3: what the server keeps instead of the password.
struct ScramVerifier {
  std::optional<AccountId>
      account;       // Absent: there is no such login; the rest is made up, the same at each call (S15).
  std::string salt;  // Octets.
  std::uint32_t iterations = 0;
  std::string stored_key;  // 32 octets for SHA-256.
  std::string server_key;
};

// For CRAM-MD5 and APOP, which need the password itself: only for accounts that opted in.
struct SharedSecret {
  AccountId account;
  observe::Secret secret;
};

// What a try has taken from the guesses of its login and of its network, in the time after which they come back.
struct GuessCost {
  Duration login{};
  Duration network{};
};

// All calls from any shard; they resume there.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // The account, or nullopt when login or password is wrong, the account is disabled, or does not exist: always after
  // the same work (RELIABILITY S15). Wrong ones come back only after the delay of the brake. Failure: temporary, when
  // this address must wait before it may try that login again, or the store cannot be read.
  virtual Task<Result<std::optional<AccountId>>> check_password(std::string login, observe::Secret password,
                                                                IpAddress from) = 0;

  // For exchanges that the caller computes (SCRAM, CRAM-MD5, APOP): before it looks at the client's proof, and with
  // the outcome and what may_attempt() gave. `account` is nullopt when it failed; attempt_finished() then returns after
  // the delay of the brake. An exchange that is broken off counts as a wrong guess.
  virtual Task<Result<GuessCost>> may_attempt(std::string login, IpAddress from) = 0;
  virtual Task<void> attempt_finished(std::string login, IpAddress from, std::optional<AccountId> account,
                                      GuessCost cost) = 0;

  // `mechanism`: "SCRAM-SHA-256" or "SCRAM-SHA-256-PLUS"; permanent failure for another.
  virtual Result<ScramVerifier> scram_verifier(std::string_view login, std::string_view mechanism) = 0;

  // nullopt: no such login, or it has not opted in.
  virtual Result<std::optional<SharedSecret>> shared_secret(std::string_view login) = 0;

  // Whether any account has opted in: CRAM-MD5 and APOP are offered only then.
  virtual bool any_shared_secret() const = 0;
};

}  // namespace facteur::directory
