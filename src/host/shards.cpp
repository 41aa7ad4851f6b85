#include "host/shards.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <string>

namespace facteur::host {

namespace {

// Signals go to the main thread, which looks at them through a descriptor (signals.hpp).
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  // What an instruction of this very thread causes must reach its handler: blocked, it would end the process.
  for (const int own : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGSYS, SIGTRAP}) sigdelset(&all, own);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

void Lane::add(std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(work));
    if (queue_.size() > idle_ && threads_.size() < wanted_) threads_.emplace_back([this] { serve(); });
    if (idle_ == 0) return;  // Whoever comes back looks at the queue before it sleeps.
  }
  filled_.notify_one();  // Outside: whom it wakes finds the lock free.
}

void Lane::serve() {
  block_signals();
  prctl(PR_SET_NAME, name_);
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (stopping_) return;
    auto work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

void Lane::stop() {
  std::vector<std::thread> ended;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ended.swap(threads_);
  }
  filled_.notify_all();
  for (auto& thread : ended) thread.join();
  queue_.clear();
}

Shards::Shards(unsigned count, unsigned pool_threads) : pool_("pool", std::max(pool_threads, 1u)), log_("log lane", 1) {
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>(i));
}

Shards::~Shards() = default;

void Shards::offload(Lane lane, std::move_only_function<void()> work) {
  (lane == Lane::log ? log_ : pool_).add(std::move(work));
}

void Shards::run() {
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < count(); ++i) {
    threads.emplace_back([this, i] {
      block_signals();
      prctl(PR_SET_NAME, ("shard " + std::to_string(i)).c_str());
      loops_[i]->run();
    });
  }
  loops_[0]->run();
  for (auto& thread : threads) thread.join();
  pool_.stop();
  log_.stop();
}

void Shards::stop() {
  for (auto& loop : loops_) loop->stop();
}

}  // namespace facteur::host
