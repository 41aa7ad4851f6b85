// The authenticator over the directory's records.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "directory/authenticator.hpp"
#include "directory/brake.hpp"
#include "directory/guesses.hpp"
#include "directory/network_brake.hpp"
#include "directory/recent.hpp"
#include "directory/store_directory.hpp"
#include "observe/event.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::directory {

// What may be set while the server runs.
struct AuthenticatorSettings {
  Duration cache_for{};                 // How long a verified password is remembered; zero: not at all.
  std::uint64_t guesses_login = 100;    // Wrong passwords an hour for one login...
  std::uint64_t guesses_network = 200;  // ...and from one network that are looked at.
};

class StoreAuthenticator : public Authenticator, public GuessBook {
 public:
  // Hashes one password before it returns.
  StoreAuthenticator(const StoreDirectory& directory, world::Shards& shards, world::Clock& clock, world::Random& random,
                     observe::Scope scope, const AuthenticatorSettings& settings);

  void configure(const AuthenticatorSettings& settings);  // Any thread.

  Task<Result<std::optional<AccountId>>> check_password(std::string login, observe::Secret password,
                                                        IpAddress from) override;
  Task<Result<GuessCost>> may_attempt(std::string login, IpAddress from) override;
  Task<void> attempt_finished(std::string login, IpAddress from, std::optional<AccountId> account,
                              GuessCost cost) override;
  Result<ScramVerifier> scram_verifier(std::string_view login, std::string_view mechanism) override;
  Result<std::optional<SharedSecret>> shared_secret(std::string_view login) override;
  bool any_shared_secret() const override;

  // What the next process should know, and what this one should know of the process before. From any shard.
  Task<std::vector<Remembered>> remembered();
  Task<void> recall(std::vector<Remembered> all);

  Task<std::vector<Guesses>> guesses() override;
  Task<std::size_t> forget_guesses(std::string name) override;

 private:
  struct Verified {
    AccountId account;
    Instant until;
  };
  struct Attempt {
    std::string login;  // Canonical.
    IpAddress from;
    std::string source;
    observe::Secret password;
    std::optional<GuessCost> cost{};  // Taken: to be given back unless the password is wrong.
    Duration hold{};                  // Of a refusal.
  };
  // What one shard knows. Only touched there.
  struct Local {
    Brake brake;
    Recent<Verified> verified{16384};
    unsigned hashing = 0;
  };

  using Outcome = Result<std::optional<AccountId>>;
  Task<Outcome> check_here(Local& local, Attempt& attempt);
  // Whether this attempt is looked at now; waits where a good source has to be slower.
  Task<bool> admitted(Local& local, Attempt& attempt);
  bool take_guess(Local& local, Attempt& attempt);
  void went_well(Local& local, Attempt& attempt);
  void went_wrong(Local& local, Attempt& attempt, std::string_view proof);
  void uncount(Local& local, Attempt& attempt);
  Task<Outcome> verify(Local& local, Attempt& attempt, const AccountRecord* record);
  unsigned home(std::string_view login) const;
  std::string cache_key(const Attempt& attempt, const AccountRecord& record) const;
  Outcome refused(Local& local, Attempt& attempt, std::string_view why);

  const StoreDirectory& directory_;
  world::Shards& shards_;
  world::Clock& clock_;
  observe::Scope scope_;
  std::atomic<std::int64_t> cache_ns_;
  std::atomic<std::uint64_t> guesses_login_;
  NetworkBrake networks_;
  std::string key_;        // Of this process: cached credentials and made-up salts mean nothing elsewhere.
  std::string dummy_phc_;  // What unknown users are checked against.
  std::vector<std::unique_ptr<Local>> locals_;
};

}  // namespace facteur::directory
