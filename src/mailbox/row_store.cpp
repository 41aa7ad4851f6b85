// The rows of a mailbox on disk: loading and packing.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "mailbox/keys.hpp"
#include "mailbox/rows.hpp"

namespace facteur::mailbox {
namespace {

void report(const Damage& damage, Bytes key, std::string_view what) {
  if (damage) damage(key, what);
}

// A stand-in for a placement that cannot be read: it keeps its place, and nothing else is known of it.
Row unknown_row(Uid uid) {
  Row row;
  row.uid = uid;
  row.modseq = ModSeq(1);
  return row;
}

Result<Row> read_row(const KeyValue& from, AccountId account, MailboxId mailbox, Uid uid, const Damage& damage) {
  const auto key = keys::placement(account, mailbox, uid);
  auto value = from.get(key);
  if (!value) return failed(value);
  if (*value) {
    if (const auto placement = decode<Placement>(**value)) return row_of(uid, *placement);
  }
  report(damage, key, "placement cannot be read");
  return unknown_row(uid);
}

struct Packed {
  std::vector<RowTable::Part> base;
  std::vector<RowChange> changes;  // Of the blocks, in their order.
  bool damaged = false;
};

Result<Packed> read_packed(const KeyValue& from, AccountId account, MailboxId mailbox, const Damage& damage) {
  Packed packed;
  const auto first = keys::of('V', account).u48(mailbox.value).take();
  auto scanned = from.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    store::Parser rest(key.substr(first.size()));
    const std::uint8_t level = rest.u8();
    const Uid stored(rest.u32());
    auto chunk = RowChunk::decode(value);
    if (!chunk || !rest.done() || (level == 0 && chunk->chunk->filled() == 0)) {
      report(damage, key, "packed rows cannot be read");
      packed.damaged = true;
      return false;
    }
    const std::size_t count = chunk->chunk->filled();
    if (level == 0) {
      packed.base.push_back({std::move(chunk->chunk), static_cast<std::uint32_t>(count), stored});
      return true;
    }
    for (std::size_t i = 0; i < count; ++i) packed.changes.push_back({mailbox, false, chunk->chunk->row(i)});
    for (const Uid uid : chunk->vanished) packed.changes.push_back({mailbox, true, Row{.uid = uid}});
    return true;
  });
  if (!scanned) return failed(scanned);
  return packed;
}

RowTable merged(Packed packed, const std::vector<RowChange>& changes) {
  RowTable base;
  for (auto& part : packed.base) base.add(std::move(part));
  std::ranges::copy(changes, std::back_inserter(packed.changes));
  return packed.changes.empty() ? std::move(base) : base.with(packed.changes);
}

// The rows with the runs of flags that their records do not know yet.
Result<RowTable> with_runs(Result<RowTable> rows, const KeyValue& from, AccountId account, MailboxId mailbox) {
  if (!rows) return rows;
  auto runs = read_flag_runs(from, account, mailbox);
  if (!runs) return failed(runs);
  for (const auto& run : *runs) rows = rows->with(*run);
  return rows;
}

}  // namespace

Result<std::vector<RowChange>> changes_since(const KeyValue& from, AccountId account, MailboxId mailbox,
                                             std::uint64_t since, const Damage& damage,
                                             std::span<const RowChange> known, Uid last) {
  std::unordered_map<Uid, const Row*> rows;
  for (const RowChange& change : known) {
    if (change.mailbox == mailbox && !change.vanished && !change.run) rows[change.row.uid] = &change.row;
  }
  std::vector<RowChange> changes;
  std::vector<Uid> live;
  auto scanned = from.scan(keys::change(account, mailbox, since + 1), keys::change(account, mailbox, keys::last_modseq),
                           [&](Bytes key, Bytes value) {
                             if (const auto change = decode<PlacementChange>(value)) {
                               if (change->uid <= last) live.push_back(change->uid);
                             } else {
                               report(damage, key, "change entry cannot be read");
                             }
                             return true;
                           });
  if (!scanned) return failed(scanned);
  for (const Uid uid : live) {
    if (const auto there = rows.find(uid); there != rows.end()) {
      changes.push_back({mailbox, false, *there->second});
      continue;
    }
    auto row = read_row(from, account, mailbox, uid, damage);
    if (!row) return failed(row);
    changes.push_back({mailbox, false, std::move(*row)});
  }
  scanned = from.scan(keys::tombstone(account, mailbox, since + 1),
                      keys::tombstone(account, mailbox, keys::last_modseq), [&](Bytes key, Bytes value) {
                        if (const auto tombstone = decode<PlacementTombstone>(value)) {
                          if (tombstone->uid <= last) changes.push_back({mailbox, true, Row{.uid = tombstone->uid}});
                        } else {
                          report(damage, key, "tombstone cannot be read");
                        }
                        return true;
                      });
  if (!scanned) return failed(scanned);
  std::ranges::sort(changes, {}, [](const RowChange& change) { return change.row.uid; });  // Each uid is there once.
  return changes;
}

