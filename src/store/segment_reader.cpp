#include "store/segment_reader.hpp"

#include <algorithm>

#include "crypto/crc32c.hpp"

namespace facteur::store {

namespace {

bool is_body(RecordType type) { return type == RecordType::body || type == RecordType::chunk; }

class Walker {
 public:
  // At the end of the log, a sector that cannot be read may hide what was acknowledged: then the walk fails. Elsewhere
  // it is damage like any other.
  enum class ReadErrors : std::uint8_t { fail, damage };
  Walker(world::File& file, const SegmentHeader& segment, std::uint32_t end, ReadErrors errors)
      : segment_(segment), window_(file, end, errors == ReadErrors::damage) {}

  Result<std::optional<GroupHeader>> header_at(std::uint32_t offset) {
    auto octets = window_.at(offset, group_header_bytes);
    if (!octets) return failed(octets);
    auto header = decode_group_header(*octets, segment_, offset);
    if (header && std::uint64_t{offset} + header->length > window_.end()) header = std::nullopt;
    return header;
  }

  // The first group header at `from` or behind it; window end if there is none.
  Result<std::uint32_t> next_header(std::uint32_t from) {
    constexpr std::uint32_t stride = 64 << 10;
    for (std::uint64_t at = from; at < window_.end(); at += stride) {
      auto octets = window_.at(static_cast<std::uint32_t>(at), stride);
      if (!octets) return failed(octets);
      const std::string block(*octets);  // The window moves while candidates are looked at.
      for (std::size_t i = block.find(group_magic); i != block.npos; i = block.find(group_magic, i + 1)) {
        if ((at + i) % group_alignment != 0) continue;
        const auto offset = static_cast<std::uint32_t>(at + i);
        auto header = header_at(offset);
        if (!header) return failed(header);
        if (*header) return offset;
      }
    }
    return window_.end();
  }

  Result<bool> zeros_from(std::uint32_t from) {
    constexpr std::uint32_t stride = 64 << 10;
    for (std::uint64_t at = from; at < window_.end(); at += stride) {
      auto octets = window_.at(static_cast<std::uint32_t>(at), stride);
      if (!octets) return failed(octets);
      if (octets->find_first_not_of('\0') != octets->npos) return false;
    }
    return true;
  }

  // False: a record is damaged. With a visitor, the records go to it, those behind a damaged one too.
  Result<bool> records(const GroupHeader& group, bool bodies, SegmentVisitor* visitor) {
    std::uint32_t at = group.offset + group_header_bytes;
    const std::uint32_t end = group.offset + group.length;
    for (std::uint32_t i = 0; i < group.records; ++i) {
      auto header = record_header(at, end);
      if (!header) return failed(header);
      if (!*header) {
        if (visitor) return loose_records(at, end, "a record header is damaged", bodies, *visitor);
        return false;
      }
      auto whole = record(**header, at, bodies, visitor);
      if (!whole) return failed(whole);
      if (!*whole && !visitor) return false;
      at += record_header_bytes + (*header)->length;
    }
    return true;
  }

  // What can still be found in [from, end), whose framing is damaged: records whose header and payload are whole. Their
  // checksums cover the nonce and the place, so nothing that somebody sent in a message looks like one. Always false.
  Result<bool> loose_records(std::uint32_t from, std::uint32_t end, const std::string& why, bool bodies,
                             SegmentVisitor& visitor) {
    for (std::uint32_t at = from; at < end;) {
      auto header = record_header(at, end);
      if (!header) return failed(header);
      if (!*header) {
        auto next = next_record(at + 1, end);
        if (!next) return failed(next);
        const bool padding = at != from && *next == end && end - at < group_alignment;
        if (auto told = padding ? Result<void>() : visitor.damage(at, *next, why); !told) return failed(told);
        at = *next;
        continue;
      }
      if (auto told = record(**header, at, bodies, &visitor); !told) return failed(told);
      at += record_header_bytes + (*header)->length;
    }
    return false;
  }

  std::uint32_t end() const { return window_.end(); }

 private:
  Result<std::optional<RecordHeader>> record_header(std::uint32_t at, std::uint32_t end) {
    auto octets = window_.at(at, record_header_bytes);
    if (!octets) return failed(octets);
    auto header = decode_record_header(*octets, segment_.nonce, at);
    if (header && std::uint64_t{at} + record_header_bytes + header->length > end) header = std::nullopt;
    return header;
  }

