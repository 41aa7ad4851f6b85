// One simulated run: two servers, people who write letters, bad weather, crashes; and what must be true at the end.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "customers.hpp"
#include "readers.hpp"
#include "site.hpp"
#include "stranger.hpp"

namespace facteur::simulation {

struct Outcome {
  std::vector<std::string> violations;  // Empty: all is well.
  std::uint64_t hash = 0;
  std::size_t letters = 0;
  std::size_t promised = 0;  // Recipients of letters taken with 250.
  std::size_t copies = 0;
  std::size_t doubles = 0;
  std::size_t sessions = 0;  // Of readers.
  std::size_t ends = 0;      // Crashes, kills and stops: each followed by another life.
  std::size_t cuts = 0;      // Moments at which all that a power cut would leave was compared with all promises.
  std::size_t damaged = 0;   // Starts on an index that was damaged on purpose.
  Duration lasted{};
  std::string log;  // Of a run with violations, or if asked.
};

// The two sites of the town, and their disks with their people as they were founded (made once a process).
SiteParameters site_parameters(std::size_t number);
const std::vector<sim::Disk::Image>& founded_sites();

// The moments to look at as if the power of the whole town went.
struct Cuts {
  std::uint64_t most = 10;
  std::uint64_t every = 10;  // They are 1 to so many operations of a site's disk apart.
};

class Town {
 public:
  explicit Town(std::uint64_t seed, Cuts cuts = {}, Plant plant = Plant::none);
  ~Town();
  Outcome run(bool keep_log);

 private:
  void build();
  void write_letters();
  void plan_weather();
  void plan_ends();
  void plan_disk_faults(Site& site);
  void plan_cuts();
  void look_at_cuts();
  void mend_zone();
  Duration some_time(std::uint64_t most_ms);
  void at(Duration from_now, std::function<void()> what);
  void step_until(const std::function<bool()>& done, Duration limit);
  void end_site(std::size_t number, Site::End how);
  void calm_down();
  bool at_rest();
  Errand next_errand(unsigned number);
  Task<void> customer(unsigned number, unsigned letters);
  Task<void> reader(Reading& reading, unsigned sessions);
  Task<void> collector(Collecting& collecting, unsigned sessions);

  void look(std::size_t number);
  void check_holdings(const std::vector<Holdings>& sites);
  std::map<std::string, int, std::less<>> unreported_failures() const;
  void check_reading(const Reading& reading, const std::vector<Letter>& letters, std::uint64_t highest);
  void check_end();
  bool may_be_removed(const std::string& address, const std::string& id) const;
  bool has_moved(const std::string& address, const Place& place) const;
  void violation(std::string text) { outcome_.violations.push_back(std::move(text)); }

  std::uint64_t seed_;
  sim::World world_;
  sim::Random chance_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::unique_ptr<Stranger> stranger_;
  std::unique_ptr<sim::Machine> post_;  // Where the customers live.
  Trust trust_;
  std::deque<Posted> ledger_;
  std::deque<Reading> readings_;
  std::deque<Collecting> collectings_;
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
  std::map<std::string, std::map<Place, std::string>> seen_;  // Address -> place in INBOX -> letter id.
  Cuts cuts_;                                                 // What is left of them.
  Plant plant_;
  struct Survey {
    Site* site;
    std::uint64_t step;  // Of the timeline: the ledger must not have gone on since.
    sim::Disk::Image image;
  };
  std::vector<Survey> surveys_;
  std::uint64_t steps_ = 0;
  std::unique_ptr<TaskGroup> customers_ = std::make_unique<TaskGroup>();
  Outcome outcome_;
};

}  // namespace facteur::simulation
