#include "mailbox/packed_view.hpp"

#include <algorithm>
#include <string>

#include "mailbox/placement_runs.hpp"

namespace facteur::mailbox {

PackedView::PackedView(AccountId account, Container container, std::shared_ptr<const store::Reader> snapshot,
                       Damage damage)
    : account_(account), container_(std::move(container)), snapshot_(std::move(snapshot)), damage_(std::move(damage)) {}

PackedView::PackedView(AccountId account, Container container, RowTable rows)
    : account_(account), container_(std::move(container)), rows_(std::move(rows)), ready_(&rows_) {}

const RowTable& PackedView::rows() const {
  if (const RowTable* ready = ready_.load(std::memory_order_acquire)) return *ready;
  const std::scoped_lock lock(loading_);
  if (const RowTable* ready = ready_.load(std::memory_order_acquire)) return *ready;
  const Stored stored(*snapshot_);
  // If the index cannot be read at all, the mailbox shows no messages rather than wrong ones.
  if (auto rows = load_rows(stored, account_, container_, damage_)) {
    rows_ = std::move(*rows);
    if (rows_.size() != container_.total && damage_) {
      damage_(container_.name, "its record counts " + std::to_string(container_.total) + " messages, there are " +
                                   std::to_string(rows_.size()));
    }
  } else if (damage_) {
    damage_(container_.name, rows.error().cause);
  }
  snapshot_.reset();
  ready_.store(&rows_, std::memory_order_release);
  return rows_;
}

Row PackedView::row(std::size_t index) const {
  const RowTable& table = rows();
  return index < table.size() ? table.row(index) : Row();
}

std::size_t PackedView::size() const {
  const RowTable* ready = ready_.load(std::memory_order_acquire);
  return ready ? ready->size() : container_.total;
}

std::optional<std::size_t> PackedView::first_unseen() const {
  if (container_.unread == 0) return std::nullopt;
  // Opening a mailbox must not cost more because it is large: only its beginning is read.
  if (!loaded()) {
    const std::scoped_lock lock(loading_);
    if (snapshot_) {
      auto found = find_first_unseen(Stored(*snapshot_), account_, container_);
      return found ? *found : std::nullopt;
    }
  }
  return rows().first_unseen();
}

std::size_t PackedView::lower_bound(Uid uid) const {
  // Behind the last row: what a session with nothing new asks for first, and no reason to load the rows.
  if (uid.value >= container_.uidnext) return size();
  return rows().lower_bound(uid);
}

Uid PackedView::arrived_since(UtcTime since, std::size_t most) const {
  if (!loaded()) {
    const std::scoped_lock lock(loading_);
    if (snapshot_) {
      const auto waiting = read_placement_runs(Stored(*snapshot_), account_);
      const bool all_there = waiting && waiting->empty();  // Placements; else rows tell.
      const auto found =
          all_there ? find_arrived_since(Stored(*snapshot_), account_, container_, since, most) : Result<Uid>(Uid());
      if (!found) return uidnext();  // Unreadable: nothing is new, rather than everything.
      if (*found) return *found;
    }
  }
  const RowTable& table = rows();
  Uid first = uidnext();
  for (std::size_t index = table.size(); index > 0 && most > 0; --index, --most) {
    const Row row = table.row(index - 1);
    if (row.received < since) break;
    first = row.uid;
  }
  return first;
}

std::shared_ptr<const PackedView> PackedView::with(const Container& container,
                                                   std::span<const RowChange> changes) const {
  std::vector<RowChange> newer;
  for (const RowChange& change : changes) {
    if (change.row.modseq.value > container_.high) newer.push_back(change);
  }
  const Container& now = container.high >= container_.high ? container : container_;
  return std::make_shared<const PackedView>(account_, now, newer.empty() ? rows() : rows().with(newer));
}

void View::each(std::size_t first, std::size_t last, const RowVisit& visit) const {
  for (std::size_t index = first; index < last && visit(index, row(index));) ++index;
}

void PackedView::each(std::size_t first, std::size_t last, const RowVisit& visit) const {
  const RowTable& table = rows();
  last = std::min(last, table.size());
  Row row;
  std::size_t start = 0;
  for (const auto& part : table.parts()) {
    for (; first < std::min<std::size_t>(last, start + part.count); ++first) {
      part.chunk->read(first - start, row);
      if (!visit(first, row)) return;
    }
    start += part.count;
    if (first >= last) return;
  }
}

ViewChanges diff(const View& before, const View& after) {
  const auto& a = dynamic_cast<const PackedView&>(before);
  const auto& b = dynamic_cast<const PackedView&>(after);
  if (&a == &b) return {};
  return diff(a.rows(), b.rows());
}

}  // namespace facteur::mailbox
