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

Duration Brake::went_wrong(const std::string& source, std::string_view proof, Instant now) {
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
  return known_good(source, now) ? std::min(delay, Duration(1s)) : std::min(delay, longest_hold);
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

}  // namespace facteur::directory
