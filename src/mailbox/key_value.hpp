// The little that transactions need to read: ordered keys and values, and layers of changes on top of them.
#pragma once

#include <cstdint>
#include <functional>
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

// Puts and removals on top of another KeyValue, which sees none of them: the writes of a transaction; the commits of an
// account that are on their way (DECISIONS.md 11).
class Layer : public KeyValue {
 public:
  explicit Layer(const KeyValue& below) : below_(below) {}

  Result<std::optional<std::string>> get(Bytes key) const override;
  Result<void> scan(Bytes from, Bytes to, const Visit& visit) const override;

  void put(std::string key, std::string value) { set(std::move(key), std::move(value)); }
  void remove(std::string key) { set(std::move(key), std::nullopt); }

  bool empty() const { return changes_.empty(); }
  // What this layer itself says of a key: nothing, removed (an empty inner optional), or a value.
  std::optional<std::optional<std::string>> own(Bytes key) const {
    const auto found = changes_.find(key);
    if (found == changes_.end()) return std::nullopt;
    return found->second.value;
  }
  void write_to(store::Batch& batch) const;

  // Takes over all of `other` as part of commit number `commit`; forget(commit) drops what no later one has changed.
  void take(Layer&& other, std::uint64_t commit);
  void forget(std::uint64_t commit);
  void clear() {
    commits_.clear();
    changes_.clear();
  }

 private:
  struct Change {
    std::optional<std::string> value;  // nullopt: removed.
    std::uint64_t commit = 0;
  };
  using Changes = std::map<std::string, Change, std::less<>>;
  void set(std::string key, std::optional<std::string> value) {
    changes_[std::move(key)] = Change{std::move(value), 0};
  }

  const KeyValue& below_;
  Changes changes_;
  std::map<std::uint64_t, std::vector<Changes::iterator>> commits_;  // What each commit taken has changed.
};

}  // namespace facteur::mailbox
