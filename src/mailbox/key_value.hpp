// The little that transactions need to read: ordered keys and values, and layers of changes on top of them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "store/engine.hpp"

namespace facteur::mailbox {

class KeyValue {
 public:
  using Visit = std::function<bool(Bytes key, Bytes value)>;  // False stops. Both are borrowed.

  virtual ~KeyValue() = default;
  virtual Result<std::optional<std::string>> get(Bytes key) const = 0;
  virtual Result<void> scan(Bytes from, Bytes to, const Visit& visit) const = 0;  // [from, to), ascending.
};

// The keys of a store::Reader, which must outlive this.
class Stored : public KeyValue {
 public:
  explicit Stored(const store::Reader& reader) : reader_(reader) {}
  Result<std::optional<std::string>> get(Bytes key) const override { return reader_.get(key); }
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override { return reader_.scan(from, to, visit); }

 private:
  const store::Reader& reader_;
};

// Puts and removals on top of another KeyValue, which sees none of them: the writes of a transaction.
class Layer : public KeyValue {
 public:
  explicit Layer(const KeyValue& below) : below_(&below) {}
  Layer(Layer&&) = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  void stand_on(const KeyValue& below) { below_ = &below; }

  Result<std::optional<std::string>> get(Bytes key) const override;
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override;

  void put(std::string key, std::string value) { set(std::move(key), std::move(value)); }
  void remove(std::string key) { set(std::move(key), std::nullopt); }
  // For keys that are put once and never again (those with a modseq): if it was put here, it is as if it never was.
  void withdraw(std::string key);

  bool empty() const { return changes_.empty(); }
  std::size_t size() const { return changes_.size(); }
  // What this layer itself says of a key: nothing, removed (an empty inner optional), or a value.
  std::optional<std::optional<std::string>> own(Bytes key) const {
    const auto found = find(key);
    if (found == changes_.end()) return std::nullopt;
    return found->second.value;
  }
  void write_to(store::Batch& batch) const;

  // Takes over all of `other` as part of commit number `commit`; forget(commit) drops what no later one has changed.
  void take(Layer&& other, std::uint64_t commit);
  void forget(std::uint64_t commit);

 private:
  struct Change {
    std::optional<std::string> value;  // nullopt: removed.
    std::uint64_t commit = 0;
    bool withdrawn = false;  // The store never hears of it.
  };
  using Changes = std::map<std::string, Change, std::less<>>;
  void set(std::string key, std::optional<std::string> value);
  // The first change that is not below `key`. One after the other, keys of a subspace mostly ascend, in one or two
  // sequences (what is read and what is written): then it is beside where the last one of its sequence was.
  Changes::const_iterator lower_bound(Bytes key) const;
  Changes::const_iterator find(Bytes key) const;                                               // Or the end.
  Changes::iterator changeable(Changes::const_iterator at) { return changes_.erase(at, at); }  // Erases nothing.

  const KeyValue* below_;
  Changes changes_;
  std::map<std::uint64_t, std::vector<Changes::iterator>> commits_;  // What each commit taken has changed.

  // For each subspace the change at or before the keys asked for last; the first of the two is newer.
  struct Near {
    std::array<Changes::const_iterator, 2> at;
    std::uint8_t count = 0;
  };
  Near& near(Bytes key) const {
    return near_[key.empty() ? 0 : static_cast<unsigned char>(key.front()) % near_.size()];
  }
  mutable std::array<Near, 64> near_;  // Subspaces are letters: none shares its place with another.
};

// The commits of an account that are on their way, over what is durable (DECISIONS.md 11).
class Pending : public KeyValue {
 public:
  explicit Pending(const KeyValue& below) : below_(below) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

  Result<std::optional<std::string>> get(Bytes key) const override { return top().get(key); }
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override { return top().scan(from, to, visit); }

  // The writes of commit number `commit`, which was built on all before it. They go again with forget(), in any order.
  void take(Layer&& layer, std::uint64_t commit);
  void forget(std::uint64_t commit);
  void clear() { parts_.clear(); }

 private:
  // A large commit is a part of its own: moving its changes one by one would cost as much as making them. Small ones
  // share a part, so that a hundred deliveries on their way are not a hundred layers to look through.
  struct Part {
    Layer layer;
    bool shared = false;
    std::vector<std::uint64_t> commits;
  };
  const KeyValue& top() const;
  const KeyValue& below_;
  std::list<Part> parts_;  // The newest last; each stands on the one before.
};

}  // namespace facteur::mailbox
