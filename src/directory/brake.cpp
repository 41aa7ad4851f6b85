#include "directory/brake.hpp"

#include <algorithm>

namespace facteur::directory {

std::string Brake::source(const IpAddress& from, std::string_view login) {
  const std::size_t octets = from.v6 ? 8 : 4;
  std::string key(1, from.v6 ? '6' : '4');
  key.append(reinterpret_cast<const char*>(from.octets.data()), octets);
  return key.append(login);
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

Brake::Wrong Brake::went_wrong(const std::string& source, std::string_view proof, Instant now) {
  State* state = sources_.find(source);
  if (!state) state = &sources_.put(source, State{});
  if (now - state->last >= forgotten_after) state->wrong = 0;
  const bool same = !proof.empty() && state->wrong > 0 && proof == state->last_proof;
  if (!same) ++state->wrong;
  state->last = now;
  state->last_proof = proof;
  const unsigned doublings = std::min(state->wrong - 1, 7U);
  const Duration delay = std::min(first_delay * (1 << doublings), longest_delay);
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
