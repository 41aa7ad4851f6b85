#include "store/bridge.hpp"

#include <algorithm>

namespace facteur::store {

namespace {

// What waits is kept with one octet in front: the database may hold a key that is removed here.
constexpr char removed_mark = '-', value_mark = '=';

std::optional<std::string> value_of(Bytes kept) {
  if (kept.starts_with(removed_mark)) return std::nullopt;
  return std::string(kept.substr(1));
}

Result<std::optional<std::string>> get_over(const Reader& above, const Reader& below, Bytes key) {
  auto kept = above.get(key);
  if (!kept) return failed(kept);
  if (*kept) return value_of(**kept);
  return below.get(key);
}

struct Kept {
  std::string key, value;  // The value with its mark.
};

// Visits both in one order; where both have a key, what waits above counts.
class Merge {
 public:
  Merge(std::vector<Kept> above, bool ascending, const Bridge::Visit& visit)
      : above_(std::move(above)), ascending_(ascending), visit_(visit) {}

  bool below(Bytes key, Bytes value) {
    while (next_ < above_.size() && before(above_[next_].key, key)) {
      if (!tell()) return false;
    }
    if (next_ < above_.size() && above_[next_].key == key) return tell();
    return going_ = visit_(key, value);
  }
  void rest() {
    while (going_ && next_ < above_.size()) tell();
  }

 private:
  bool before(Bytes a, Bytes b) const { return ascending_ ? a < b : b < a; }
  bool tell() {
    const Kept& kept = above_[next_++];
    if (kept.value.starts_with(value_mark)) going_ = visit_(kept.key, Bytes(kept.value).substr(1));
    return going_;
  }

  std::vector<Kept> above_;
  std::size_t next_ = 0;
  bool ascending_;
  bool going_ = true;
  const Bridge::Visit& visit_;
};

Result<void> scan_over(const Reader& above, const Reader& below, Bytes from, Bytes to, bool ascending,
                       const Bridge::Visit& visit) {
  std::vector<Kept> kept;
  auto scanned = above.scan(from, to, [&](Bytes key, Bytes value) {
    kept.push_back({std::string(key), std::string(value)});
    return true;
  });
  if (!scanned) return scanned;
  if (!ascending) std::ranges::reverse(kept);
  Merge merge(std::move(kept), ascending, visit);
  const auto use = [&merge](Bytes key, Bytes value) { return merge.below(key, value); };
  scanned = ascending ? below.scan(from, to, use) : below.scan_back(from, to, use);
  if (scanned) merge.rest();
  return scanned;
}

class Over final : public Reader {
 public:
  Over(std::shared_ptr<const Reader> above, std::shared_ptr<const Reader> below)
      : above_(std::move(above)), below_(std::move(below)) {}

  Result<std::optional<std::string>> get(Bytes key) const override { return get_over(*above_, *below_, key); }
  Result<void> scan(Bytes from, Bytes to, const Bridge::Visit& visit) const override {
    return scan_over(*above_, *below_, from, to, true, visit);
  }
  Result<void> scan_back(Bytes from, Bytes to, const Bridge::Visit& visit) const override {
    return scan_over(*above_, *below_, from, to, false, visit);
  }

 private:
  std::shared_ptr<const Reader> above_, below_;
};

}  // namespace

void Bridge::put(Bytes key, Bytes value) {
  changed_bytes_ += key.size() + value.size();
  changes_.emplace_back(key, value_mark + std::string(value));
}

void Bridge::remove(Bytes key) {
  changed_bytes_ += key.size();
  changes_.emplace_back(key, std::string(1, removed_mark));
}

void Bridge::apply() {
  if (changes_.empty()) return;
  map_->apply(std::exchange(changes_, {}));
  // Behind the changes: who sees that there is a bridge must see what is on it.
  bytes_ += std::max<std::uint64_t>(std::exchange(changed_bytes_, 0), 1);
}

Result<void> Bridge::each(const std::function<void(Bytes key, std::optional<Bytes> value)>& use) const {
  return waiting()->scan({}, "\xff\xff\xff\xff", [&use](Bytes key, Bytes kept) {
    if (kept.starts_with(value_mark)) {
      use(key, kept.substr(1));
    } else {
      use(key, std::nullopt);
    }
    return true;
  });
}

void Bridge::clear() {
  bytes_ = 0;
  const std::lock_guard lock(map_mutex_);
  map_ = std::make_shared<VersionedMap>();
}

std::shared_ptr<const Reader> Bridge::waiting() const {
  const std::lock_guard lock(map_mutex_);
  return map_->snapshot();
}

std::shared_ptr<const Reader> Bridge::snapshot_over(std::shared_ptr<const Reader> below) const {
  return std::make_shared<Over>(waiting(), std::move(below));
}

Result<std::optional<std::string>> Bridge::get(const Reader& below, Bytes key) const {
  return get_over(*waiting(), below, key);
}

}  // namespace facteur::store
