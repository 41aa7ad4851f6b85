#include "delivery/rounds.hpp"

#include <utility>

#include "base/assert.hpp"

namespace facteur::delivery {

namespace {
constexpr std::size_t first_connections = 5;  // A destination begins with: RELIABILITY R9.
}

void Rounds::add(std::optional<routing::NextHop> hop, const std::string& sender, Attempt attempt) {
  auto key = hop ? hop->key() : std::string(here);
  auto [at, fresh] = destinations_.try_emplace(key);
  auto& destination = at->second;
  if (fresh) {
    destination.key = std::move(key);
    destination.hop = std::move(hop);
    destination.allowed = std::min(first_connections, most_);
  }
  auto& queue = destination.by_sender[sender];
  if (queue.empty()) destination.turn.push_back(sender);
  queue.push_back(std::move(attempt));
  ++destination.waiting;
  ++waiting_;
}

Rounds::Destination* Rounds::start() {
  if (waiting_ == 0) return nullptr;
  auto at = destinations_.upper_bound(last_);
  for (std::size_t i = 0; i < destinations_.size(); ++i, ++at) {
    if (at == destinations_.end()) at = destinations_.begin();
    auto& destination = at->second;
    if (destination.waiting <= destination.called || destination.running >= destination.allowed) continue;
    ++destination.running;
    ++running_;
    last_ = at->first;
    return &destination;
  }
  return nullptr;
}

std::optional<Attempt> Rounds::take(Destination& destination) {
  if (destination.turn.empty()) return std::nullopt;
  const auto sender = std::move(destination.turn.front());
  destination.turn.pop_front();
  const auto at = destination.by_sender.find(sender);
  auto attempt = std::move(at->second.front());
  at->second.pop_front();
  if (at->second.empty())
    destination.by_sender.erase(at);
  else
    destination.turn.push_back(sender);
  --destination.waiting;
  --waiting_;
  return attempt;
}

std::vector<Attempt> Rounds::take_all(Destination& destination) {
  std::vector<Attempt> out;
  while (auto attempt = take(destination)) out.push_back(std::move(*attempt));
  return out;
}

void Rounds::stop(Destination& destination) {
  ASSERT(destination.running > 0);
  --destination.running;
  --running_;
  if (destination.running == 0 && destination.waiting == 0) destinations_.erase(destinations_.find(destination.key));
}

Rounds::Rest::Rest(Rounds& rounds, Destination& destination) : rounds_(rounds), destination_(destination) {
  rounds_.resting_.push_back(this);
}

Rounds::Rest::~Rest() {
  if (called_) --destination_.called;
  std::erase(rounds_.resting_, this);
}

void Rounds::call() {
  std::vector<Rest*> called;
  for (Rest* rest : resting_) {
    auto& destination = rest->destination_;
    if (destination.waiting <= destination.called) continue;
    ++destination.called;
    rest->called_ = true;
    called.push_back(rest);
  }
  // They leave the list before a bell rings: whoever hears it may go on at once.
  std::erase_if(resting_, [](const Rest* rest) { return rest->called_; });
  for (Rest* rest : called) rest->bell_.fire();
}

void Rounds::call_all() {
  const auto all = std::exchange(resting_, {});
  for (Rest* rest : all) rest->bell_.fire();
}

void Rounds::make_room() {
  if (waiting_ == 0 || resting_.empty()) return;
  auto* oldest = resting_.front();
  resting_.pop_front();
  oldest->bell_.fire();
}

}  // namespace facteur::delivery