  // The first whole record at `from` or behind it; `end` if there is none.
  Result<std::uint32_t> next_record(std::uint32_t from, std::uint32_t end) {
    constexpr std::uint32_t stride = 64 << 10;
    for (std::uint64_t at = from; at + record_header_bytes <= end; at += stride) {
      auto octets = window_.at(static_cast<std::uint32_t>(at), stride + record_header_bytes - 1);
      if (!octets) return failed(octets);
      const std::string block(octets->substr(0, end - at));  // The window moves while candidates are looked at.
      for (std::size_t i = 0; i < stride && i + record_header_bytes <= block.size(); ++i) {
        const auto offset = static_cast<std::uint32_t>(at + i);
        if (block.compare(i + 13, 3, std::string_view("\0\0\0", 3)) != 0) continue;  // Most places fail here already.
        const auto header = decode_record_header(Bytes(block).substr(i, record_header_bytes), segment_.nonce, offset);
        if (!header || offset + std::uint64_t{record_header_bytes} + header->length > end) continue;
        auto whole = record(*header, offset, true, nullptr);
        if (!whole) return failed(whole);
        if (*whole) return offset;
      }
    }
    return end;
  }

  Result<bool> record(const RecordHeader& header, std::uint32_t at, bool bodies, SegmentVisitor* visitor) {
    Bytes payload;
    bool whole = true;
    if (bodies || !is_body(header.type)) {
      auto octets = window_.at(at + record_header_bytes, header.length);
      if (!octets) return failed(octets);
      payload = *octets;
      whole = payload.size() == header.length && crypto::crc32c(payload) == header.checksum;
    }
    if (visitor) {
      auto told = visitor->record({segment_.segment, at}, header, payload, whole);
      if (!told) return failed(told);
    }
    return whole;
  }

  const SegmentHeader& segment_;
  FileWindow window_;
};

}  // namespace

Result<SegmentEnd> find_end(world::File& file, const SegmentHeader& header) {
  auto size = file.size();
  if (!size) return failed(size);
  Walker walker(file, header, static_cast<std::uint32_t>(std::min<std::uint64_t>(*size, UINT32_MAX)),
                Walker::ReadErrors::fail);

  // First the headers alone, also those behind damage: each says what was durable before it.
  SegmentEnd found;
  std::vector<GroupHeader> groups;
  for (std::uint32_t at = first_group; at < walker.end();) {
    auto group = walker.header_at(at);
    if (!group) return failed(group);
    if (!*group) {
      auto next = walker.next_header(at);
      if (!next) return failed(next);
      if (*next == walker.end()) break;
      at = *next;
      continue;
    }
    groups.push_back(**group);
    const Position synced = (*group)->synced_to;
    if (synced.segment == header.segment && synced.offset <= at) found.durable = std::max(found.durable, synced.offset);
    at += (*group)->length;
  }

  // Then the groups behind the durable end, whole: the first one that is not ends the log.
  found.end = found.durable;
  for (const GroupHeader& group : groups) {
    if (group.offset < found.end) continue;
    if (group.offset > found.end) break;
    auto whole = walker.records(group, true, nullptr);
    if (!whole) return failed(whole);
    if (!*whole) break;
    found.end = group.offset + group.length;
  }
  auto clean = walker.zeros_from(found.end);
  if (!clean) return failed(clean);
  found.clean = *clean;
  return found;
}

Result<void> walk(world::File& file, const SegmentHeader& header, std::uint32_t end, const WalkOptions& options,
                  SegmentVisitor& visitor) {
  Walker walker(file, header, end, Walker::ReadErrors::damage);
  // What a group whose header is damaged had in common with its neighbours.
  GroupHeader last{.segment = header.segment, .epoch = header.epoch, .time_ms = header.created_ms};
  for (std::uint32_t at = options.from; at < end;) {
    auto group = walker.header_at(at);
    if (!group) return failed(group);
    if (!*group) {
      auto next = walker.next_header(at);
      if (!next) return failed(next);
      last.offset = at;
      last.length = *next - at;
      if (auto told = visitor.group(last); !told) return told;
      auto found = walker.loose_records(at, *next, "a group header is damaged", options.bodies, visitor);
      if (!found) return failed(found);
      if (auto told = visitor.group_end(last); !told) return told;
      at = *next;
      continue;
    }
    last = **group;
    if (auto told = visitor.group(**group); !told) return told;
    auto records = walker.records(**group, options.bodies, &visitor);
    if (!records) return failed(records);
    if (auto told = visitor.group_end(**group); !told) return told;
    at += (*group)->length;
  }
  return {};
}

}  // namespace facteur::store