Result<RowTable> scan_rows(const KeyValue& from, AccountId account, MailboxId mailbox, const Damage& damage) {
  RowTable table;
  const auto first = keys::placements(account, mailbox).take();
  auto scanned = from.scan(first, store::behind(first), [&](Bytes key, Bytes value) {
    const Uid uid(store::Parser(key.substr(first.size())).u32());
    if (const auto placement = decode<Placement>(value)) {
      table.add(row_of(uid, *placement));
    } else {
      report(damage, key, "placement cannot be read");
      table.add(unknown_row(uid));
    }
    return true;
  });
  if (!scanned) return failed(scanned);
  return table;
}

Result<RowTable> load_rows(const KeyValue& from, AccountId account, const Container& container, const Damage& damage) {
  auto packed = read_packed(from, account, container.id, damage);
  if (!packed) return failed(packed);
  if (packed->damaged) return with_runs(scan_rows(from, account, container.id, damage), from, account, container.id);
  auto changes = changes_since(from, account, container.id, container.packed, damage);
  if (!changes) return failed(changes);
  return with_runs(merged(std::move(*packed), *changes), from, account, container.id);
}

namespace {

// What blocks say of the rows up to `last`. False: they cannot be read.
Result<bool> read_blocks(const KeyValue& from, AccountId account, MailboxId mailbox, Uid last,
                         std::vector<RowChange>& changes) {
  bool readable = true;
  const auto blocks = keys::of('V', account).u48(mailbox.value).u8(1).take();
  auto scanned = from.scan(blocks, store::behind(blocks), [&](Bytes, Bytes value) {
    const auto block = RowChunk::decode(value);
    readable = block.has_value();
    for (std::size_t i = 0; readable && i < block->chunk->filled(); ++i) {
      if (block->chunk->uid(i) <= last) changes.push_back({mailbox, false, block->chunk->row(i)});
    }
    for (std::size_t i = 0; readable && i < block->vanished.size(); ++i) {
      if (block->vanished[i] <= last) changes.push_back({mailbox, true, Row{.uid = block->vanished[i]}});
    }
    return readable;
  });
  if (!scanned) return failed(scanned);
  return readable;
}

// The first `most` base chunks.
struct Beginning {
  RowTable rows;
  Uid last{UINT32_MAX};  // Only these rows are known; all of them if there are no more chunks.
  bool readable = true;
};

Result<Beginning> read_beginning(const KeyValue& from, AccountId account, MailboxId mailbox, std::size_t most) {
  Beginning beginning;
  std::size_t chunks = 0;
  Uid highest;
  const auto base = keys::of('V', account).u48(mailbox.value).u8(0).take();
  auto scanned = from.scan(base, store::behind(base), [&](Bytes, Bytes value) {
    if (++chunks > most) {
      beginning.last = highest;
      return false;
    }
    auto chunk = RowChunk::decode(value);
    beginning.readable = chunk && chunk->chunk->filled() > 0;
    if (!beginning.readable) return false;
    const auto count = static_cast<std::uint32_t>(chunk->chunk->filled());
    highest = chunk->chunk->uid(count - 1);
    beginning.rows.add({std::move(chunk->chunk), count, std::nullopt});
    return true;
  });
  if (!scanned) return failed(scanned);
  return beginning;
}

}  // namespace

Result<std::optional<std::size_t>> find_first_unseen(const KeyValue& from, AccountId account,
                                                     const Container& container) {
  using Found = std::optional<std::size_t>;
  // Most often the first chunk has one.
  for (const std::size_t most_chunks : {1uz, 3uz}) {
    auto beginning = read_beginning(from, account, container.id, most_chunks);
    if (!beginning) return failed(beginning);
    std::vector<RowChange> changes;
    auto readable = read_blocks(from, account, container.id, beginning->last, changes);
    if (!readable) return failed(readable);
    if (!beginning->readable || !*readable) return Found();
    auto later = changes_since(from, account, container.id, container.packed, {}, {}, beginning->last);
    if (!later) return failed(later);
    std::ranges::move(*later, std::back_inserter(changes));
    auto rows = with_runs(beginning->rows.with(changes), from, account, container.id);
    if (!rows) return failed(rows);
    if (const Found found = rows->first_unseen()) return found;
    if (beginning->last == Uid(UINT32_MAX)) break;  // That was all of it.
  }
  return Found();
}

