// What changed since a moment: of a container's placements (IMAP QRESYNC, DAV sync-collection, EAS, EWS), and of the
// objects of one type (JMAP Foo/changes). Both are two range scans, bounded by what exists (DATA-MODEL.md section 1.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/records.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

struct CollectionChanges {
  struct Entry {
    std::uint64_t modseq = 0;
    bool vanished = false;
    Uid uid;
    std::uint64_t created = 0;
    std::optional<std::string> name;  // Of a vanished placement.
  };
  std::vector<Entry> entries;  // In order of modseq.
  std::uint64_t up_to = 0;     // The token to go on from.
  bool more = false;           // There is more behind up_to.
};
// nullopt: tombstones behind `since` may be gone, or an entry cannot be read: synchronise in full.
// `most`: cuts a page anywhere (0: no limit). no_such_mailbox if it does not exist.
Result<std::optional<CollectionChanges>> collection_changes(const KeyValue& from, AccountId account,
                                                            MailboxId container, std::uint64_t since,
                                                            std::size_t most = 0);

struct ObjectChanges {
  std::vector<std::uint64_t> created;
  std::vector<std::uint64_t> updated;
  std::vector<std::uint64_t> destroyed;
  std::uint64_t up_to = 0;
  bool more = false;
};
// nullopt: cannotCalculateChanges (RFC 8620 §5.2). `since` 0 is no state that was ever given out.
Result<std::optional<ObjectChanges>> object_changes(const KeyValue& from, AccountId account, Type type,
                                                    std::uint64_t since, std::size_t most = 0);

}  // namespace facteur::mailbox
