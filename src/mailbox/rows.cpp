#include "mailbox/rows.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "mailbox/keys.hpp"

namespace facteur::mailbox {
namespace {

// Little-endian integers at fixed places; compilers make single loads and stores of these.
template <int Octets>
std::uint64_t load(const char* at) {
  std::uint64_t value = 0;
  for (int i = 0; i < Octets; ++i) value |= std::uint64_t{static_cast<unsigned char>(at[i])} << (8 * i);
  return value;
}
template <int Octets>
void store_at(char* at, std::uint64_t value) {
  for (int i = 0; i < Octets; ++i) at[i] = static_cast<char>(value >> (8 * i) & 0xff);
}

// The places in a row.
constexpr std::size_t uid_at = 0, size_at = 4, modseq_at = 8, received_at = 14, item_at = 20, mid_at = 26,
                      thread_at = 32, bits_at = 38, set_at = 39;

}  // namespace

Row row_of(Uid uid, const Placement& placement) {
  Row row;
  row.uid = uid;
  row.modseq = ModSeq(placement.modseq);
  row.flags = placement.flags;
  row.size = placement.size;
  row.received = placement.received;
  row.item = placement.item;
  row.mid = placement.mid;
  row.thread = placement.thread;
  return row;
}

RowChunk::RowChunk(std::size_t capacity)
    : octets_(std::make_unique_for_overwrite<char[]>(capacity * row_octets)), capacity_(capacity) {}

RowChunk::RowChunk(const RowChunk& other, std::size_t count, std::size_t capacity)
    : RowChunk(std::max(count, capacity)) {
  std::memcpy(octets_.get(), other.octets_.get(), count * row_octets);
  filled_ = count;
  keyword_sets_ = other.keyword_sets_;
}

Uid RowChunk::uid(std::size_t index) const {
  return Uid(static_cast<std::uint32_t>(load<4>(&octets_[index * row_octets + uid_at])));
}
std::uint64_t RowChunk::modseq(std::size_t index) const { return load<6>(&octets_[index * row_octets + modseq_at]); }
std::uint8_t RowChunk::flag_bits(std::size_t index) const {
  return static_cast<std::uint8_t>(octets_[index * row_octets + bits_at]);
}

Row RowChunk::row(std::size_t index) const {
  Row row;
  read(index, row);
  return row;
}

void RowChunk::read(std::size_t index, Row& row) const {
  const char* at = &octets_[index * row_octets];
  row.uid = Uid(static_cast<std::uint32_t>(load<4>(at + uid_at)));
  row.size = static_cast<std::uint32_t>(load<4>(at + size_at));
  row.modseq = ModSeq(load<6>(at + modseq_at));
  row.received = UtcTime{static_cast<std::int64_t>(load<6>(at + received_at) << 16) >> 16};
  row.item = ItemId(load<6>(at + item_at));
  row.mid = MessageId(load<6>(at + mid_at));
  row.thread = ThreadId(load<6>(at + thread_at));
  row.flags.bits = static_cast<std::uint8_t>(at[bits_at]);
  const std::size_t set = load<2>(at + set_at);
  if (set != 0 || !row.flags.keywords.empty()) row.flags.keywords = keyword_sets_[set];
}

void RowChunk::write(std::size_t index, const Row& row, std::uint16_t set) {
  char* at = &octets_[index * row_octets];
  store_at<4>(at + uid_at, row.uid.value);
  store_at<4>(at + size_at, row.size);
  store_at<6>(at + modseq_at, row.modseq.value);
  store_at<6>(at + received_at, static_cast<std::uint64_t>(row.received.milliseconds));
  store_at<6>(at + item_at, row.item.value);
  store_at<6>(at + mid_at, row.mid.value);
  store_at<6>(at + thread_at, row.thread.value);
  at[bits_at] = static_cast<char>(row.flags.bits);
  store_at<2>(at + set_at, set);
}

std::optional<std::uint16_t> RowChunk::set_of(const std::vector<std::uint16_t>& keywords) const {
  if (keywords.empty()) return std::uint16_t{0};
  const auto found = std::ranges::find(keyword_sets_, keywords);
  if (found == keyword_sets_.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - keyword_sets_.begin());
}

bool RowChunk::append(const Row& row) {
  const auto set = set_of(row.flags.keywords);
  if (!set || filled_ == capacity_) return false;
  write(filled_++, row, *set);
  return true;
}

void RowChunk::add(const Row& row) {
  if (filled_ == capacity_) {
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_ * 2 * row_octets);
    std::memcpy(larger.get(), octets_.get(), filled_ * row_octets);
    octets_ = std::move(larger);
    capacity_ *= 2;
  }
  if (!set_of(row.flags.keywords)) keyword_sets_.push_back(row.flags.keywords);
  append(row);
}

