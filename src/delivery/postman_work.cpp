#include <algorithm>

#include "delivery/local.hpp"
#include "delivery/postman.hpp"
#include "delivery/schedule.hpp"

namespace facteur::delivery {

using RecipientStatus = queue::Recipient::Status;

namespace {

// A connection goes on with the next message while the outcomes of so many are being written. A crash may send these
// again, beside the one that is on its way (RFC 1047).
constexpr std::size_t most_unwritten = 4;

}  // namespace

// One connection's work (or one lane of local filing): takes what waits for its destination, one after the other.
Task<void> Postman::work(Rounds::Destination& destination) {
  std::unique_ptr<Remote> remote;
  if (destination.hop) remote = std::make_unique<Remote>(world_, parameters_, *destination.hop);
  TaskGroup unwritten;
  while (!draining_ && destination.running <= destination.allowed) {
    if (unwritten.size() >= most_unwritten) {
      co_await unwritten.finished();
      continue;
    }
    auto attempt = rounds_.take(destination);
    if (!attempt) {
      const bool kept = remote && remote->goes_on() && destination.carried > 1;
      const bool called = kept && co_await rest(destination);
      if (!called) break;
      continue;
    }
    co_await deliver(destination, remote.get(), std::move(*attempt), unwritten);
  }
  if (remote) co_await remote->quit();
  co_await unwritten.finished();
  rounds_.stop(destination);
  bell_.fire();
}

// A connection to a peer that gets more than one message waits a moment for the next one, if nobody needs its place.
// False: nothing came, or it must go.
Task<bool> Postman::rest(Rounds::Destination& destination) {
  Rounds::Rest resting(rounds_, destination);
  co_await world_.clock.sleep_until(world_.clock.now() + parameters_->keep_connection, &resting.bell());
  co_return resting.called();
}

Task<void> Postman::deliver(Rounds::Destination& destination, Remote* remote, Attempt attempt, TaskGroup& unwritten) {
  const auto id = attempt.id;
  auto& job = *jobs_.at(id);
  if (job.removed || job.entry.held) {
    end_attempt(id);
    co_return;
  }
  if (!remote) {
    co_await deliver_local(job, std::move(attempt));
    rounds_.succeeded(destination);
    end_attempt(id);
    co_return;
  }
  Parcel parcel;
  parcel.envelope = job.entry;
  parcel.envelope.recipients.clear();
  parcel.content = job.content;
  for (const auto& to : attempt.to) {
    const auto& recipient = job.entry.recipients[to.recipient];
    parcel.to.push_back({to.address, recipient.notify, recipient.original});
  }
  const auto outcomes = co_await remote->deliver(parcel);
  std::vector<Judged> results;
  for (std::size_t i = 0; i < attempt.to.size(); ++i) results.emplace_back(attempt.to[i].recipient, outcomes[i]);
  if (!remote->connect_failed()) {
    rounds_.succeeded(destination);
    unwritten.start(settle(id, std::move(results)));
    co_return;
  }
  rounds_.failed(destination);
  // Nobody is there: what waits for the same destination need not knock, too (RELIABILITY R9).
  std::vector<Attempt> others;
  if (destination.running == 1) others = rounds_.take_all(destination);
  const auto outcome = outcomes.front();
  co_await conclude(job, std::move(results));
  end_attempt(id);
  co_await conclude_same(std::move(others), outcome);
}

Task<void> Postman::conclude_same(std::vector<Attempt> others, Outcome outcome) {
  for (auto& other : others) {
    auto& job = *jobs_.at(other.id);
    std::vector<Judged> same;
    for (const auto& to : other.to) same.emplace_back(to.recipient, outcome);
    co_await conclude(job, std::move(same));
    end_attempt(other.id);
  }
}

Task<void> Postman::deliver_local(Job& job, Attempt attempt) {
  const auto to = std::move(attempt.to.front());
  auto filed = co_await file_here(job, to);
  if (filed.done()) co_return;
  std::vector<Judged> results;
  results.emplace_back(to.recipient, std::move(filed));
  co_await conclude(job, std::move(results));
}

// What the entry will be when it has succeeded is committed together with the copy: no crash lies between them.
Task<Outcome> Postman::file_here(Job& job, const Attempt::To& to) {
  const auto held = co_await job.turn.take();
  Outcome filed;
  filed.kind = Outcome::Kind::delivered;
  filed.status = "2.1.5";
  filed.reply = "filed";
  if (job.removed) co_return filed;
  std::vector<Judged> results;
  results.emplace_back(to.recipient, filed);
  auto after = job.entry;
  store::Batch batch;
  std::vector<queue::Entry> reports;
  auto written = write_down(after, results, job.content, batch, reports);
  if (!written) co_return temporary("4.3.0", written.error().text);
  filed = co_await deliver_here(world_, job.entry, to.address, to.account, job.content, std::move(batch));
  if (!filed.done()) co_return filed;
  after.held = job.entry.held;
  job.entry = std::move(after);
  tell(job.entry, results);
  for (auto& report : reports) world_.queue.accepted(std::move(report));
  co_return filed;
}

// Ends an attempt whose outcomes are known.
Task<void> Postman::settle(queue::QueueId id, std::vector<Judged> results) {
  co_await conclude(*jobs_.at(id), std::move(results));
  end_attempt(id);
}

// Durable before anything else happens to the entry. While the store cannot write, the results are kept and written
// later: nothing that was delivered is delivered again in this life.
Task<void> Postman::conclude(Job& job, std::vector<Judged> results) {
  const auto held = co_await job.turn.take();
  while (!job.removed) {
    auto after = job.entry;
    store::Batch batch;
    std::vector<queue::Entry> reports;
    auto written = write_down(after, results, job.content, batch, reports);
    if (written && !batch.empty()) written = co_await world_.engine.commit(std::move(batch));
    if (written) {
      after.held = job.entry.held;
      job.entry = std::move(after);
      tell(job.entry, results);
      for (auto& report : reports) world_.queue.accepted(std::move(report));
      co_return;
    }
    world_.scope.event("queue_settle_failed").failure(written.error()).field("queue_id", to_string(job.entry.id));
    if (draining_ || written.error().kind == Failure::Kind::corrupt) co_return;
    co_await world_.clock.sleep_until(world_.clock.now() + 30s);
  }
}

Result<void> Postman::write_down(queue::Entry& entry, const std::vector<Judged>& results, const store::Content& content,
                                 store::Batch& batch, std::vector<queue::Entry>& reports) {
  for (const auto& [index, outcome] : results) mark(entry, entry.recipients[index], outcome);
  auto what = reports_of(entry, results);
  auto to = entry.sender;
  if (!may_report(entry, world_.directory)) {
    // What a stranger's letter came to is told to those who run this server: no loss goes unseen (DEMAND.md row 6).
    std::erase_if(what, [](const Reported& one) { return one.action != message::ReportAction::failed; });
    to = what.empty() || entry.sender.empty() ? "" : postmaster_now();
  }
  if (!to.empty()) {
    auto report = add_report(world_, *parameters_, to, entry, what, content, batch);
    if (report) reports.push_back(std::move(*report));
  }
  return world_.queue.settle(entry, batch);
}

// The postmaster's address, if this hour's reports are not used up.
std::string Postman::postmaster_now() {
  const auto now = world_.clock.now();
  while (!postmaster_reports_.empty() && postmaster_reports_.front() + 1h <= now) postmaster_reports_.pop_front();
  if (postmaster_reports_.size() >= parameters_->postmaster_reports) return {};
  postmaster_reports_.push_back(now);
  return parameters_->postmaster;
}

void Postman::mark(const queue::Entry& entry, queue::Recipient& recipient, const Outcome& outcome) {
  const auto now = world_.clock.utc();
  ++recipient.attempts;
  recipient.last_reply = outcome.reply.substr(0, 1000);
  recipient.last_host = outcome.host;
  if (outcome.kind == Outcome::Kind::delivered) {
    recipient.status = RecipientStatus::delivered;
  } else if (outcome.done()) {
    recipient.status = RecipientStatus::relayed;
  } else if (outcome.kind == Outcome::Kind::permanent || is_expired(entry, recipient, *parameters_, now)) {
    recipient.status = RecipientStatus::failed;
  } else {
    recipient.next_try = now + retry_delay(*parameters_, recipient.attempts, world_.random);
  }
}

std::vector<Reported> Postman::reports_of(queue::Entry& entry, const std::vector<Judged>& results) {
  using Action = message::ReportAction;
  std::vector<Reported> what;
  for (const auto& [index, outcome] : results) {
    const auto& recipient = entry.recipients[index];
    if (recipient.status == RecipientStatus::waiting) {
      may_delay_notice(entry, index, what);
      continue;
    }
    // RFC 3461 §5.2.2: a server with DSN that took it reports on its own.
    if (outcome.kind == Outcome::Kind::passed_on) continue;
    const auto action = recipient.status == RecipientStatus::failed      ? Action::failed
                        : recipient.status == RecipientStatus::delivered ? Action::delivered
                                                                         : Action::relayed;
    // RFC 3463 §3.5: X.4.7, delivery time expired.
    const bool expired = outcome.kind == Outcome::Kind::temporary;
    if (wants_report(recipient, action)) what.push_back({index, action, expired ? "5.4.7" : outcome.status});
  }
  return what;
}

void Postman::may_delay_notice(queue::Entry& entry, std::size_t index, std::vector<Reported>& what) {
  auto& recipient = entry.recipients[index];
  if (parameters_->delay_notice == Duration::zero() || recipient.delay_noticed) return;
  if (world_.clock.utc() < entry.arrived + parameters_->delay_notice) return;
  recipient.delay_noticed = true;
  if (wants_report(recipient, message::ReportAction::delayed)) {
    what.push_back({index, message::ReportAction::delayed, "4.4.7"});
  }
}

void Postman::tell(const queue::Entry& entry, const std::vector<Judged>& results) {
  for (const auto& [index, outcome] : results) {
    const auto& recipient = entry.recipients[index];
    const bool failed = recipient.status == RecipientStatus::failed;
    const bool waits = recipient.status == RecipientStatus::waiting;
    ++(waits ? counts_.deferred : failed ? counts_.failed : counts_.delivered);
    auto event = world_.scope.event(waits    ? "delivery_recipient_deferred"
                                    : failed ? "delivery_recipient_failed"
                                             : "delivery_recipient_finished");
    event.field("queue_id", to_string(entry.id)).field("trace", entry.trace);
    event.field("sender", entry.sender).field("recipient", recipient.address);
    event.field("status", outcome.status).field("reply", outcome.reply).field("host", outcome.host);
    event.field("attempts", recipient.attempts);
    if (failed && !may_report(entry, world_.directory)) event.field("report", "none");
  }
}

}  // namespace facteur::delivery
