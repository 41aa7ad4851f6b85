#include "mailbox/key_value.hpp"

namespace facteur::mailbox {

Result<std::optional<std::string>> Layer::get(Bytes key) const {
  const auto found = changes_.find(key);
  if (found != changes_.end()) return found->second.value;
  return below_.get(key);
}

Result<void> Layer::scan(Bytes from, Bytes to, const Visit& visit) const {
  auto own = changes_.lower_bound(from);
  const auto end = changes_.lower_bound(to);
  bool more = true;
  const auto visit_own = [&] {
    if (own->second.value) more = visit(own->first, *own->second.value);
    ++own;
  };
  auto result = below_.scan(from, to, [&](Bytes key, Bytes value) {
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
  for (const auto& [key, change] : changes_) {
    if (change.value) {
      batch.put(key, *change.value);
    } else {
      batch.remove(key);
    }
  }
}

void Layer::take(Layer&& other, std::uint64_t commit) {
  auto& changed = commits_[commit];
  changed.reserve(other.changes_.size());
  while (!other.changes_.empty()) {
    auto node = other.changes_.extract(other.changes_.begin());
    node.mapped().commit = commit;
    auto inserted = changes_.insert(std::move(node));
    if (!inserted.inserted) inserted.position->second = std::move(inserted.node.mapped());
    changed.push_back(inserted.position);
  }
}

void Layer::forget(std::uint64_t commit) {
  const auto found = commits_.find(commit);
  if (found == commits_.end()) return;
  // What a later commit has changed again is erased with that one: commits are forgotten in their order.
  for (const auto change : found->second) {
    if (change->second.commit == commit) changes_.erase(change);
  }
  commits_.erase(found);
}

}  // namespace facteur::mailbox