void RowChunk::flags(std::size_t index, const Flags& flags, std::uint64_t modseq) {
  auto set = set_of(flags.keywords);
  if (!set) {
    keyword_sets_.push_back(flags.keywords);
    set = static_cast<std::uint16_t>(keyword_sets_.size() - 1);
  }
  char* at = &octets_[index * row_octets];
  store_at<6>(at + modseq_at, modseq);
  at[bits_at] = static_cast<char>(flags.bits);
  store_at<2>(at + set_at, *set);
}

std::string RowChunk::encode(const RowChunk& chunk, std::size_t count, std::span<const Uid> vanished) {
  store::Key out;
  out.u16(static_cast<std::uint16_t>(chunk.keyword_sets_.size()));
  for (const auto& set : chunk.keyword_sets_) {
    out.u16(static_cast<std::uint16_t>(set.size()));
    for (const std::uint16_t keyword : set) out.u16(keyword);
  }
  out.u32(static_cast<std::uint32_t>(count)).raw(Bytes(chunk.octets_.get(), count * row_octets));
  out.u32(static_cast<std::uint32_t>(vanished.size()));
  for (const Uid uid : vanished) out.u32(uid.value);
  return sealed(1, out);
}

std::optional<RowChunk::Decoded> RowChunk::decode(Bytes value) {
  const auto octets = unsealed(value);
  if (!octets || octets->version != 1) return std::nullopt;
  store::Parser in(octets->body);
  std::vector<std::vector<std::uint16_t>> sets(in.u16());
  for (auto& set : sets) {
    const std::uint16_t size = in.u16();
    for (std::uint16_t i = 0; i < size && in.ok(); ++i) set.push_back(in.u16());
  }
  const std::uint32_t count = in.u32();
  const Bytes rows = in.raw(std::size_t{count} * row_octets);
  if (!in.ok() || sets.empty()) return std::nullopt;
  Decoded result;
  result.chunk = std::make_shared<RowChunk>(std::max<std::size_t>(count, 1));
  if (count > 0) std::memcpy(result.chunk->octets_.get(), rows.data(), rows.size());
  result.chunk->filled_ = count;
  for (std::size_t i = 0; i < count; ++i) {
    if (load<2>(&rows[i * row_octets + set_at]) >= sets.size()) return std::nullopt;
  }
  result.chunk->keyword_sets_ = std::move(sets);
  const std::uint32_t gone = in.u32();
  for (std::uint32_t i = 0; i < gone && in.ok(); ++i) result.vanished.emplace_back(in.u32());
  if (!in.done()) return std::nullopt;
  return result;
}

// ---- tables

std::size_t RowTable::part_of(std::size_t index) const {
  // Where all chunks are full, the first guess is right.
  const std::size_t guess = index / RowChunk::most_rows;
  if (guess < starts_.size() && index < starts_[guess] && index >= start_of(guess)) return guess;
  return static_cast<std::size_t>(std::ranges::upper_bound(starts_, index) - starts_.begin());
}
Row RowTable::row(std::size_t index) const {
  const std::size_t part = part_of(index);
  return parts_[part].chunk->row(index - start_of(part));
}
Uid RowTable::uid(std::size_t index) const {
  const std::size_t part = part_of(index);
  return parts_[part].chunk->uid(index - start_of(part));
}

