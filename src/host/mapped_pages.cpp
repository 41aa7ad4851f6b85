#include "host/mapped_pages.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

namespace facteur::host {

// One guarded range. Slots form a list that only grows, so that the signal handler may walk it at any time; a free one
// has length 0 and is used again.
struct Slot {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::size_t> length{0};
  Slot* next = nullptr;
};

namespace {

std::atomic<Slot*> first_slot{nullptr};
std::atomic<std::uint64_t> unreadable_pages{0};
std::mutex making;  // Of slots; never taken by the handler.
struct sigaction before;
std::uintptr_t page_bytes = 4096;

bool guarded(std::uintptr_t address) {
  for (const Slot* slot = first_slot.load(std::memory_order_acquire); slot; slot = slot->next) {
    const std::size_t length = slot->length.load(std::memory_order_acquire);
    const std::uintptr_t begin = slot->begin.load(std::memory_order_acquire);
    if (length > 0 && address >= begin && address - begin < length) return true;
  }
  return false;
}

// Only what a signal handler may do: atomics and system calls.
void on_bus_error(int signal, siginfo_t* what, void* context) {
  const int kept = errno;
  const auto address = reinterpret_cast<std::uintptr_t>(what->si_addr);
  const bool ours = what->si_code > 0 && guarded(address);  // Above 0: from the kernel, not from kill().
  if (ours) {
    void* const page = reinterpret_cast<void*>(address / page_bytes * page_bytes);
    if (::mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) {
      unreadable_pages.fetch_add(1, std::memory_order_relaxed);
      errno = kept;
      return;
    }
  }
  errno = kept;
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, what, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  // The instruction faults again, and then the process ends with a core that shows where.
  struct sigaction ending{};
  ending.sa_handler = SIG_DFL;
  ::sigaction(signal, &ending, nullptr);
  if (what->si_code <= 0) ::raise(signal);
}

void install() {
  page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction ours{};
  ours.sa_sigaction = on_bus_error;
  ours.sa_flags = SA_SIGINFO;
  ::sigemptyset(&ours.sa_mask);
  ::sigaction(SIGBUS, nullptr, &before);
  ::sigaction(SIGBUS, &ours, nullptr);
}

Slot* free_slot() {
  for (Slot* slot = first_slot.load(); slot; slot = slot->next) {
    if (slot->length.load() == 0) return slot;
  }
  auto* const made = new Slot;  // Never freed: the handler may be looking at it.
  made->next = first_slot.load();
  first_slot.store(made, std::memory_order_release);
  return made;
}

}  // namespace

GuardedPages::GuardedPages(const void* memory, std::size_t length) {
  static std::once_flag installed;
  std::call_once(installed, install);
  const std::lock_guard lock(making);
  slot_ = free_slot();
  slot_->begin.store(reinterpret_cast<std::uintptr_t>(memory), std::memory_order_release);
  slot_->length.store(length, std::memory_order_release);
}

GuardedPages::~GuardedPages() {
  const std::lock_guard lock(making);
  slot_->length.store(0, std::memory_order_release);
}

std::uint64_t GuardedPages::unreadable() { return unreadable_pages.load(std::memory_order_relaxed); }

}  // namespace facteur::host
