// A mail exchanger that is not ours, and badly run: it refuses, hangs, hangs up, and loses its answers, as chance
// wants.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "sim/world.hpp"

namespace facteur::simulation {

class Stranger {
 public:
  Stranger(sim::World& world, const IpAddress& address, std::uint64_t seed);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  // How often something goes wrong at each step, in thousandths. At first 0.
  void moods(unsigned per_mille) { moods_ = per_mille; }

  // What it says to every letter instead of 250; empty: 250 again.
  void answer_letters(std::string reply) { letters_ = std::move(reply); }

  // (letter, recipient) -> how often it took responsibility, whether or not the answer arrived.
  const std::map<std::pair<std::string, std::string>, unsigned>& taken() const { return taken_; }
  std::uint64_t lost_answers() const { return lost_; }  // Letters taken whose 250 never left.
  std::uint64_t faults() const { return faults_; }

 private:
  struct Visit;
  Task<void> receive(std::unique_ptr<world::Listener> listener);
  Task<void> serve(std::unique_ptr<world::Stream> stream);
  Task<bool> obey(Visit& visit, const std::string& line);
  Task<bool> end_of_letter(Visit& visit);
  Task<bool> say(Visit& visit, std::string reply);
  Task<bool> misbehave(Visit& visit, bool may_refuse);  // False: the visit is over.

  sim::Machine machine_;
  sim::Random chance_;
  unsigned moods_ = 0;
  std::string letters_;
  std::map<std::pair<std::string, std::string>, unsigned> taken_;
  std::uint64_t lost_ = 0, faults_ = 0;
  TaskGroup tasks_;
};

}  // namespace facteur::simulation