std::size_t RowTable::lower_bound(Uid uid) const {
  const auto part = std::ranges::partition_point(
      parts_, [uid](const Part& p) { return p.chunk->uid(p.count - 1) < uid; });  // No part is empty.
  if (part == parts_.end()) return size();
  std::size_t low = 0, high = part->count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (part->chunk->uid(middle) < uid) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return start_of(static_cast<std::size_t>(part - parts_.begin())) + low;
}

std::optional<std::size_t> RowTable::find(Uid uid) const {
  const std::size_t index = lower_bound(uid);
  if (index == size()) return std::nullopt;
  const std::size_t part = part_of(index);
  if (parts_[part].chunk->uid(index - start_of(part)) != uid) return std::nullopt;
  return index;
}

std::optional<std::size_t> RowTable::first_unseen() const {
  std::size_t index = 0;
  for (const Part& part : parts_) {
    for (std::size_t i = 0; i < part.count; ++i, ++index) {
      if ((part.chunk->flag_bits(i) & Flags::seen) == 0) return index;
    }
  }
  return std::nullopt;
}

void RowTable::add(Part part) {
  if (part.count == 0) return;
  starts_.push_back(static_cast<std::uint32_t>(size()) + part.count);
  parts_.push_back(std::move(part));
}

void RowTable::add(const Row& row) {
  const auto counted = [this] {
    ++parts_.back().count;
    ++starts_.back();
    parts_.back().stored.reset();
  };
  if (!parts_.empty()) {
    Part& last = parts_.back();
    // Behind the rows of older tables that share the chunk.
    if (last.count == last.chunk->filled() && last.chunk->append(row)) return counted();
    if (last.count < RowChunk::most_rows) {
      const std::size_t room = std::min<std::size_t>(RowChunk::most_rows, std::max<std::size_t>(16, last.count * 2u));
      last.chunk = std::make_shared<RowChunk>(*last.chunk, last.count, room);
      last.chunk->add(row);
      return counted();
    }
  }
  auto chunk = std::make_shared<RowChunk>(parts_.empty() ? 16 : RowChunk::most_rows);
  chunk->add(row);
  add(Part{std::move(chunk), 1, std::nullopt});
}

RowTable RowTable::with_rows(std::span<const RowChange> changes) const {
  // The last change of each uid, by uid.
  std::vector<const RowChange*> last;
  last.reserve(changes.size());
  for (const RowChange& change : changes) last.push_back(&change);
  const auto by_uid_then_order = [](const RowChange* a, const RowChange* b) {
    return a->row.uid != b->row.uid ? a->row.uid < b->row.uid : a < b;
  };
  if (!std::ranges::is_sorted(last, by_uid_then_order)) std::ranges::sort(last, by_uid_then_order);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < last.size(); ++i) {
    if (i + 1 == last.size() || last[i + 1]->row.uid != last[i]->row.uid) last[kept++] = last[i];
  }
  last.resize(kept);

  RowTable after;
  after.parts_.reserve(parts_.size() + 1);
  after.starts_.reserve(parts_.size() + 1);
  std::size_t next = 0;
  for (const Part& part : parts_) {
    const Uid highest = part.chunk->uid(part.count - 1);
    if (next == last.size() || last[next]->row.uid > highest) {
      after.add(part);
      continue;
    }
    auto chunk = std::make_shared<RowChunk>(std::max<std::size_t>(16, part.count));
    for (std::size_t i = 0; i < part.count; ++i) {
      const Uid uid = part.chunk->uid(i);
      // A uid that is new here although greater ones are known: only when packed rows were damaged.
      for (; next < last.size() && last[next]->row.uid < uid; ++next) {
        if (!last[next]->vanished) chunk->add(last[next]->row);
      }
      if (next < last.size() && last[next]->row.uid == uid) {
        if (!last[next]->vanished) chunk->add(last[next]->row);
        ++next;
      } else {
        chunk->add(part.chunk->row(i));
      }
    }
    const auto count = static_cast<std::uint32_t>(chunk->filled());
    after.add(Part{std::move(chunk), count, std::nullopt});
  }
  for (; next < last.size(); ++next) {
    if (!last[next]->vanished) after.add(last[next]->row);
  }
  return after;
}

