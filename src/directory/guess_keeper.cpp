#include "directory/guess_keeper.hpp"

#include <utility>

#include "directory/record.hpp"

namespace facteur::directory {
namespace {

// What turns one into the other.
store::Batch difference(const std::map<std::string, std::string>& from, const std::map<std::string, std::string>& to) {
  store::Batch out;
  for (const auto& [key, value] : from) {
    if (!to.contains(key)) out.remove(key);
  }
  for (const auto& [key, value] : to) {
    const auto known = from.find(key);
    if (known == from.end() || known->second != value) out.put(key, value);
  }
  return out;
}

}  // namespace

Task<Result<void>> GuessKeeper::recall() {
  std::vector<Remembered> all;
  const std::string first = guesses_prefix();
  auto scanned = engine_.latest().scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    kept_.emplace(key, value);
    if (auto one = read_guess(key, value)) all.push_back(std::move(*one));
    return true;
  });
  if (!scanned) co_return failed(scanned);
  if (!all.empty()) scope_.event("guesses_recalled").field("records", all.size());
  co_await authenticator_.recall(std::move(all));
  co_return Result<void>{};
}

Task<Result<void>> GuessKeeper::keep() {
  auto all = co_await authenticator_.remembered();
  Records now;
  // The tables may be full: not on a shard.
  auto compare = [&] {
    for (const auto& one : all) now.emplace(guess_key(one), write(one));
    return difference(kept_, now);
  };
  auto batch = co_await world::blocking(shards_, world::Shards::Lane::pool, std::move(compare));
  if (batch.empty()) co_return Result<void>{};
  auto committed = co_await engine_.commit(std::move(batch));
  if (!committed) co_return failed(committed);
  kept_ = std::move(now);
  co_return Result<void>{};
}

Task<void> GuessKeeper::keep_and_tell() {
  auto done = co_await keep();
  if (!done && !failing_) scope_.event("guesses_not_kept").failure(done.error()).level(observe::Level::warning);
  failing_ = !done;
}

Task<void> GuessKeeper::run(Wakeup& drain) {
  while (!co_await clock_.sleep_until(clock_.now() + every, &drain)) co_await keep_and_tell();
  co_await keep_and_tell();
}

}  // namespace facteur::directory
