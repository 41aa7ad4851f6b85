// Pages of files in memory that cannot be read: the kernel says so by SIGBUS, and the process must not end for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace facteur::host {

// As long as this lives, a page in [memory, memory + length) that the disk cannot give (a read error, a file that has
// become shorter) reads as zeros, for good, and `unreadable` counts it. Whoever reads compares checksums, and asks
// again by read(), which gives an error. Faults elsewhere end the process as ever.
// `memory` is a shared, read-only mapping; it goes behind this. Thread-safe; installs the process's SIGBUS handler when
// the first one is made.
class GuardedPages {
 public:
  GuardedPages(const void* memory, std::size_t length);
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;
  ~GuardedPages();

  static std::uint64_t unreadable();  // Pages so far, in this process.

 private:
  struct Slot* slot_;
};

}  // namespace facteur::host