RowTable RowTable::with(std::span<const RowChange> changes) const {
  RowTable after = *this;
  while (!changes.empty()) {
    const auto run = std::ranges::find_if(changes, [](const RowChange& change) { return change.run != nullptr; });
    const auto single = static_cast<std::size_t>(run - changes.begin());
    if (single > 0) after = after.with_rows(changes.first(single));
    if (run != changes.end()) after = after.with(*run->run);
    changes = changes.subspan(std::min(single + 1, changes.size()));
  }
  return after;
}

RowTable RowTable::with(const FlagRun& run) const {
  RowTable after;
  Row row;
  for (const Part& part : parts_) {
    const auto range =
        std::ranges::lower_bound(run.uids, part.chunk->uid(0), {}, [](const auto& r) { return r.second; });
    if (range == run.uids.end() || range->first > part.chunk->uid(part.count - 1)) {
      after.add(part);
      continue;
    }
    auto chunk = std::make_shared<RowChunk>(*part.chunk, part.count, part.count);
    auto at = range;
    for (std::size_t i = 0; i < part.count; ++i) {
      const Uid uid = chunk->uid(i);
      while (at != run.uids.end() && at->second < uid) ++at;
      if (at == run.uids.end()) break;
      if (uid < at->first) continue;
      const std::uint64_t modseq =
          run.first + run.before[static_cast<std::size_t>(at - run.uids.begin())] + (uid.value - at->first.value);
      if (chunk->modseq(i) >= modseq) continue;
      chunk->read(i, row);
      chunk->flags(i, run.applied_to(row.flags), modseq);
    }
    after.add(Part{std::move(chunk), part.count, std::nullopt});
  }
  return after;
}

// ---- differences

namespace {

struct Cursor {
  const std::vector<RowTable::Part>& parts;
  std::size_t part = 0;
  std::size_t index = 0;
  bool at_end() const { return part == parts.size(); }
  const RowChunk* chunk() const { return parts[part].chunk.get(); }
  Uid uid() const { return chunk()->uid(index); }
  void skip(std::size_t count) {
    index += count;
    if (index == parts[part].count) {
      ++part;
      index = 0;
    }
  }
};

}  // namespace

ViewChanges diff(const RowTable& before, const RowTable& after) {
  ViewChanges changes;
  Cursor a{before.parts()}, b{after.parts()};
  while (!a.at_end() && !b.at_end()) {
    if (a.chunk() == b.chunk() && a.index == b.index) {  // Shared rows: nothing to compare.
      const std::size_t common = std::min(a.parts[a.part].count, b.parts[b.part].count) - a.index;
      a.skip(common);
      b.skip(common);
      continue;
    }
    const Uid left = a.uid(), right = b.uid();
    if (left == right) {
      if (a.chunk()->modseq(a.index) != b.chunk()->modseq(b.index)) changes.changed.push_back(left);
      a.skip(1);
      b.skip(1);
    } else if (left < right) {
      changes.vanished.push_back(left);
      a.skip(1);
    } else {
      changes.appeared.push_back(right);
      b.skip(1);
    }
  }
  for (; !a.at_end(); a.skip(1)) changes.vanished.push_back(a.uid());
  for (; !b.at_end(); b.skip(1)) changes.appeared.push_back(b.uid());
  return changes;
}

}  // namespace facteur::mailbox
