// Makes the records of an account agree again: pure logic over a KeyValue, no I/O (DATA-MODEL.md section 5).
//
// What can be derived is derived anew from items and placements: x, X, m, h, n, r, g, q, V, E, counts, quota. A
// placement, item, container or account record that is lost is made again from what others say of it. What cannot be
// made again leaves its mailbox as if it were expunged, but its content stays referenced under its old owner: the
// rescue of orphans files it in lost+found. Nothing that is seen (UIDs, modseqs, flags, names) changes where the
// records of it are whole.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/records.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

struct RepairOptions {
  UtcTime now;
  std::array<char, 16> replica{};  // For an account record that is lost.
  // The thread keys of a message (thread_keys.hpp), for threads of which nothing but the items is left. May be empty.
  std::function<std::vector<std::uint64_t>(const ContentRecord&)> thread_keys;
};

struct Repaired {
  std::map<char, std::uint64_t> records;  // How many of each subspace (keys.hpp) were written or removed.
  std::uint64_t lost = 0;                 // Messages that left their mailbox.
  // Blobs whose reference by an item was missing: owner (keys::owner) of each, to be added in the same commit.
  std::vector<std::pair<BlobId, std::string>> references;

  bool any() const { return !records.empty() || !references.empty(); }
};

// Writes the changes into `layer`, and reads what is below it. All of the account is in memory meanwhile. Without an
// account record and without any container or placement there is nothing to repair.
Result<Repaired> repair_account(Layer& layer, AccountId account, const RepairOptions& options);

// Carries all runs of flags (flag_runs.hpp) into single records. Runs of containers that are lost go.
Result<void> carry_all_runs(Layer& layer, AccountId account);

}  // namespace facteur::mailbox
