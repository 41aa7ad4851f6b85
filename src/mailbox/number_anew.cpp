#include "mailbox/number_anew.hpp"

#include <array>
#include <utility>
#include <vector>

#include "mailbox/account_state.hpp"
#include "mailbox/first_numbers.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/keys.hpp"
#include "mailbox/transaction.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::size_t most_operations = 2000;  // In one commit, about.

Result<std::vector<AccountId>> accounts_in(const store::Reader& reader) {
  std::vector<AccountId> out;
  auto scanned = reader.scan("A", store::behind("A"), [&](Bytes key, Bytes) {
    out.emplace_back(store::Parser(key.substr(1)).u32());
    return true;
  });
  if (!scanned) return failed(scanned);
  return out;
}

// Whether it was done: a damaged or going account is left alone.
Result<bool> add_account(const KeyValue& from, AccountId account, world::Random& random, UtcTime now,
                         store::Batch& batch) {
  auto state = AccountState::load(from, account);
  if (!state && state.error().kind == Failure::Kind::corrupt) return false;
  if (!state) return failed(state);
  if (state->record.removing) return false;
  Transaction transaction(account, *state, from, {.now = now});
  std::array<char, 16> replica{};
  random.fill(replica);
  transaction.number_anew(replica, FirstNumbers::at(now + 1s));  // Not the second in which an account may have begun.
  if (auto finished = transaction.finish(batch); !finished) return failed(finished);
  return true;
}

}  // namespace

Task<Result<std::uint64_t>> number_anew(store::Engine& engine, world::Random& random, UtcTime now) {
  const Stored from(engine.latest());
  auto accounts = accounts_in(engine.latest());
  if (!accounts) co_return failed(accounts);
  std::uint64_t count = 0;
  store::Batch batch;
  for (const AccountId account : *accounts) {
    auto added = add_account(from, account, random, now, batch);
    if (!added) co_return failed(added);
    if (*added) ++count;
    if (batch.operations.size() < most_operations && account != accounts->back()) continue;
    store::Batch part = std::exchange(batch, store::Batch());
    if (part.empty()) continue;
    auto committed = co_await engine.commit(std::move(part));
    if (!committed) co_return failed(committed);
  }
  co_return count;
}

}  // namespace facteur::mailbox
