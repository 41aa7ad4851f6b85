#include "store/segment.hpp"

#include <algorithm>

namespace facteur::store {

namespace {
constexpr std::uint32_t window_bytes = 16 << 20;
constexpr std::uint32_t read_ahead = 256 << 10;
}  // namespace

Segment::Segment(const SegmentHeader& header, std::unique_ptr<RestingFile> file, std::uint32_t durable)
    : header_(header), file_(std::move(file)), durable_(durable) {}

Bytes Segment::window(std::uint32_t number) {
  const std::uint64_t begin = std::uint64_t{number} * window_bytes;
  const std::uint32_t end = durable();
  // A window is mapped once it is durable to its end, and the last one once the segment is sealed: then it is fixed.
  const bool whole = begin + window_bytes <= end;
  if (!whole && !sealed()) return {};
  const std::uint64_t length = whole ? window_bytes : end - begin;
  const std::lock_guard lock(mutex_);
  if (windows_.size() <= number) windows_.resize(number + 1);
  if (windows_[number].empty()) windows_[number] = file_->map(begin, static_cast<std::size_t>(length));
  return windows_[number];
}

Result<Bytes> Segment::octets(std::uint32_t offset, std::uint32_t length, std::string& copy) {
  const std::uint64_t end = std::uint64_t{offset} + length;
  if (end > durable()) {
    return failure(Failure::Kind::corrupt, "F-2020", "A stored message is damaged",
                   to_string(Position{number(), offset}) + " lies behind the end");
  }
  if (length == 0) return Bytes();
  const std::uint32_t first = offset / window_bytes;
  if (first == (end - 1) / window_bytes) {
    const Bytes mapped = window(first);
    const std::uint32_t within = offset % window_bytes;
    if (std::uint64_t{within} + length <= mapped.size()) return mapped.substr(within, length);
  }
  return octets_by_read(offset, length, copy);
}

Result<Bytes> Segment::octets_by_read(std::uint32_t offset, std::uint32_t length, std::string& copy) {
  copy.resize(length);
  auto read = file_->read_at(offset, Room(copy.data(), copy.size()));
  if (!read) return failed(read);
  if (*read != length) {
    return failure(Failure::Kind::corrupt, "F-2021", "A stored message is damaged",
                   to_string(Position{number(), offset}) + ": the file is shorter");
  }
  return Bytes(copy);
}

Result<void> FileWindow::fill(std::uint32_t offset, std::uint32_t length) {
  begin_ = offset;
  buffer_.assign(length, '\0');
  auto read = file_.read_at(offset, Room(buffer_.data(), buffer_.size()));
  if (read) {
    buffer_.resize(*read);
    return {};
  }
  if (!skip_errors_) {
    buffer_.clear();
    return failed(read);
  }
  constexpr std::uint32_t sector = 512;
  for (std::uint32_t at = 0; at < length; at += sector) {
    const Room room(buffer_.data() + at, std::min(sector, length - at));
    if (!file_.read_at(offset + at, room)) std::ranges::fill(room, '\0');
  }
  return {};
}

Result<Bytes> FileWindow::at(std::uint32_t offset, std::uint32_t length) {
  if (offset >= end_) return Bytes();
  length = std::min(length, end_ - offset);
  if (offset < begin_ || std::uint64_t{offset} + length > begin_ + buffer_.size()) {
    auto filled = fill(offset, std::min(std::max(length, read_ahead), end_ - offset));
    if (!filled) return failed(filled);
  }
  return Bytes(buffer_).substr(offset - begin_, length);
}

Result<std::optional<SegmentHeader>> read_segment_header(world::File& file) {
  std::string octets(first_group, '\0');
  auto read = file.read_at(0, Room(octets.data(), octets.size()));
  if (!read) return failed(read);
  for (std::uint32_t at = 0; at < first_group; at += header_copy_bytes) {
    if (auto header = decode_segment_header(Bytes(octets).substr(at, header_copy_bytes))) return header;
  }
  return std::nullopt;
}

}  // namespace facteur::store
