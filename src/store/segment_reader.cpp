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

  // False: a record is damaged. With a visitor, the records go to it and only broken framing gives false.
  Result<bool> records(const GroupHeader& group, bool bodies, SegmentVisitor* visitor) {
    std::uint32_t at = group.offset + group_header_bytes;
    const std::uint32_t end = group.offset + group.length;
    for (std::uint32_t i = 0; i < group.records; ++i) {
      auto octets = window_.at(at, record_header_bytes);
      if (!octets) return failed(octets);
      const auto header = decode_record_header(*octets, segment_.nonce, at);
      if (!header || header->length > end - std::min(end, at + record_header_bytes)) {
        if (!visitor) return false;
        auto told = visitor->damage(at, end, "a record header is damaged");
        if (!told) return failed(told);
        return false;
      }
      auto whole = record(*header, at, bodies, visitor);
      if (!whole) return failed(whole);
      if (!*whole && !visitor) return false;
      at += record_header_bytes + header->length;
    }
    return true;
  }

  std::uint32_t end() const { return window_.end(); }

 private:
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
  for (std::uint32_t at = options.from; at < end;) {
    auto group = walker.header_at(at);
    if (!group) return failed(group);
    if (!*group) {
      auto next = walker.next_header(at);
      if (!next) return failed(next);
      if (auto told = visitor.damage(at, *next, "a group header is damaged"); !told) return told;
      at = *next;
      continue;
    }
    if (auto told = visitor.group(**group); !told) return told;
    auto records = walker.records(**group, options.bodies, &visitor);
    if (!records) return failed(records);
    if (auto told = visitor.group_end(**group); !told) return told;
    at += (*group)->length;
  }
  return {};
}

}  // namespace facteur::store
