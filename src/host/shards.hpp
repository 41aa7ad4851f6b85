// The real world::Shards: one thread and Loop per shard, a pool and a log lane for work that blocks.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "host/loop.hpp"
#include "world/shards.hpp"

namespace facteur::host {

// Threads that take work from one queue.
class Lane {
 public:
  Lane(const char* name, unsigned threads) : name_(name), wanted_(threads) {}
  ~Lane() { stop(); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void add(std::move_only_function<void()> work);  // From any thread. Threads start with the first work.
  void stop();                                     // Finishes what runs, drops what waits.

 private:
  void serve();

  const char* name_;  // Of its threads, at most 15 characters.
  unsigned wanted_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<std::move_only_function<void()>> queue_;  // Guarded by mutex_, as is the rest.
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

class Shards final : public world::Shards {
 public:
  // `count` 0: one per processor. The pool has `pool_threads` threads.
  explicit Shards(unsigned count, unsigned pool_threads = 4);
  ~Shards() override;

  unsigned count() const override { return static_cast<unsigned>(loops_.size()); }
  unsigned current() const override { return Loop::here().shard(); }
  void post(unsigned shard, std::move_only_function<void()> work) override { loops_[shard]->post(std::move(work)); }
  void offload(Lane lane, std::move_only_function<void()> work) override;

  // Runs all shards, number 0 on this thread, until stop(). When it returns no other thread runs: what still waits may
  // be destroyed here.
  void run();
  void stop();  // From any thread.
  Loop& loop(unsigned shard) { return *loops_[shard]; }

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
  host::Lane pool_, log_;
};

}  // namespace facteur::host
