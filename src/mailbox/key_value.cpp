#include "mailbox/key_value.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace facteur::mailbox {

Layer::Changes::const_iterator Layer::lower_bound(Bytes key) const {
  Near& near = this->near(key);
  for (std::uint8_t i = 0; i < near.count; ++i) {
    const auto before = near.at[i];
    auto at = before;
    int order = key.compare(at->first);
    if (order > 0) order = ++at == changes_.end() ? -1 : key.compare(at->first);
    if (order > 0 || (order < 0 && at == before)) continue;
    near.at[i] = near.at[0];  // This sequence is the newer one now.
    near.at[0] = order == 0 ? at : before;
    return at;
  }
  const auto found = changes_.lower_bound(key);
  const bool there = found != changes_.end() && found->first == key;
  if (there || found != changes_.begin()) {
    near.at[1] = std::exchange(near.at[0], there ? found : std::prev(found));
    near.count = near.count == 0 ? 1 : 2;
  }
  return found;
}

Layer::Changes::const_iterator Layer::find(Bytes key) const {
  const auto found = lower_bound(key);
  return found != changes_.end() && found->first == key ? found : changes_.end();
}

void Layer::set(std::string key, std::optional<std::string> value) {
  auto at = lower_bound(key);
  if (at != changes_.end() && at->first == key) {
    changeable(at)->second = Change{.value = std::move(value)};
    return;
  }
  Near& near = this->near(key);
  at = changes_.emplace_hint(at, std::move(key), Change{.value = std::move(value)});
  near.at[0] = at;
  near.count = std::max<std::uint8_t>(near.count, 1);
}

void Layer::withdraw(std::string key) {
  const auto at = find(key);
  const bool put_here = at != changes_.end() && at->second.value;
  if (put_here) {
    changeable(at)->second = Change{.value = std::nullopt, .withdrawn = true};
  } else {
    remove(std::move(key));
  }
}

Result<std::optional<std::string>> Layer::get(Bytes key) const {
  const auto found = find(key);
  if (found != changes_.end()) return found->second.value;
  return below_->get(key);
}

Result<void> Layer::scan(Bytes from, Bytes to, const Visit& visit) const {
  auto own = changes_.lower_bound(from);
  const auto end = changes_.lower_bound(to);
  bool more = true;
  const auto visit_own = [&] {
    if (own->second.value) more = visit(own->first, *own->second.value);
    ++own;
  };
  auto result = below_->scan(from, to, [&](Bytes key, Bytes value) {
    while (more && own != end && own->first < key) visit_own();
    if (!more) return false;
    if (own != end && own->first == key) {
      visit_own();
    } else {
      more = visit(key, value);
    }
    return more;
  });
  if (!result) return result;
  while (more && own != end) visit_own();
  return {};
}

void Layer::write_to(store::Batch& batch) const {
  batch.operations.reserve(batch.operations.size() + changes_.size());
  for (const auto& [key, change] : changes_) {
    if (change.value) {
      batch.put(key, *change.value);
    } else if (!change.withdrawn) {
      batch.remove(key);
    }
  }
}

void Layer::take(Layer&& other, std::uint64_t commit) {
  auto& changed = commits_[commit];
  changed.reserve(other.changes_.size());
  other.near_ = {};
  while (!other.changes_.empty()) {
    auto node = other.changes_.extract(other.changes_.begin());
    if (node.mapped().withdrawn) continue;
    node.mapped().commit = commit;
    const auto at = lower_bound(node.key());
    if (at != changes_.end() && at->first == node.key()) {
      changed.push_back(changeable(at));
      changed.back()->second = std::move(node.mapped());
    } else {
      changed.push_back(changes_.insert(at, std::move(node)));
    }
  }
}

void Layer::forget(std::uint64_t commit) {
  const auto found = commits_.find(commit);
  if (found == commits_.end()) return;
  near_ = {};
  // What a later commit has changed again is erased with that one: commits are forgotten in their order.
  for (const auto change : found->second) {
    if (change->second.commit == commit) changes_.erase(change);
  }
  commits_.erase(found);
}

// ---- commits on their way

namespace {
constexpr std::size_t own_part_from = 256;  // So many changes are a part of their own.
}  // namespace

const KeyValue& Pending::top() const { return parts_.empty() ? below_ : parts_.back().layer; }

void Pending::take(Layer&& layer, std::uint64_t commit) {
  const bool small = layer.size() < own_part_from;
  if (!small) {
    layer.stand_on(top());
    parts_.push_back({.layer = std::move(layer), .commits = {}});
  } else {
    if (parts_.empty() || !parts_.back().shared) {
      const KeyValue& below = top();
      parts_.push_back({.layer = Layer(below), .shared = true, .commits = {}});
    }
    parts_.back().layer.take(std::move(layer), commit);
  }
  parts_.back().commits.push_back(commit);
}

void Pending::forget(std::uint64_t commit) {
  for (auto part = parts_.begin(); part != parts_.end(); ++part) {
    const auto found = std::ranges::find(part->commits, commit);
    if (found == part->commits.end()) continue;
    part->commits.erase(found);
    if (!part->commits.empty()) return part->layer.forget(commit);
    if (const auto next = std::next(part); next != parts_.end()) {
      next->layer.stand_on(part == parts_.begin() ? below_ : std::prev(part)->layer);
    }
    parts_.erase(part);
    return;
  }
}

}  // namespace facteur::mailbox
