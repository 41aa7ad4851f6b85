// A mailbox at one modseq: immutable, shared between sessions and shards, chunks shared with the next view.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "mailbox/types.hpp"

namespace facteur::mailbox {

// What differs between two moments of a mailbox.
struct ViewChanges {
  std::vector<Uid> vanished;  // Ascending.
  std::vector<Uid> changed;   // Flags changed; ascending; in both.
  std::vector<Uid> appeared;  // Ascending.
};

// Rows are in order of UID; row i is sequence number i + 1.
class View {
 public:
  virtual ~View() = default;

  virtual AccountId account() const = 0;
  virtual MailboxId mailbox() const = 0;
  virtual UidValidity uidvalidity() const = 0;
  virtual Uid uidnext() const = 0;
  virtual ModSeq highest_modseq() const = 0;

  virtual std::size_t size() const = 0;
  virtual Row row(std::size_t index) const = 0;  // index < size(); tens of nanoseconds (packed columns).
  // Runs `visit` over rows [first, last) in order until it returns false; the row is borrowed during the call.
  using RowVisit = std::function<bool(std::size_t index, const Row& row)>;
  virtual void each(std::size_t first, std::size_t last, const RowVisit& visit) const;
  virtual std::optional<std::size_t> find(Uid uid) const = 0;  // The row of that uid.
  virtual std::size_t lower_bound(Uid uid) const = 0;          // First row with a uid not below; size() if none.
  virtual std::optional<std::size_t> first_unseen() const = 0;
  // The lowest UID of the newest rows that all came at `since` or later, looking at the last `most` rows only;
  // uidnext() if the newest row is older. Does not load the rows of a large mailbox.
  virtual Uid arrived_since(UtcTime since, std::size_t most) const = 0;
};

// What changed from `before` to `after`, both of one mailbox; cost grows with the changes, not the mailbox.
ViewChanges diff(const View& before, const View& after);

}  // namespace facteur::mailbox
