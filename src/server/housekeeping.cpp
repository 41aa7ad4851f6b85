#include "server/housekeeping.hpp"

#include <algorithm>

#include "store/key.hpp"

namespace facteur::server {

namespace {

constexpr char round_key[] = "Hround";  // In account 0.
constexpr std::uint8_t layout = 1;
constexpr Duration least_pause = 100ms;  // When a round is late: never more than ten accounts a second.
constexpr Duration after_start = 1min;   // Starting is busy enough.

}  // namespace

Housekeeping::Housekeeping(Doors doors, const config::Keeping& settings)
    : doors_(std::move(doors)), settings_(settings), started_(doors_.clock.now()), started_utc_(doors_.clock.utc()) {}

UtcTime Housekeeping::now() const {
  const UtcTime counted = started_utc_ + (doors_.clock.now() - started_);
  return std::min(counted, doors_.clock.utc());
}

Housekeeping::Round Housekeeping::stored_round() {
  Round round{now()};
  const auto value = doors_.engine.latest().get(round_key);
  if (!value || !*value) return round;
  store::Parser parser(**value);
  const bool known = parser.u8() == layout;
  const UtcTime began{static_cast<std::int64_t>(parser.u64())};
  const std::uint32_t last = parser.u32();
  if (!known || !parser.done() || began > now()) return round;  // Damaged, or the calendar went back: anew.
  return {began, last};
}

Task<void> Housekeeping::store(Round round) {
  store::Batch batch;
  batch.put(round_key,
            store::Key().u8(layout).u64(static_cast<std::uint64_t>(round.began.milliseconds)).u32(round.last));
  static_cast<void>(co_await doors_.engine.commit(std::move(batch)));  // Lost, a restart looks after some again.
}

// The account behind `behind`, removed or not.
Result<std::optional<Housekeeping::Next>> Housekeeping::next(std::uint32_t behind) const {
  auto accounts = doors_.directory.accounts();
  if (!accounts) return failed(accounts);
  auto removed = doors_.admin.list_removed();
  if (!removed) return failed(removed);
  std::optional<Next> found;
  std::size_t left = 0;
  const auto consider = [&](mailbox::AccountId id, std::optional<UtcTime> at) {
    if (id.value <= behind) return;
    ++left;
    if (!found || id < found->account) found = Next{id, at};
  };
  for (const auto& account : *accounts) consider(account.id, std::nullopt);
  for (const auto& account : *removed) consider(account.account.id, account.at);
  if (found) found->left = left;
  return found;
}

Duration Housekeeping::pause(const Round& round, std::size_t left) const {
  const Duration rest = settings_.round - (now() - round.began);
  return std::clamp<Duration>(rest / static_cast<std::int64_t>(std::max<std::size_t>(1, left)), least_pause,
                              settings_.round);
}

Task<Result<void>> Housekeeping::end_account(mailbox::AccountId account) {
  auto ended = co_await doors_.mailboxes.remove_account(account);
  if (!ended) co_return ended;
  co_return co_await doors_.admin.forget_account(account);
}

Task<void> Housekeeping::look_after(Next next) {
  ++accounts_;
  if (next.removed) {
    if (*next.removed + settings_.deleted > now()) co_return;
    auto ended = co_await end_account(next.account);
    auto event = doors_.scope.event("removed_account_ended");
    event.field("account", next.account.value);
    if (!ended) event.failure(ended.error());
    if (!ended) ++failures_;
    co_return;
  }
  auto kept =
      co_await doors_.mailboxes.housekeep(next.account, now() + -settings_.deleted, now() + -settings_.tombstones);
  if (!kept && kept.error().code == mailbox::no_such_account) co_return;  // Removed meanwhile.
  auto event = doors_.scope.event("housekeeping_account_finished");
  event.level(observe::Level::debug).field("account", next.account.value);
  if (kept) {
    event.field("messages_ended", kept->ended).field("tombstones_forgotten", kept->forgotten);
  } else {
    event.failure(kept.error());
    ++failures_;
  }
}

Task<void> Housekeeping::finish(Round& round) {
  ++rounds_;
  doors_.scope.event("housekeeping_round_finished")
      .field("accounts", accounts_.load())
      .field("failures", failures_.load())
      .field("seconds", (now() - round.began) / 1s);
  round = {now(), 0};
  co_await store(round);
}

Task<void> Housekeeping::run(Wakeup& drain) {
  Round round = stored_round();
  Duration wait = std::min(after_start, settings_.round);
  for (;;) {
    if (co_await doors_.clock.sleep_until(doors_.clock.now() + wait, &drain)) co_return;
    auto found = next(round.last);
    if (!found) {
      ++failures_;
      wait = settings_.round;
      continue;
    }
    if (!*found) {  // All have been looked after; the rest of the round is idle.
      if (now() - round.began >= settings_.round) {
        co_await finish(round);
        found = next(0);
      }
      wait = pause(round, found && *found ? (*found)->left : 1);
      continue;
    }
    co_await look_after(**found);
    round.last = (*found)->account.value;
    co_await store(round);
    wait = pause(round, (*found)->left - 1);
  }
}

}  // namespace facteur::server
