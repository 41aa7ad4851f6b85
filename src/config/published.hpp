// The configuration in force: read at the start of each session, which keeps what it got; replaced as a whole at
// reload.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "config/schema.hpp"

namespace facteur::config {

// Thread-safe.
class Published {
 public:
  explicit Published(std::shared_ptr<const Config> first) : config_(std::move(first)) {}

  std::shared_ptr<const Config> get() const {
    const std::lock_guard lock(mutex_);
    return config_;
  }
  void set(std::shared_ptr<const Config> next) {
    const std::lock_guard lock(mutex_);
    config_.swap(next);  // The old one goes after the lock.
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Config> config_;
};

}  // namespace facteur::config
