// How the cost of reading grows with the input: twice the octets may cost 2.5 times at most (RELIABILITY G8). Counted
// in instructions where the machine lets us, else in CPU time of this thread, the least of several runs.
#pragma once

#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "doctest/doctest.h"
#include "hostile_messages.hpp"

namespace facteur::growth {

inline constexpr double most_growth = 2.5;
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr double most_seconds = 20.0;  // A sanitizer makes each access several times as dear.
#else
inline constexpr double most_seconds = 1.0;  // Of the larger input; a quadratic reader takes many.
#endif

// CPU time of this thread: other programs on the machine count little.
inline double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Instructions of this thread in user mode. Not there in most virtual machines.
class InstructionCounter {
 public:
  InstructionCounter() {
    perf_event_attr wanted{};
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.size = sizeof wanted;
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    descriptor_ = static_cast<int>(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
  }
  ~InstructionCounter() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  bool works() const { return descriptor_ >= 0; }
  double value() const {
    std::uint64_t count = 0;
    return read(descriptor_, &count, sizeof count) == sizeof count ? static_cast<double>(count) : 0;
  }

 private:
  int descriptor_ = -1;
};

inline double work_so_far() {
  static const InstructionCounter counter;
  return counter.works() ? counter.value() : cpu_seconds();
}

// Memory that was used once stays with the process: the first touch of new pages costs more than reading, and comes at
// sizes of its own.
inline void keep_memory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // The most there may be.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

// The least of some runs: disturbances only add. In instructions or seconds; `seconds` gets the CPU time of that.
template <class Read>
double cost(Read read, const std::string& input, double* seconds = nullptr) {
  double least = std::numeric_limits<double>::max();
  double least_seconds = least;
  double total = 0;
  for (int run = 0; run < 3 || (total < 0.002 && run < 100); ++run) {
    const double start = cpu_seconds();
    const double before = work_so_far();
    read(input);
    least = std::min(least, work_so_far() - before);
    const double took = cpu_seconds() - start;
    least_seconds = std::min(least_seconds, took);
    total += took;
  }
  if (seconds != nullptr) *seconds = least_seconds;
  return least;
}

// Tried again before it fails: on a busy machine one measurement may be disturbed for long.
template <class Read>
void check(const hostile::Input& input, std::size_t octets, Read read) {
  const std::string name(input.name);
  CAPTURE(name);
  keep_memory();
  double growth = 0;
  double seconds = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const double small = cost(read, input.make(octets));
    growth = cost(read, input.make(octets * 2), &seconds) / std::max(small, 1e-6);
    if (growth <= most_growth) break;
  }
  CHECK(growth <= most_growth);
  CHECK(seconds < most_seconds);
}

}  // namespace facteur::growth
