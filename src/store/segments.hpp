// All segments of the log that there are. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "store/segment.hpp"

namespace facteur::store {

class Segments {
 public:
  void add(std::shared_ptr<Segment> segment) {
    const std::lock_guard lock(mutex_);
    segments_[segment->number()] = std::move(segment);
  }
  std::shared_ptr<Segment> find(std::uint32_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(number);
    return found == segments_.end() ? nullptr : found->second;
  }
  std::vector<std::shared_ptr<Segment>> all() const {  // Ascending.
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Segment>> out;
    for (const auto& [number, segment] : segments_) out.push_back(segment);
    return out;
  }
  std::vector<std::uint32_t> numbers() const {  // Ascending.
    const std::lock_guard lock(mutex_);
    std::vector<std::uint32_t> out;
    for (const auto& [number, segment] : segments_) out.push_back(number);
    return out;
  }
  // Takes a segment that nobody holds out of the log; nullptr if somebody does.
  std::shared_ptr<Segment> take_unused(std::uint32_t number) {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(number);
    if (found == segments_.end() || found->second.use_count() != 1) return nullptr;
    auto taken = std::move(found->second);
    segments_.erase(found);
    return taken;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<Segment>> segments_;
};

}  // namespace facteur::store
