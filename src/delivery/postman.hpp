// The one implementation of Delivery. Internal to delivery/.
//
// A message is either waiting (`due_`: its id and when, a few octets; the store has the rest) or active (`jobs_`). An
// active one is cut into attempts by destination (rounds.hpp); workers, one a connection, take them in turn. When the
// last attempt of a job has ended, the message is gone or waits again.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "delivery/delivery.hpp"
#include "delivery/outcome.hpp"
#include "delivery/remote.hpp"
#include "delivery/report.hpp"
#include "delivery/rounds.hpp"

namespace facteur::delivery {

class Postman : public Delivery {
 public:
  Postman(Surroundings surroundings, Parameters parameters, routing::Parameters routing);

  Task<void> run(Wakeup& drain) override;
  void reload(Parameters parameters, routing::Parameters routing) override;
  Status status() const override;

 private:
  struct Job {
    queue::Entry entry;
    store::Content content;
    std::size_t open = 0;  // Attempts not ended.
    bool damaged = false;  // The content cannot be read any more.
    bool removed = false;  // By an operator.
    bool again = false;    // To be tried again at once (an operator wants it).
    Turn turn;             // One conclusion after the other: each writes what the last one knew.
  };
  using Judged = std::pair<std::size_t, Outcome>;  // Recipient and what became of it.
  // An entry cut by destination.
  struct Plan {
    std::vector<Attempt::To> here;
    std::map<std::string, std::pair<routing::NextHop, std::vector<Attempt::To>>> elsewhere;
    std::vector<Judged> decided;  // Without an attempt.
  };

  // ---- postman.cpp: when
  void hear(queue::Queue::Change change);
  void load();
  void wait_until(queue::QueueId id, Instant when);
  void forget(queue::QueueId id);
  void activate_due();
  void activate(queue::Entry entry);
  void dispatch(Job& job);
  void expand(Job& job, std::size_t recipient, Plan& plan);
  void start_workers();
  void end_attempt(queue::QueueId id);

  // ---- postman_work.cpp: how
  Task<void> work(Rounds::Destination& destination);
  Task<bool> rest(Rounds::Destination& destination);
  Task<void> deliver(Rounds::Destination& destination, Remote* remote, Attempt attempt, TaskGroup& unwritten);
  Task<void> deliver_local(Job& job, Attempt attempt);
  Task<Outcome> file_here(Job& job, const Attempt::To& to);
  Task<void> conclude_same(std::vector<Attempt> others, Outcome outcome);
  Task<void> settle(queue::QueueId id, std::vector<Judged> results);
  Task<void> conclude(Job& job, std::vector<Judged> results);
  // What `results` make of the entry; adds settlement and reports to `batch`.
  Result<void> write_down(queue::Entry& entry, const std::vector<Judged>& results, const store::Content& content,
                          store::Batch& batch, std::vector<queue::Entry>& reports);
  std::string postmaster_now();
  void mark(const queue::Entry& entry, queue::Recipient& recipient, const Outcome& outcome);
  void may_delay_notice(queue::Entry& entry, std::size_t recipient, std::vector<Reported>& what);
  std::vector<Reported> reports_of(queue::Entry& entry, const std::vector<Judged>& results);
  void tell(const queue::Entry& entry, const std::vector<Judged>& results);

  Surroundings world_;
  std::shared_ptr<const Parameters> parameters_;
  std::shared_ptr<const routing::Parameters> routing_;

  std::map<queue::QueueId, Instant> when_;
  std::set<std::pair<Instant, queue::QueueId>> due_;
  std::map<queue::QueueId, std::unique_ptr<Job>> jobs_;
  Rounds rounds_;
  Wakeup bell_;
  bool draining_ = false;
  std::deque<Instant> postmaster_reports_;  // Of the last hour.
  Status counts_;
  std::unique_ptr<TaskGroup> tasks_ = std::make_unique<TaskGroup>();  // Last: its tasks use all of the above.
};

}  // namespace facteur::delivery
