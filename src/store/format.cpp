#include "store/format.hpp"

#include <algorithm>
#include <charconv>

#include "crypto/crc32c.hpp"
#include "store/key.hpp"

namespace facteur::store {

namespace {

constexpr Bytes segment_magic = "FACTSEG1";

std::uint32_t seeded(std::uint64_t nonce, std::uint32_t offset, Bytes octets) {
  return crypto::crc32c(octets, crypto::crc32c(Key().u64(nonce).u32(offset)));
}

}  // namespace

std::string to_string(const Position& position) {
  return segment_path(position.segment) + " @ " + std::to_string(position.offset);
}

std::string encode(const SegmentHeader& header) {
  Key body;
  body.u32(format_version).raw(Bytes(header.instance.data(), header.instance.size()));
  body.u32(header.segment).u32(header.epoch).u64(header.nonce).u64(static_cast<std::uint64_t>(header.created_ms));
  body.u64(header.previous_end.number()).u64(header.snapshot_begin.number());
  body.u64(header.snapshot_end.number()).u64(header.snapshot_of.number());
  Key whole;
  whole.raw(segment_magic).u32(crypto::crc32c(body)).raw(body);
  std::string octets = whole.take();
  octets.resize(header_copy_bytes, '\0');
  return octets;
}

std::optional<SegmentHeader> decode_segment_header(Bytes octets) {
  Parser p(octets);
  if (p.raw(segment_magic.size()) != segment_magic) return std::nullopt;
  const std::uint32_t checksum = p.u32();
  constexpr std::size_t body_octets = 4 + 16 + 4 + 4 + 8 + 8 + 4 * 8;
  const Bytes body = p.raw(body_octets);
  if (!p.ok() || crypto::crc32c(body) != checksum) return std::nullopt;
  Parser b(body);
  SegmentHeader header;
  if (b.u32() != format_version) return std::nullopt;
  std::ranges::copy(b.raw(header.instance.size()), header.instance.begin());
  header.segment = b.u32();
  header.epoch = b.u32();
  header.nonce = b.u64();
  header.created_ms = static_cast<std::int64_t>(b.u64());
  header.previous_end = Position::from(b.u64());
  header.snapshot_begin = Position::from(b.u64());
  header.snapshot_end = Position::from(b.u64());
  header.snapshot_of = Position::from(b.u64());
  return header;
}

void encode(const GroupHeader& header, std::uint64_t nonce, std::string& out) {
  Key body;
  body.u32(header.segment).u32(header.epoch).u32(header.offset).u32(header.length).u32(header.records).u32(0);
  body.u64(header.synced_to.number()).u64(static_cast<std::uint64_t>(header.time_ms));
  out += group_magic;
  out += Key().u32(seeded(nonce, header.offset, body)).text();
  out += body.text();
}

std::optional<GroupHeader> decode_group_header(Bytes octets, const SegmentHeader& segment, std::uint32_t offset) {
  if (octets.size() < group_header_bytes || !octets.starts_with(group_magic)) return std::nullopt;
  Parser p(octets.substr(group_magic.size(), group_header_bytes - group_magic.size()));
  const std::uint32_t checksum = p.u32();
  if (seeded(segment.nonce, offset, p.rest()) != checksum) return std::nullopt;
  GroupHeader header;
  header.segment = p.u32();
  header.epoch = p.u32();
  header.offset = p.u32();
  header.length = p.u32();
  header.records = p.u32();
  p.u32();
  header.synced_to = Position::from(p.u64());
  header.time_ms = static_cast<std::int64_t>(p.u64());
  const bool here = header.segment == segment.segment && header.epoch == segment.epoch && header.offset == offset;
  if (!here || header.length < group_header_bytes || header.length > longest_group) return std::nullopt;
  if (header.length % group_alignment != 0) return std::nullopt;
  return header;
}

void encode(const RecordHeader& header, std::uint64_t nonce, std::uint32_t offset, std::string& out) {
  Key body;
  body.u32(header.checksum).u32(header.length).u8(static_cast<std::uint8_t>(header.type)).u8(0).u16(0);
  out += Key().u32(seeded(nonce, offset, body)).text();
  out += body.text();
}

std::optional<RecordHeader> decode_record_header(Bytes octets, std::uint64_t nonce, std::uint32_t offset) {
  if (octets.size() < record_header_bytes) return std::nullopt;
  Parser p(octets.substr(0, record_header_bytes));
  const std::uint32_t checksum = p.u32();
  if (seeded(nonce, offset, p.rest()) != checksum) return std::nullopt;
  RecordHeader header;
  header.checksum = p.u32();
  header.length = p.u32();
  const std::uint8_t type = p.u8();
  if (type < static_cast<std::uint8_t>(RecordType::body) || type > static_cast<std::uint8_t>(RecordType::snapshot_end))
    return std::nullopt;
  header.type = static_cast<RecordType>(type);
  return header;
}

void encode(const std::vector<Piece>& pieces, std::string& out) {
  Key key;
  key.u32(static_cast<std::uint32_t>(pieces.size()));
  for (const Piece& piece : pieces) key.u64(piece.at.number()).u32(piece.length);
  out += key.text();
}

std::string encode(const Location& location) {
  std::string value = Key().u64(static_cast<std::uint64_t>(location.stored_ms)).u64(location.size).take();
  encode(location.pieces, value);
  return value;
}

std::optional<Location> decode_location(Bytes value) {
  Parser p(value);
  Location location;
  location.stored_ms = static_cast<std::int64_t>(p.u64());
  location.size = p.u64();
  const std::uint32_t count = p.u32();
  if (!p.ok() || p.rest().size() != std::size_t{count} * 12) return std::nullopt;
  location.pieces.reserve(count);
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Position at = Position::from(p.u64());
    location.pieces.push_back({at, p.u32()});
    sum += location.pieces.back().length;
  }
  if (sum != location.size) return std::nullopt;
  return location;
}

std::string segment_path(std::uint32_t segment) {
  std::string digits = std::to_string(segment);
  return "log/" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits + ".seg";
}

std::optional<std::uint32_t> segment_number(std::string_view name) {
  constexpr std::string_view ending = ".seg";
  if (!name.ends_with(ending)) return std::nullopt;
  name.remove_suffix(ending.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size() || number == 0 || name.size() < 8) return std::nullopt;
  return number;
}

}  // namespace facteur::store