Result<Uid> find_arrived_since(const KeyValue& from, AccountId account, const Container& container, UtcTime since,
                               std::size_t most) {
  struct Arrival {
    Uid uid;
    UtcTime received;
  };
  const std::size_t prefix = keys::placements(account, container.id).take().size();
  Uid fresh(container.uidnext);
  // Steps that double, since the last UIDs may be gone, and halve where one would read far too many.
  std::uint32_t step = 1;
  for (std::uint32_t end = container.uidnext; end > 1 && most > 0;) {
    const std::uint32_t first = end > step ? end - step : 1;
    std::vector<Arrival> arrivals;
    auto scanned = from.scan(keys::placement(account, container.id, Uid(first)),
                             keys::placement(account, container.id, Uid(end)), [&](Bytes key, Bytes value) {
                               const Uid uid(store::Parser(key.substr(prefix)).u32());
                               const auto placement = decode<Placement>(value);
                               if (placement) arrivals.push_back({uid, placement->received});
                               return arrivals.size() <= 2 * most;
                             });
    if (!scanned) return failed(scanned);
    if (arrivals.size() > 2 * most) {
      step /= 2;
      continue;
    }
    for (auto arrival = arrivals.rbegin(); arrival != arrivals.rend() && most > 0; ++arrival, --most) {
      if (arrival->received < since) return fresh;
      fresh = arrival->uid;
    }
    end = first;
    if (step < (1u << 30)) step *= 2;
  }
  return fresh;
}

namespace {

Result<std::vector<std::string>> keys_of(const KeyValue& from, std::string first) {
  std::vector<std::string> found;
  auto scanned = from.scan(first, store::behind(first), [&](Bytes key, Bytes) {
    found.emplace_back(key);
    return true;
  });
  if (!scanned) return failed(scanned);
  return found;
}

Result<void> remove_all(Layer& layer, std::string first) {
  auto found = keys_of(layer, std::move(first));
  if (!found) return failed(found);
  for (auto& key : *found) layer.remove(std::move(key));
  return {};
}

// Merges blocks into base chunks; only those that differ from what is stored are written.
Result<void> merge_blocks(Layer& layer, AccountId account, Container& container,
                          const std::vector<RowChange>& changes) {
  auto packed = read_packed(layer, account, container.id, {});
  if (!packed) return failed(packed);
  auto waiting = packed->damaged ? read_placement_runs(layer, account) : Result<PlacementRuns>(PlacementRuns());
  if (!waiting) return failed(waiting);
  // Their rows are in no placement yet: made again from these, packed rows would lack them.
  if (!waiting->empty()) return failure(Failure::Kind::corrupt, "F-2116", "Packed rows cannot be read", "a run waits");
  auto rows = packed->damaged ? scan_rows(layer, account, container.id, {}) : merged(std::move(*packed), changes);
  rows = with_runs(std::move(rows), layer, account, container.id);
  if (!rows) return failed(rows);
  // Many chunks with few rows each, after many expunges: begin anew with full ones.
  if (rows->parts().size() > 8 && rows->size() < rows->parts().size() * (RowChunk::most_rows / 4)) {
    RowTable full;
    for (std::size_t i = 0; i < rows->size(); ++i) full.add(rows->row(i));
    rows = std::move(full);
  }
  auto stored = keys_of(layer, keys::of('V', account).u48(container.id.value).take());
  if (!stored) return failed(stored);
  std::set<std::string> superfluous(stored->begin(), stored->end());
  for (const auto& part : rows->parts()) {
    if (part.stored) {
      superfluous.erase(keys::rows(account, container.id, 0, part.stored->value).take());
      continue;
    }
    auto key = keys::rows(account, container.id, 0, part.chunk->uid(0).value).take();
    superfluous.erase(key);
    layer.put(std::move(key), RowChunk::encode(*part.chunk, part.count, {}));
  }
  for (const auto& key : superfluous) layer.remove(key);
  container.delta_blocks = 0;
  container.delta_rows = 0;
  return {};
}

}  // namespace

Result<void> pack_rows(Layer& layer, AccountId account, Container& container, const PackLimits& limits,
                       std::span<const RowChange> known, std::span<const RowChange> newer) {
  auto changes = changes_since(layer, account, container.id, container.packed, {}, known);
  if (!changes) return failed(changes);
  changes->insert(changes->end(), newer.begin(), newer.end());
  RowChunk rows(std::max<std::size_t>(changes->size(), 1));
  std::vector<Uid> vanished;
  for (const RowChange& change : *changes) {
    if (change.vanished) {
      vanished.push_back(change.row.uid);
    } else {
      rows.add(change.row);
    }
  }
  auto runs = read_flag_runs(layer, account, container.id);
  if (!runs) return failed(runs);
  // Entries that runs will bring are older than what is packed then: so they must be in it.
  if (runs->empty() && container.delta_rows + changes->size() < limits.delta_rows) {
    layer.put(keys::rows(account, container.id, 1, container.delta_blocks++).take(),
              RowChunk::encode(rows, rows.filled(), vanished));
    container.delta_rows += static_cast<std::uint32_t>(changes->size());
  } else if (auto merged = merge_blocks(layer, account, container, *changes); !merged) {
    return merged;
  }
  container.packed = container.high;
  container.unpacked = 0;
  return {};
}

Result<void> drop_packed(Layer& layer, AccountId account, Container& container) {
  for (const char subspace : {'V', 'E', 'F'}) {
    auto removed = remove_all(layer, keys::of(subspace, account).u48(container.id.value).take());
    if (!removed) return removed;
  }
  container.delta_blocks = container.delta_rows = container.sealed_uid = container.sealed_rows = 0;
  return {};
}

}  // namespace facteur::mailbox
