// One simulated run: two servers, people who write letters, bad weather, crashes; and what must be true at the end.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "customers.hpp"
#include "readers.hpp"
#include "site.hpp"

namespace facteur::simulation {

struct Outcome {
  std::vector<std::string> violations;  // Empty: all is well.
  std::uint64_t hash = 0;
  std::size_t letters = 0;
  std::size_t promised = 0;  // Recipients of letters taken with 250.
  std::size_t copies = 0;
  std::size_t doubles = 0;
  std::size_t sessions = 0;  // Of readers.
  std::size_t ends = 0;      // Crashes, kills and stops.
  Duration lasted{};
  std::string log;  // Of a run with violations, or if asked.
};

class Town {
 public:
  explicit Town(std::uint64_t seed);
  Outcome run(bool keep_log);

 private:
  void build();
  void write_letters();
  void plan_ends();
  void step_until(const std::function<bool()>& done, Duration limit);
  void end_site(std::size_t number, Site::End how);
  void calm_down();
  bool at_rest();
  void look(std::size_t number);  // Compares the INBOXes with what was seen before.
  void check();
  void violation(std::string text) { outcome_.violations.push_back(std::move(text)); }

  Task<void> customer(unsigned number, unsigned letters);
  Task<void> reader(Reading& reading, unsigned sessions);
  void check_readings();
  Errand next_errand(unsigned number);

  sim::World world_;
  sim::Random chance_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::unique_ptr<sim::Machine> post_;  // Where the customers live.
  Trust trust_;
  std::deque<Posted> ledger_;
  std::deque<Reading> readings_;
  struct PlannedEnd {
    Instant when;
    std::size_t site;
    Site::End how;
  };
  std::vector<PlannedEnd> ends_;
  bool storm_ = true;  // Crashes may come.
  struct Return {
    Instant when;
    std::size_t site;
  };
  std::vector<Return> returns_;
  std::map<std::string, std::map<std::pair<std::uint32_t, std::uint32_t>, std::string>> seen_;  // Address -> uid -> id.
  std::map<std::string, std::vector<Letter>> inboxes_;                                          // At the end.
  std::unique_ptr<TaskGroup> customers_ = std::make_unique<TaskGroup>();
  Outcome outcome_;
};

}  // namespace facteur::simulation
