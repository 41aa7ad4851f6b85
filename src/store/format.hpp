// The octets of the commit log: segment headers, groups, records (docs/store-format.md). Pure functions.
//
// A segment is a file: two copies of its header, then groups one behind the other. A group is what one write made:
// a header that says where it stands and what was durable before it, then records. All integers are big-endian.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "store/ids.hpp"

namespace facteur::store {

// A place in the log. Ordered as the log is.
struct Position {
  std::uint32_t segment = 0;  // From 1 on; 0: nowhere.
  std::uint32_t offset = 0;

  std::uint64_t number() const { return std::uint64_t{segment} << 32 | offset; }
  static Position from(std::uint64_t number) {
    return {static_cast<std::uint32_t>(number >> 32), static_cast<std::uint32_t>(number)};
  }
  friend auto operator<=>(const Position&, const Position&) = default;
};
std::string to_string(const Position& position);  // "log/00000001.seg @ 4711"

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint32_t header_copy_bytes = 512;  // One sector a copy.
inline constexpr std::uint32_t first_group = 2 * header_copy_bytes;
inline constexpr std::uint32_t group_header_bytes = 48;
inline constexpr std::uint32_t record_header_bytes = 16;
inline constexpr std::uint32_t name_octets = 32;         // In front of the octets of a body or chunk.
inline constexpr std::uint32_t group_alignment = 8;      // Groups begin at multiples of it.
inline constexpr std::uint32_t longest_group = 1 << 30;  // 1 GiB.

using InstanceId = std::array<char, 16>;

struct SegmentHeader {
  InstanceId instance{};
  std::uint32_t segment = 0;
  std::uint32_t epoch = 0;  // Which start of the server made it.
  std::uint64_t nonce = 0;  // Drawn for each life of a file: what an earlier life left never looks valid.
  std::int64_t created_ms = 0;
  Position previous_end;    // The log before this segment ends here, and is durable up to here.
  Position snapshot_begin;  // The newest complete snapshot of the index when this segment was made; or nowhere.
  Position snapshot_end;    // Of its last record.
  Position snapshot_of;     // The state of the index that it holds: all below this is in it.
};
std::string encode(const SegmentHeader& header);                   // header_copy_bytes octets.
std::optional<SegmentHeader> decode_segment_header(Bytes octets);  // nullopt: damaged, or another version.

struct GroupHeader {
  std::uint32_t segment = 0;
  std::uint32_t epoch = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;  // With header and padding.
  std::uint32_t records = 0;
  Position synced_to;        // Known durable when this was written.
  std::int64_t time_ms = 0;  // Calendar time of the write: the age of blobs.
};
void encode(const GroupHeader& header, std::uint64_t nonce, std::string& out);  // Appends group_header_bytes octets.
// nullopt unless it is whole and stands at this place of this segment.
std::optional<GroupHeader> decode_group_header(Bytes octets, const SegmentHeader& segment, std::uint32_t offset);
inline constexpr Bytes group_magic = "FGRP";

enum class RecordType : std::uint8_t {
  body = 1,          // BlobId, octets: a blob or the end of one. Stands before the transaction that adds it.
  existing = 2,      // BlobId: in place of a body that the store has already.
  chunk = 3,         // A name, octets: part of a blob that came in pieces.
  transaction = 4,   // store/transaction.hpp
  move = 5,          // Pieces of a blob have another place, if they were where this says.
  drop = 6,          // A blob goes, if nothing refers to it.
  snapshot = 7,      // Part of a snapshot of the index.
  snapshot_end = 8,  // It is complete.
};

struct RecordHeader {
  RecordType type = RecordType::body;
  std::uint32_t length = 0;    // Of the payload.
  std::uint32_t checksum = 0;  // CRC-32C of the payload.
};
// The header's own checksum covers the nonce and the place.
void encode(const RecordHeader& header, std::uint64_t nonce, std::uint32_t offset, std::string& out);
std::optional<RecordHeader> decode_record_header(Bytes octets, std::uint64_t nonce, std::uint32_t offset);

// Where the octets of a blob are: one record each, in order.
struct Piece {
  Position at;               // Of the record's header.
  std::uint32_t length = 0;  // Octets of the blob in it, without name.
  friend bool operator==(const Piece&, const Piece&) = default;
};
inline std::uint64_t record_bytes(const Piece& piece) {
  return std::uint64_t{record_header_bytes} + name_octets + piece.length;
}

// The value of a 'B' key.
struct Location {
  std::int64_t stored_ms = 0;
  std::uint64_t size = 0;
  std::vector<Piece> pieces;
};
std::string encode(const Location& location);
std::optional<Location> decode_location(Bytes value);
void encode(const std::vector<Piece>& pieces, std::string& out);  // Count, then each.

// "log/00000001.seg", and back from "00000001.seg".
std::string segment_path(std::uint32_t segment);
std::optional<std::uint32_t> segment_number(std::string_view name);

}  // namespace facteur::store
