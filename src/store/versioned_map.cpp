#include "store/versioned_map.hpp"

#include <algorithm>
#include <mutex>

namespace facteur::store {

namespace {
constexpr std::uint64_t newest = UINT64_MAX;
constexpr std::size_t scan_chunk = 64;  // Entries copied under the lock at a time.
}  // namespace

struct VersionedMap::Inside {
  struct Version {
    std::uint64_t sequence;
    std::optional<std::string> value;
  };
  using Versions = std::vector<Version>;  // Ascending by sequence, never empty.

  mutable std::shared_mutex mutex;
  std::map<std::string, Versions, std::less<>> entries;
  std::uint64_t sequence = 0;
  std::multiset<std::uint64_t> snapshots;
  std::deque<std::pair<std::uint64_t, std::string>> outdated;  // Keys whose older versions go once `first` is oldest.

  static const std::string* at(const Versions& versions, std::uint64_t sequence) {
    const Version* found = nullptr;
    for (const Version& version : versions) {
      if (version.sequence > sequence) break;
      found = &version;
    }
    return found && found->value ? &*found->value : nullptr;
  }

  // Drops what no snapshot can see any more. Called with the lock held for writing.
  void trim(const std::string& key, std::uint64_t oldest) {
    const auto entry = entries.find(key);
    if (entry == entries.end()) return;
    Versions& versions = entry->second;
    std::size_t keep = 0;
    while (keep + 1 < versions.size() && versions[keep + 1].sequence <= oldest) ++keep;
    versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(keep));
    if (versions.size() == 1 && !versions.front().value && versions.front().sequence <= oldest) entries.erase(entry);
  }

  void collect() {
    const std::uint64_t oldest = snapshots.empty() ? sequence : *snapshots.begin();
    while (!outdated.empty() && outdated.front().first <= oldest) {
      trim(outdated.front().second, oldest);
      outdated.pop_front();
    }
  }

  using Entry = std::pair<std::string, std::string>;

  std::vector<Entry> some(Bytes from, bool after, Bytes to, std::uint64_t at_sequence) const {
    const std::shared_lock lock(mutex);
    std::vector<Entry> out;
    auto entry = after ? entries.upper_bound(from) : entries.lower_bound(from);
    for (; entry != entries.end() && Bytes(entry->first) < to && out.size() < scan_chunk; ++entry) {
      if (const auto* value = at(entry->second, at_sequence)) out.emplace_back(entry->first, *value);
    }
    return out;
  }

  std::vector<Entry> some_back(Bytes from, Bytes to, std::uint64_t at_sequence) const {
    const std::shared_lock lock(mutex);
    std::vector<Entry> out;
    auto entry = entries.lower_bound(to);
    while (entry != entries.begin() && out.size() < scan_chunk) {
      --entry;
      if (Bytes(entry->first) < from) break;
      if (const auto* value = at(entry->second, at_sequence)) out.emplace_back(entry->first, *value);
    }
    return out;
  }
};

namespace {

template <class Inside>
class View final : public Reader {
 public:
  View(std::shared_ptr<Inside> inside, std::uint64_t sequence, bool held)
      : inside_(std::move(inside)), sequence_(sequence), held_(held) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() override {
    if (!held_) return;
    const std::unique_lock lock(inside_->mutex);
    inside_->snapshots.erase(inside_->snapshots.find(sequence_));
    inside_->collect();
  }

  Result<std::optional<std::string>> get(Bytes key) const override {
    const std::shared_lock lock(inside_->mutex);
    const auto entry = inside_->entries.find(key);
    if (entry == inside_->entries.end()) return std::nullopt;
    const auto* value = Inside::at(entry->second, sequence_);
    return value ? std::optional(*value) : std::nullopt;
  }

  Result<void> scan(Bytes from, Bytes to, const std::function<bool(Bytes, Bytes)>& visit) const override {
    std::string next(from);
    for (bool after = false;; after = true) {
      const auto entries = inside_->some(next, after, to, sequence_);
      for (const auto& [key, value] : entries) {
        if (!visit(key, value)) return {};
      }
      if (entries.size() < scan_chunk) return {};
      next = entries.back().first;
    }
  }

  Result<void> scan_back(Bytes from, Bytes to, const std::function<bool(Bytes, Bytes)>& visit) const override {
    std::string end(to);
    for (;;) {
      const auto entries = inside_->some_back(from, end, sequence_);
      for (const auto& [key, value] : entries) {
        if (!visit(key, value)) return {};
      }
      if (entries.size() < scan_chunk) return {};
      end = entries.back().first;
    }
  }

 private:
  std::shared_ptr<Inside> inside_;
  std::uint64_t sequence_;
  bool held_;
};

}  // namespace

VersionedMap::VersionedMap()
    : inside_(std::make_shared<Inside>()), latest_(std::make_unique<View<Inside>>(inside_, newest, false)) {}

void VersionedMap::apply(std::vector<Change> changes) {
  const std::unique_lock lock(inside_->mutex);
  const std::uint64_t sequence = ++inside_->sequence;
  for (auto& [key, value] : changes) {
    auto& versions = inside_->entries[key];
    if (!versions.empty() && versions.back().sequence == sequence) {
      versions.back().value = std::move(value);
    } else {
      versions.push_back({sequence, std::move(value)});
    }
    if (versions.size() > 1 || !versions.back().value) inside_->outdated.emplace_back(sequence, std::move(key));
  }
  inside_->collect();
}

std::shared_ptr<const Reader> VersionedMap::snapshot() const {
  const std::unique_lock lock(inside_->mutex);
  inside_->snapshots.insert(inside_->sequence);
  return std::make_shared<View<Inside>>(inside_, inside_->sequence, true);
}

const Reader& VersionedMap::latest() const { return *latest_; }

}  // namespace facteur::store
