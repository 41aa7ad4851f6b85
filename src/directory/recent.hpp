// A bounded memory: the most recently used entries by a string key; the oldest goes when a new one needs its place.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace facteur::directory {

template <class Value>
class Recent {
 public:
  explicit Recent(std::size_t most) : most_(most) {}

  // nullptr: not there. Valid until the next put() or remove(). Counts as use.
  Value* find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }
  // The same, but does not count as use.
  const Value* peek(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second->second;
  }
  Value& put(const std::string& key, Value value) {
    remove(key);
    if (order_.size() >= most_) {
      by_key_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, std::move(value));
    by_key_.emplace(order_.front().first, order_.begin());
    return order_.front().second;
  }
  // Whether it was there.
  bool remove(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return false;
    const auto at = found->second;
    by_key_.erase(found);
    order_.erase(at);
    return true;
  }
  void clear() {
    by_key_.clear();
    order_.clear();
  }
  // visit(key, value), the most recently used first.
  template <class Visit>
  void each(Visit visit) const {
    for (const auto& [key, value] : order_) visit(key, value);
  }
  template <class Visit>
  void each(Visit visit) {
    for (auto& [key, value] : order_) visit(key, value);
  }
  std::size_t size() const { return order_.size(); }

 private:
  using Order = std::list<std::pair<std::string, Value>>;
  std::size_t most_;
  Order order_;  // Most recent first.
  std::unordered_map<std::string_view, typename Order::iterator> by_key_;
};

}  // namespace facteur::directory
