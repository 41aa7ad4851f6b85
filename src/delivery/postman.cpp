#include "delivery/postman.hpp"

#include <algorithm>

#include "delivery/schedule.hpp"

namespace facteur::delivery {

using queue::QueueId;
using RecipientStatus = queue::Recipient::Status;

Postman::Postman(Surroundings surroundings, Parameters parameters, routing::Parameters routing)
    : world_(std::move(surroundings)),
      parameters_(std::make_shared<const Parameters>(std::move(parameters))),
      routing_(std::make_shared<const routing::Parameters>(std::move(routing))),
      rounds_(parameters_->concurrency_per_destination) {}

void Postman::reload(Parameters parameters, routing::Parameters routing) {
  parameters_ = std::make_shared<const Parameters>(std::move(parameters));
  routing_ = std::make_shared<const routing::Parameters>(std::move(routing));
  rounds_.set_most(parameters_->concurrency_per_destination);
}

Delivery::Status Postman::status() const {
  Status out = counts_;
  out.waiting = when_.size();
  out.active = jobs_.size();
  out.connections = rounds_.running();
  return out;
}

Task<void> Postman::run(Wakeup& drain) {
  const auto ear =
      world_.queue.listen(world_.shards.current(), [this](queue::Queue::Change change) { hear(std::move(change)); });
  load();
  drain.listen([this] { bell_.fire(); });
  while (!drain.fired()) {
    bell_.clear();
    activate_due();
    start_workers();
    const bool room = jobs_.size() < parameters_->active_messages;
    const auto next = room && !due_.empty() ? due_.begin()->first : Instant::never();
    co_await world_.clock.sleep_until(next, &bell_);
  }
  drain.ignore();
  draining_ = true;
  rounds_.call_all();
  // What is being sent gets a while to end well; then it is dropped: what was not settled is tried in the next life.
  const auto end = world_.clock.now() + parameters_->drain_timeout;
  while (!tasks_->empty() && world_.clock.now() < end) {
    co_await world_.clock.sleep_until(std::min(end, world_.clock.now() + 20ms));
  }
  tasks_.reset();
}

// The store is the truth: whatever it has is scheduled again after a restart (DEMAND.md row 7).
void Postman::load() {
  auto entries = world_.queue.list();
  if (!entries) {
    world_.scope.event("queue_load_failed").failure(entries.error());
    return;
  }
  const auto now = world_.clock.now();
  for (const auto& entry : *entries) {
    if (!entry.held) wait_until(entry.id, now + wait_of(entry, *parameters_, world_.clock.utc()));
  }
  world_.scope.event("queue_load_finished").field("messages", entries->size());
}

void Postman::hear(queue::Queue::Change change) {
  using Kind = queue::Queue::Change::Kind;
  const auto now = world_.clock.now();
  const auto job = jobs_.find(change.id);
  switch (change.kind) {
    case Kind::accepted:
      if (job != jobs_.end() || change.entry->held) break;
      if (!draining_ && jobs_.size() < parameters_->active_messages)
        activate(std::move(*change.entry));
      else
        wait_until(change.id, now);
      break;
    case Kind::held:
      forget(change.id);
      if (job != jobs_.end()) job->second->entry.held = true;
      break;
    case Kind::released:
      if (job != jobs_.end())
        job->second->entry.held = false;
      else
        wait_until(change.id, now);
      break;
    case Kind::retry: {
      std::vector<QueueId> ids;
      for (const auto& [id, when] : when_) {
        if (!change.id || id == change.id) ids.push_back(id);
      }
      for (const auto id : ids) wait_until(id, now);
      if (job != jobs_.end()) job->second->again = true;
      break;
    }
    case Kind::removed:
      forget(change.id);
      if (job != jobs_.end()) job->second->removed = true;
      break;
  }
  bell_.fire();
}

void Postman::wait_until(QueueId id, Instant when) {
  forget(id);
  when_[id] = when;
  due_.emplace(when, id);
}

void Postman::forget(QueueId id) {
  const auto at = when_.find(id);
  if (at == when_.end()) return;
  due_.erase({at->second, id});
  when_.erase(at);
}

void Postman::activate_due() {
  while (!due_.empty() && due_.begin()->first <= world_.clock.now() && jobs_.size() < parameters_->active_messages) {
    const auto id = due_.begin()->second;
    forget(id);
    auto entry = world_.queue.find(id);
    if (!entry) {
      // A damaged record has been quarantined and reported; one that cannot be read now is tried again.
      if (entry.error().temporary()) wait_until(id, world_.clock.now() + 5min);
    } else if (*entry && !(*entry)->held) {
      activate(std::move(**entry));
    }
  }
}

void Postman::activate(queue::Entry entry) {
  const auto id = entry.id;
  forget(id);
  auto content = world_.engine.content(entry.content);
  if (!content || !*content) {
    auto why = content ? Failure{Failure::Kind::corrupt, "F-7021", "The content of a queued message is missing", {}}
                       : content.error();
    world_.scope.event("queue_content_unreadable").failure(why).field("queue_id", to_string(id));
    if (why.kind != Failure::Kind::corrupt) return wait_until(id, world_.clock.now() + 10min);
  }
  auto job = std::make_unique<Job>();
  job->entry = std::move(entry);
  // Damaged on our disk: nobody gets it, and the sender hears of it, who may have it still (RELIABILITY R17).
  job->damaged = !content || !*content;
  if (!job->damaged) job->content = std::move(**content);
  auto& placed = *jobs_.emplace(id, std::move(job)).first->second;
  dispatch(placed);
}

// One attempt for each destination.
void Postman::dispatch(Job& job) {
  const auto id = job.entry.id;
  Plan plan;
  for (const auto recipient : due_recipients(job.entry)) {
    if (job.damaged)
      plan.decided.emplace_back(recipient, permanent("5.3.0", "The message was damaged on the disk of this server"));
    else
      expand(job, recipient, plan);
  }
  job.open = plan.elsewhere.size() + plan.here.size() + (plan.decided.empty() ? 0 : 1) + 1;
  for (auto& to : plan.here) rounds_.add(std::nullopt, job.entry.sender, Attempt{id, {std::move(to)}});
  for (auto& [key, group] : plan.elsewhere) {
    rounds_.add(std::move(group.first), job.entry.sender, Attempt{id, std::move(group.second)});
  }
  if (!plan.decided.empty()) tasks_->start(settle(id, std::move(plan.decided)));
  end_attempt(id);  // Its own: a job with nothing to do ends here.
  bell_.fire();
}

// Where a recipient's mail goes now. The directory may have changed since it was accepted.
void Postman::expand(Job& job, std::size_t recipient, Plan& plan) {
  const auto address = message::Address::parse(job.entry.recipients[recipient].address);
  if (!address) {
    plan.decided.emplace_back(recipient, permanent("5.1.3", "Not a valid address"));
    return;
  }
  auto resolution = routing::resolve(world_.directory, *routing_, *address, true);
  if (!resolution) {
    plan.decided.emplace_back(recipient, temporary("4.3.0", resolution.error().text));
    return;
  }
  if (resolution->destinations.empty()) {
    plan.decided.emplace_back(recipient, permanent(resolution->enhanced, resolution->why ? resolution->why->text : ""));
    return;
  }
  const auto place = [&plan](std::size_t index, routing::Destination& to) {
    if (to.kind == routing::Destination::Kind::account) {
      plan.here.push_back({index, std::move(to.address), to.account});
      return;
    }
    auto& group = plan.elsewhere[to.hop.key()];
    group.first = std::move(to.hop);
    group.second.push_back({index, std::move(to.address), {}});
  };
  auto& destinations = resolution->destinations;
  if (destinations.size() == 1) return place(recipient, destinations.front());
  // It has become an alias of several: each is a recipient of its own from now on.
  const auto model = job.entry.recipients[recipient];
  job.entry.recipients[recipient].status = RecipientStatus::expanded;
  for (auto& to : destinations) {
    auto member = model;
    member.address = to.address.text();
    if (member.original.empty()) member.original = "rfc822;" + model.address;
    job.entry.recipients.push_back(std::move(member));
    place(job.entry.recipients.size() - 1, to);
  }
}

void Postman::start_workers() {
  rounds_.call();
  if (rounds_.running() >= parameters_->concurrency) rounds_.make_room();
  while (!draining_ && rounds_.running() < parameters_->concurrency) {
    auto* destination = rounds_.start();
    if (!destination) return;
    tasks_->start(work(*destination));
  }
}

void Postman::end_attempt(QueueId id) {
  const auto at = jobs_.find(id);
  auto& job = *at->second;
  if (--job.open > 0) return;
  const bool waiting = std::ranges::any_of(
      job.entry.recipients, [](const auto& recipient) { return recipient.status == RecipientStatus::waiting; });
  if (waiting && !job.removed && !job.entry.held) {
    const auto wait = job.again ? Duration::zero() : wait_of(job.entry, *parameters_, world_.clock.utc());
    wait_until(id, world_.clock.now() + wait);
  }
  jobs_.erase(at);
  bell_.fire();
}

std::unique_ptr<Delivery> make_delivery(Surroundings surroundings, Parameters parameters, routing::Parameters routing) {
  return std::make_unique<Postman>(std::move(surroundings), std::move(parameters), std::move(routing));
}

}  // namespace facteur::delivery
