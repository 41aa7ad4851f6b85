// One generation of a backup: which octets of which files it consists of, with their checksums.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace facteur::backup {

// The first `length` octets of the copy of a segment of the log.
struct SegmentEntry {
  std::uint32_t number = 0;
  std::uint64_t nonce = 0;
  std::uint32_t length = 0;
  std::string sha256;  // 64 hexadecimal digits, of these octets.
};

// A whole file beside the log.
struct FileEntry {
  std::string
      what;  // "data" (in the data folder), "configuration", "certificate", "key", "password", "zone", "anchor".
  std::string path;  // Of the original: absolute; for "data" relative to the data folder.
  std::uint64_t size = 0;
  std::string sha256;  // 64 hexadecimal digits.
};

struct Manifest {
  std::string instance;        // Of the store: 32 hexadecimal digits.
  std::string version;         // Of the program that wrote it.
  UtcTime taken;               // What was acknowledged before is in it.
  std::uint64_t sequence = 0;  // Generations of one folder, ascending in the order they were made.
  std::vector<SegmentEntry> segments;
  std::vector<FileEntry> files;
  std::vector<std::string> damaged;  // Places of the log that were damaged in the original already.

  std::uint64_t octets() const;  // Of all parts.
};

// Where the parts lie below the folder of the backup.
std::string segment_file(const SegmentEntry& segment);  // "segments/00000012-89abcdef01234567.seg"
std::string content_file(std::string_view sha256);      // "files/<sha256>"

// JSON: {"body":{...},"sha256":"..."} and a line end; the checksum is of the body's octets as they stand.
std::string encode(const Manifest& manifest);

// nullopt: damaged, of a version we do not know, or a part has a name that leads out of its folder.
std::optional<Manifest> decode(Bytes text);

}  // namespace facteur::backup
