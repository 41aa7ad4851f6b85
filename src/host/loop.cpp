#include "host/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <ctime>

#include "base/assert.hpp"

namespace facteur::host {

namespace {

thread_local Loop* loop_of_thread = nullptr;

}  // namespace

// --- Wait

Wait::~Wait() {
  if (waiting_) forget();
}

void Wait::await_suspend(std::coroutine_handle<> frame) {
  // What belongs to a shard is used there only: nothing here is locked. (No loop runs before and after World::run().)
  CHECK_OR_BUG(!loop_of_thread || loop_of_thread == &loop_);
  frame_ = frame;
  waiting_ = true;
  if (place_) {
    ASSERT(!*place_);  // One reader and one writer at a time (world::Stream).
    *place_ = this;
  }
  if (wakeup_) wakeup_->listen([this] { finish(Outcome::woken); });
  if (deadline_ != Instant::never()) loop_.schedule(*this);
}

// Leaves everything that could end the wait.
void Wait::forget() {
  waiting_ = false;
  if (place_) *place_ = nullptr;
  if (wakeup_) wakeup_->ignore();
  if (deadline_ == Instant::never()) return;
  if (precision_ == Precision::exact) {
    loop_.exact_.erase({deadline_, this});
  } else {
    leave();
  }
}

void Wait::finish(Outcome outcome) {
  if (!waiting_) return;
  forget();
  outcome_ = outcome;
  loop_.ready_.append(*this);
}

// --- Descriptor

Descriptor::Descriptor(Loop& loop, int fd) : loop_(loop), fd_(fd) { loop_.watch(*this); }

void Descriptor::close() {
  if (fd_ < 0) return;
  ::close(fd_);  // Also ends the loop's interest in it: nothing else refers to this description.
  fd_ = -1;
  if (reader) reader->finish(Wait::Outcome::closed);
  if (writer) writer->finish(Wait::Outcome::closed);
}

// --- Loop

Loop::Loop(unsigned shard) : shard_(shard) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  event_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  ASSERT(epoll_ >= 0 && event_ >= 0);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  ASSERT(epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event) == 0);
  tick_ = now().nanoseconds / slot_ns;
}

Loop::~Loop() {
  ::close(event_);
  ::close(epoll_);
}

Loop& Loop::here() {
  CHECK_OR_BUG(loop_of_thread);
  return *loop_of_thread;
}

Loop* Loop::if_any() { return loop_of_thread; }

Instant Loop::now() {
  std::timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant{time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

void Loop::watch(Descriptor& descriptor) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &descriptor;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor.fd_, &event) != 0) {
    descriptor.can_read = descriptor.can_write = descriptor.hung_up = true;
  }
}

void Loop::schedule(Wait& wait) {
  if (wait.precision_ == Wait::Precision::exact) {
    exact_.emplace(wait.deadline_, &wait);
    return;
  }
  // Rounded up: the whole slot has passed when it is visited. What is over already goes into the next one.
  const std::int64_t tick = std::max(wait.deadline_.nanoseconds / slot_ns, tick_) + 1;
  const auto slot = static_cast<std::size_t>(tick) % slot_count;
  wheel_[slot].append(wait);
  used_[slot / 64] |= std::uint64_t{1} << (slot % 64);
}

void Loop::post(std::move_only_function<void()> work) {
  bool ring = false;
  {
    const std::lock_guard lock(posting_);
    posted_.push_back(std::move(work));
    ring = std::exchange(asleep_, false);
  }
  if (ring) eventfd_write(event_, 1);
}

void Loop::stop() {
  post([this] { stopping_ = true; });
}

void Loop::run() {
  Loop* const outer = std::exchange(loop_of_thread, this);
  while (!stopping_) {
    run_posted();
    run_ready();
    const int timeout = about_to_sleep() ? milliseconds_to_sleep(now()) : 0;
    take_events(timeout);
    pass_deadlines();
  }
  loop_of_thread = outer;
}

// Whether there is nothing to do; from then on whoever posts rings.
bool Loop::about_to_sleep() {
  if (!ready_.alone() || stopping_) return false;
  const std::lock_guard lock(posting_);
  asleep_ = posted_.empty();
  return asleep_;
}

void Loop::run_posted() {
  {
    const std::lock_guard lock(posting_);
    asleep_ = false;
    taken_.swap(posted_);
  }
  for (auto& work : taken_) {
    spent_ = 0;
    work();
    work = nullptr;
  }
  taken_.clear();
}

// Resumes those who were ready at the beginning; who becomes ready meanwhile waits for the next turn.
void Loop::run_ready() {
  Link last;
  ready_.append(last);
  while (ready_.after != &last) {
    auto& wait = static_cast<Wait&>(*ready_.after);
    wait.leave();
    spent_ = 0;
    wait.frame_.resume();
  }
}

void Loop::take_events(int timeout_ms) {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    auto* descriptor = static_cast<Descriptor*>(event.data.ptr);
    if (!descriptor) continue;  // The bell of post(). Each ring is a new edge: its counter need not be read.
    if (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) descriptor->hung_up = true;
    if (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
      descriptor->can_read = true;
      if (descriptor->reader) descriptor->reader->finish(Wait::Outcome::ready);
    }
    if (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
      descriptor->can_write = true;
      if (descriptor->writer) descriptor->writer->finish(Wait::Outcome::ready);
    }
  }
}

void Loop::pass_deadlines() {
  const Instant time = now();
  while (!exact_.empty() && exact_.begin()->first <= time) {
    exact_.begin()->second->finish(Wait::Outcome::timed_out);
  }
  const std::int64_t tick = time.nanoseconds / slot_ns;
  tick_ = std::max(tick_, tick - static_cast<std::int64_t>(slot_count));  // A long stop: once around is enough.
  while (tick_ < tick) {
    ++tick_;
    const auto slot = static_cast<std::size_t>(tick_) % slot_count;
    Link& list = wheel_[slot];
    for (Link* link = list.after; link != &list;) {
      auto& wait = static_cast<Wait&>(*link);
      link = link->after;
      if (wait.deadline_ <= time) wait.finish(Wait::Outcome::timed_out);
    }
    if (list.alone()) used_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  }
}

int Loop::milliseconds_to_sleep(Instant time) const {
  constexpr std::int64_t longest = 60'000'000'000;
  std::int64_t until = time.nanoseconds + longest;
  if (!exact_.empty()) until = std::min(until, exact_.begin()->first.nanoseconds);
  for (std::int64_t ahead = 1; ahead <= static_cast<std::int64_t>(slot_count);) {
    const auto slot = static_cast<std::size_t>(tick_ + ahead) % slot_count;
    const std::uint64_t rest = used_[slot / 64] >> (slot % 64);
    if (rest == 0) {
      ahead += 64 - static_cast<std::int64_t>(slot % 64);
      continue;
    }
    ahead += std::countr_zero(rest);
    if (ahead <= static_cast<std::int64_t>(slot_count)) until = std::min(until, (tick_ + ahead) * slot_ns);
    break;
  }
  return static_cast<int>(std::max<std::int64_t>(0, (until - time.nanoseconds + 999'999) / 1'000'000));
}

}  // namespace facteur::host
