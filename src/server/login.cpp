#include "server/login.hpp"

#include <utility>

namespace facteur::server {

std::vector<sasl::Mechanism> offered_mechanisms(const directory::Authenticator& authenticator) {
  std::vector<sasl::Mechanism> offered{sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::scram_sha_256};
  if (authenticator.any_shared_secret()) offered.push_back(sasl::Mechanism::cram_md5);
  return offered;
}

Task<std::optional<sasl::Verifier>> Login::verifier(sasl::Mechanism mechanism, std::string login) {
  expected_.reset();
  must_wait_.reset();
  auto allowed = co_await authenticator_.may_attempt(login, from_);
  if (!allowed) {
    must_wait_ = std::make_unique<Failure>(std::move(allowed.error()));
    co_return std::nullopt;
  }
  cost_ = *allowed;
  sasl::Verifier verifier;
  if (mechanism == sasl::Mechanism::cram_md5) {
    auto secret = authenticator_.shared_secret(login);
    if (!secret) {
      must_wait_ = std::make_unique<Failure>(std::move(secret.error()));
      co_return std::nullopt;
    }
    if (!*secret) co_return std::nullopt;
    expected_ = (*secret)->account;
    verifier.secret = std::move((*secret)->secret.value);
    co_return verifier;
  }
  auto found = authenticator_.scram_verifier(login, sasl::name(mechanism));
  if (!found) {
    must_wait_ = std::make_unique<Failure>(std::move(found.error()));
    co_return std::nullopt;
  }
  // RELIABILITY S15: for an unknown login the verifier is made up, and the exchange fails at its end like any other.
  expected_ = found->account;
  verifier.salt = std::move(found->salt);
  verifier.iterations = found->iterations;
  verifier.stored_key = std::move(found->stored_key);
  verifier.server_key = std::move(found->server_key);
  co_return verifier;
}

Task<Result<std::optional<store::AccountId>>> Login::check(sasl::Credentials credentials) {
  // RFC 4422 §3.4.1: nobody may act as somebody else here.
  const bool as_self = credentials.authorization.empty() || credentials.authorization == credentials.login;
  if (credentials.proof == sasl::Credentials::Proof::password) {
    observe::Secret password{std::move(credentials.password)};
    auto account = co_await authenticator_.check_password(credentials.login, std::move(password), from_);
    if (!account) co_return failed(account);
    if (!as_self) co_return std::optional<store::AccountId>();
    co_return *account;
  }
  if (const auto why = std::exchange(must_wait_, nullptr)) co_return std::unexpected(*why);
  const bool proven = credentials.proof == sasl::Credentials::Proof::proven && as_self;
  const auto account = proven ? expected_ : std::nullopt;
  co_await authenticator_.attempt_finished(credentials.login, from_, account, std::exchange(cost_, {}));
  co_return account;
}

}  // namespace facteur::server
