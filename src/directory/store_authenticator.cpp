#include "directory/store_authenticator.hpp"

#include <exception>

#include "crypto/hash.hpp"
#include "crypto/password.hpp"

namespace facteur::directory {

namespace {

constexpr unsigned most_hashing = 256;  // Checks waiting for the pool, per shard: memory and time stay bounded.
constexpr std::uint32_t scram_iterations = 4096;
constexpr std::size_t longest_login = 320;      // RFC 5321 §4.5.3.1: 64 + 1 + 255.
constexpr std::size_t longest_password = 1024;  // More is not a password.

std::string random_octets(world::Random& random, std::size_t count) {
  std::string out(count, '\0');
  random.fill(Room(out.data(), out.size()));
  return out;
}

std::string canonical_login(std::string_view login) {
  const auto split = split_address(login);
  return split ? split->text() : canonical_local(login);
}

}  // namespace

StoreAuthenticator::StoreAuthenticator(const StoreDirectory& directory, world::Shards& shards, world::Clock& clock,
                                       world::Random& random, observe::Scope scope,
                                       const AuthenticatorSettings& settings)
    : directory_(directory),
      shards_(shards),
      clock_(clock),
      scope_(std::move(scope)),
      cache_ns_(settings.cache_for.count()),
      guesses_login_(settings.guesses_login),
      networks_(settings.guesses_network),
      key_(random_octets(random, 32)) {
  auto dummy = crypto::argon2id_hash(random_octets(random, 16), random_octets(random, 16), directory.settings()->cost);
  CHECK_OR_BUG(dummy.has_value());
  dummy_phc_ = std::move(*dummy);
  for (unsigned i = 0; i < shards.count(); ++i) locals_.push_back(std::make_unique<Local>());
}

void StoreAuthenticator::configure(const AuthenticatorSettings& settings) {
  cache_ns_ = settings.cache_for.count();
  guesses_login_ = settings.guesses_login;
  networks_.configure(settings.guesses_network);
}

unsigned StoreAuthenticator::home(std::string_view login) const {
  return static_cast<unsigned>(std::hash<std::string_view>{}(login) % locals_.size());
}

// The stored hash is part of it, so a changed password is not found any more.
std::string StoreAuthenticator::cache_key(const Attempt& attempt, const AccountRecord& record) const {
  std::string text = record.password_phc;
  text += '\0';
  text += attempt.password.value;
  auto digest = crypto::hmac_sha256(key_, text).string();
  crypto::wipe(text);
  return digest;
}

Task<StoreAuthenticator::Outcome> StoreAuthenticator::check_password(std::string login, observe::Secret password,
                                                                     IpAddress from) {
  if (login.size() > longest_login || password.value.size() > longest_password) co_return std::nullopt;
  Attempt attempt{canonical_login(login), from, {}, std::move(password)};
  attempt.source = Brake::source(from, attempt.login);
  const unsigned here = shards_.current();
  co_await world::hop(shards_, home(attempt.login));
  std::optional<Outcome> outcome;
  std::exception_ptr bug;
  try {
    outcome.emplace(co_await check_here(*locals_[home(attempt.login)], attempt));
  } catch (...) {
    bug = std::current_exception();
  }
  co_await world::hop(shards_, here);
  crypto::wipe(attempt.password.value);
  if (bug) std::rethrow_exception(bug);
  if (attempt.hold > Duration::zero()) co_await clock_.sleep_until(clock_.now() + attempt.hold);
  co_return std::move(*outcome);
}

Task<StoreAuthenticator::Outcome> StoreAuthenticator::check_here(Local& local, Attempt& attempt) {
  auto found = directory_.record_of_login(attempt.login);
  if (!found) co_return failed(found);
  const AccountRecord* record = *found && !(*found)->password_phc.empty() ? &**found : nullptr;

  if (record && record->account.enabled) {
    const Verified* known = local.verified.find(cache_key(attempt, *record));
    if (known && clock_.now() < known->until && known->account == record->account.id) {
      went_well(local, attempt);
      co_return known->account;
    }
  }
  const auto turn = local.brake.turn(attempt.source);
  auto held = co_await turn->take();
  const bool may = co_await admitted(local, attempt);
  if (!may) {
    co_return failure(Failure::Kind::temporary, "F-6040", "Too many wrong passwords; try again in a minute",
                      attempt.login);
  }
  auto outcome = co_await verify(local, attempt, record);
  if (!outcome) uncount(local, attempt);  // Not known whether it was wrong.
  co_return outcome;
}

Task<bool> StoreAuthenticator::admitted(Local& local, Attempt& attempt) {
  const Instant now = clock_.now();
  if (local.brake.known_good(attempt.source, now)) {
    const Instant next = local.brake.next_try(attempt.source, now);
    if (next > now) co_await clock_.sleep_until(next);
    co_return true;
  }
  co_return take_guess(local, attempt);
}

bool StoreAuthenticator::take_guess(Local& local, Attempt& attempt) {
  const Instant now = clock_.now();
  if (local.brake.known_good(attempt.source, now)) return true;
  if (!local.brake.may_try(attempt.source, now)) return false;
  local.brake.configure(guesses_login_.load());
  const auto of_login = local.brake.take(attempt.login, now);
  if (!of_login) {
    scope_.event("login_braked").level(observe::Level::warning).field("login", attempt.login);
    return false;
  }
  const auto of_network = networks_.take(attempt.from, now);
  if (!of_network) {
    local.brake.give_back(attempt.login, *of_login);
    scope_.event("network_braked")
        .level(observe::Level::warning)
        .field("network", NetworkBrake::network(attempt.from))
        .field("login", attempt.login);
    return false;
  }
  attempt.cost = {*of_login, *of_network};
  return true;
}

void StoreAuthenticator::uncount(Local& local, Attempt& attempt) {
  const auto cost = std::exchange(attempt.cost, std::nullopt);
  if (!cost) return;
  local.brake.give_back(attempt.login, cost->login);
  networks_.give_back(attempt.from, cost->network);
}

void StoreAuthenticator::went_well(Local& local, Attempt& attempt) {
  uncount(local, attempt);
  local.brake.went_well(attempt.source, clock_.now());
  networks_.went_well(attempt.from, clock_.now());
}

void StoreAuthenticator::went_wrong(Local& local, Attempt& attempt, std::string_view proof) {
  const auto wrong = local.brake.went_wrong(attempt.source, proof, clock_.now());
  attempt.hold = wrong.hold;
  if (wrong.again) uncount(local, attempt);
}

Task<StoreAuthenticator::Outcome> StoreAuthenticator::verify(Local& local, Attempt& attempt,
                                                             const AccountRecord* record) {
  if (local.hashing >= most_hashing) {
    co_return failure(Failure::Kind::temporary, "F-6041", "Too many logins at once; try again soon");
  }
  // RELIABILITY S15: whoever does not exist costs the same.
  const std::string_view phc = record ? std::string_view(record->password_phc) : std::string_view(dummy_phc_);
  auto compare = [phc, &attempt] { return crypto::argon2_verify(phc, attempt.password.value); };
  auto work = world::blocking(shards_, world::Shards::Lane::pool, std::move(compare));
  ++local.hashing;
  auto right = co_await work;
  --local.hashing;
  if (!right) co_return failed(right);
  if (!*right) co_return refused(local, attempt, record ? "wrong password" : "no such account");
  if (!record) co_return refused(local, attempt, "no such account");
  if (!record->account.enabled) co_return refused(local, attempt, "account disabled");
  const Duration cache_for{cache_ns_.load()};
  if (cache_for > Duration::zero()) {
    local.verified.put(cache_key(attempt, *record), {record->account.id, clock_.now() + cache_for});
  }
  went_well(local, attempt);
  co_return record->account.id;
}

StoreAuthenticator::Outcome StoreAuthenticator::refused(Local& local, Attempt& attempt, std::string_view why) {
  const auto proof = crypto::hmac_sha256(key_, attempt.password.value);
  went_wrong(local, attempt, proof.view());
  scope_.event("login_refused").level(observe::Level::warning).field("login", attempt.login).field("reason", why);
  return std::nullopt;
}

Task<Result<GuessCost>> StoreAuthenticator::may_attempt(std::string login, IpAddress from) {
  Attempt attempt{canonical_login(login), from, Brake::source(from, canonical_login(login)), {}};
  const unsigned here = shards_.current();
  co_await world::hop(shards_, home(attempt.login));
  const bool may = take_guess(*locals_[home(attempt.login)], attempt);
  co_await world::hop(shards_, here);
  if (!may) {
    co_return failure(Failure::Kind::temporary, "F-6042", "Too many wrong passwords; try again in a minute",
                      attempt.login);
  }
  co_return attempt.cost.value_or(GuessCost{});
}

Task<void> StoreAuthenticator::attempt_finished(std::string login, IpAddress from, std::optional<AccountId> account,
                                                GuessCost cost) {
  Attempt attempt{canonical_login(login), from, Brake::source(from, canonical_login(login)), {}};
  const unsigned here = shards_.current();
  co_await world::hop(shards_, home(attempt.login));
  Local& local = *locals_[home(attempt.login)];
  if (account) {
    attempt.cost = cost;
    went_well(local, attempt);
  } else {
    went_wrong(local, attempt, {});
    scope_.event("login_refused")
        .level(observe::Level::warning)
        .field("login", attempt.login)
        .field("reason", "wrong proof");
  }
  co_await world::hop(shards_, here);
  if (attempt.hold > Duration::zero()) co_await clock_.sleep_until(clock_.now() + attempt.hold);
}

Task<std::vector<Guesses>> StoreAuthenticator::guesses() {
  std::vector<Guesses> out;
  for (auto& one : networks_.used(clock_.now())) {
    out.push_back({Guesses::Of::network, std::move(one.key), one.guesses, one.all});
  }
  const unsigned here = shards_.current();
  for (unsigned shard = 0; shard < locals_.size(); ++shard) {
    co_await world::hop(shards_, shard);
    locals_[shard]->brake.tell(out, clock_.now());
  }
  co_await world::hop(shards_, here);
  co_return out;
}

Task<std::size_t> StoreAuthenticator::forget_guesses(std::string name) {
  std::size_t forgotten = 0;
  for (const auto& one : networks_.used(clock_.now())) forgotten += name.empty() || one.key == name ? 1 : 0;
  if (name.empty()) {
    networks_.clear();
  } else {
    networks_.clear(name);
  }
  const unsigned here = shards_.current();
  for (unsigned shard = 0; shard < locals_.size(); ++shard) {
    co_await world::hop(shards_, shard);
    forgotten += locals_[shard]->brake.forget(name, clock_.now());
  }
  co_await world::hop(shards_, here);
  co_return forgotten;
}

Result<ScramVerifier> StoreAuthenticator::scram_verifier(std::string_view login, std::string_view mechanism) {
  if (mechanism != "SCRAM-SHA-256" && mechanism != "SCRAM-SHA-256-PLUS") {
    return failure(Failure::Kind::permanent, "F-6043", "This mechanism is not known here");
  }
  // Made up, but the same at each call, so that nobody learns who exists (RELIABILITY S15); and always, so that the
  // time does not tell either.
  const std::string canonical = canonical_login(login);
  ScramVerifier made_up{std::nullopt, crypto::hmac_sha256(key_, "salt" + canonical).string().substr(0, 16),
                        scram_iterations, crypto::hmac_sha256(key_, "stored" + canonical).string(),
                        crypto::hmac_sha256(key_, "server" + canonical).string()};
  auto found = directory_.record_of_login(login);
  if (!found) return failed(found);
  if (*found && (*found)->account.enabled && !(*found)->scram_stored_key.empty()) {
    const AccountRecord& record = **found;
    return ScramVerifier{record.account.id, record.scram_salt, record.scram_iterations, record.scram_stored_key,
                         record.scram_server_key};
  }
  return made_up;
}

Result<std::optional<SharedSecret>> StoreAuthenticator::shared_secret(std::string_view login) {
  auto found = directory_.record_of_login(login);
  if (!found) return failed(found);
  if (!*found || !(*found)->account.enabled || (*found)->secret.empty()) return std::nullopt;
  return SharedSecret{(*found)->account.id, {(*found)->secret}};
}

bool StoreAuthenticator::any_shared_secret() const { return directory_.any_shared_secret().value_or(false); }

}  // namespace facteur::directory
