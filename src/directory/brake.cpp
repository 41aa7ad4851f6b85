#include "directory/brake.hpp"

#include <algorithm>

namespace facteur::directory {

std::string Brake::source(const IpAddress& from, std::string_view login) {
  const std::size_t octets = from.v6 ? 8 : 4;
  std::string key(1, from.v6 ? '6' : '4');
  key.append(reinterpret_cast<const char*>(from.octets.data()), octets);
  return key.append(login);
}

std::string_view Brake::login_of(std::string_view source) {
  return source.substr(std::min<std::size_t>(source.size(), source.starts_with('6') ? 9 : 5));
}

bool Brake::known_good(const std::string& source, Instant now) {
  const Instant* last = good_.find(source);
  return last && now - *last < known_good_for;
}

bool Brake::may_try(const std::string& source, Instant now) {
  const State* state = sources_.find(source);
  if (!state || now >= state->not_before || now - state->last >= forgotten_after) return true;
  return known_good(source, now);
}

Instant Brake::next_try(const std::string& source, Instant now) {
  const State* state = sources_.find(source);
  return state ? std::min(state->not_before, now + longest_good_hold) : now;
}

Duration Brake::delay_of(unsigned wrong) {
  return std::min(first_delay * (1 << std::min(wrong - 1, 7U)), longest_delay);
}

Brake::Wrong Brake::went_wrong(const std::string& source, std::string_view proof, Instant now) {
  State* state = sources_.find(source);
  if (!state) state = &sources_.put(source, State{});
  if (now - state->last >= forgotten_after) state->wrong = 0;
  const bool same = !proof.empty() && state->wrong > 0 && proof == state->last_proof;
  if (!same) ++state->wrong;
  state->last = now;
  state->last_proof = proof;
  const Duration delay = delay_of(state->wrong);
  state->not_before = now + delay;
  return {std::min(delay, known_good(source, now) ? longest_good_hold : longest_hold), same};
}

void Brake::went_well(const std::string& source, Instant now) {
  // The state may hold the turn others wait for: forget the count only.
  if (State* state = sources_.find(source)) {
    state->wrong = 0;
    state->not_before = now;
    state->last_proof.clear();
  }
  good_.put(source, now);
}

void Brake::remember(std::vector<Remembered>& into, const BothClocks& clocks) const {
  sources_.each([&](const std::string& source, const State& state) {
    if (state.wrong == 0 || clocks.now - state.last >= forgotten_after) return;
    into.push_back({Remembered::What::wrong, source, clocks.second_of(state.last), state.wrong});
  });
  good_.each([&](const std::string& source, const Instant& last) {
    if (clocks.now - last < known_good_for) into.push_back({Remembered::What::good, source, clocks.noon_of(last)});
  });
  logins_.each(clocks.now, [&](const std::string& login, Instant empty_at) {
    into.push_back({Remembered::What::login, login, clocks.second_of(empty_at)});
  });
}

void Brake::recall(const Remembered& one, const BothClocks& clocks) {
  if (one.what == Remembered::What::good) good_.put(one.key, clocks.instant_of(one.at, 12h));
  if (one.what == Remembered::What::login) logins_.recall(one.key, clocks.instant_of(one.at, 1h));
  if (one.what != Remembered::What::wrong || one.wrong == 0) return;
  State state;
  state.wrong = one.wrong;
  state.last = clocks.instant_of(one.at, 0s);
  state.not_before = state.last + delay_of(state.wrong);
  sources_.put(one.key, std::move(state));
}

std::shared_ptr<Turn> Brake::turn(const std::string& source) {
  State* state = sources_.find(source);
  if (!state) state = &sources_.put(source, State{});
  auto turn = state->turn.lock();
  if (!turn) {
    turn = std::make_shared<Turn>();
    state->turn = turn;
  }
  return turn;
}

namespace {

// "192.0.2.7 anne@example.org" of the key that source() makes.
std::string readable(const std::string& source) {
  IpAddress from;
  from.v6 = source.front() == '6';
  const std::size_t octets = from.v6 ? 8 : 4;
  std::copy_n(source.begin() + 1, octets, from.octets.begin());
  return to_string(from) + (from.v6 ? "/64 " : " ") + source.substr(1 + octets);
}

}  // namespace

void Brake::tell(std::vector<Guesses>& into, Instant now) const {
  for (auto& one : logins_.used(now)) {
    into.push_back({Guesses::Of::login, std::move(one.key), one.guesses, one.all});
  }
  sources_.each([&](const std::string& source, const State& state) {
    if (state.wrong == 0 || now - state.last >= forgotten_after) return;
    into.push_back({Guesses::Of::source, readable(source), state.wrong, now < state.not_before});
  });
}

std::size_t Brake::forget(const std::string& name, Instant now) {
  std::vector<Guesses> all;
  tell(all, now);
  std::size_t forgotten = 0;
  for (const auto& one : all) forgotten += name.empty() || one.name == name ? 1 : 0;
  if (name.empty()) {
    logins_.clear();
  } else {
    logins_.clear(name);
  }
  // The state may hold the turn others wait for: forget the count only.
  sources_.each([&](const std::string& source, State& state) {
    if (!name.empty() && readable(source) != name) return;
    state.wrong = 0;
    state.not_before = now;
    state.last_proof.clear();
  });
  return forgotten;
}

}  // namespace facteur::directory
