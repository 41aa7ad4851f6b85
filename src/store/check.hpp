// fsck of a store: every record of the log and every blob read and compared with its checksum, and the index compared
// with what the log makes of it. Step by step, so that whoever asks can show how far it is; the store is in use
// meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "store/ids.hpp"

namespace facteur::store {

struct CheckReport {
  std::uint64_t segments = 0, records = 0, log_bytes = 0;  // Of the log, read.
  std::uint64_t damaged_records = 0;                       // Of all kinds.
  std::uint64_t blobs = 0, blob_bytes = 0, damaged_blobs = 0;
  std::uint64_t index_keys = 0;       // Compared.
  std::uint64_t different_keys = 0;   // That the log has otherwise.
  std::vector<std::string> problems;  // One sentence each; 1,000 at most.
  std::vector<std::string> left;      // Those that are not repaired.
  std::vector<BlobId> damaged;        // Blobs that cannot be read; 1,000 at most.
};

class Check {
 public:
  virtual ~Check() = default;

  enum class Stage : std::uint8_t { log, blobs, index, done };
  // Some hundred milliseconds of work; to be called until stage() is done, on one shard. Failures: the check cannot go
  // on.
  virtual Task<Result<void>> step() = 0;
  virtual Stage stage() const = 0;
  virtual const CheckReport& report() const = 0;

  // Messages whose body is in the log, whole, but whose transaction was damaged before it could be applied: they are in
  // no mailbox. When all is done; to be filed by the caller, who then calls settle(): they will not be found again.
  virtual std::vector<std::string>& lost_bodies() = 0;
  virtual Task<Result<void>> settle() = 0;
};

}  // namespace facteur::store
