#include "tls/buffer.hpp"

#include <vector>

namespace facteur::tls {

namespace {

constexpr std::size_t most_free = 16;  // Half a megabyte a shard.

std::vector<std::unique_ptr<char[]>>& free_ones() {
  thread_local std::vector<std::unique_ptr<char[]>> all;
  return all;
}

}  // namespace

void Buffer::take() {
  if (memory_) return;
  auto& all = free_ones();
  if (all.empty()) {
    memory_ = std::make_unique_for_overwrite<char[]>(size);
  } else {
    memory_ = std::move(all.back());
    all.pop_back();
  }
}

void Buffer::give_back() {
  if (!memory_) return;
  auto& all = free_ones();
  if (all.size() < most_free) all.push_back(std::move(memory_));
  memory_.reset();
}

}  // namespace facteur::tls
