// The records of an account: what stands behind the keys of keys.hpp, and their octets.
//
// Each record begins with the version of its format and ends with a CRC-32C of all before it. Readers know every
// version that was ever written; a damaged record gives Failure::Kind::corrupt and harms no other (DEMAND.md row 2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "mailbox/types.hpp"

namespace facteur::mailbox {

// What a container holds. `trash` is the hidden one of expunged mail (DECISIONS.md 14): no protocol shows it.
enum class ContainerKind : std::uint8_t { mail = 1, calendar = 2, address_book = 3, tasks = 4, trash = 5 };
enum class ItemKind : std::uint8_t { email = 1, event = 2, contact = 3, task = 4 };

// The types of objects that have a state of their own (JMAP Foo/changes): each has an X and a T index.
enum class Type : std::uint8_t {
  mailbox = 1,
  email = 2,
  thread = 3,
  calendar = 4,
  event = 5,
  address_book = 6,
  contact = 7,
  task_list = 8,
  task = 9,
};
inline constexpr std::size_t type_count = 16;
Type type_of(ContainerKind kind);
Type type_of(ItemKind kind);

// A: one for each account.
struct AccountRecord {
  std::uint64_t modseq = 0;        // The last one given out.
  std::uint64_t next_id = 16;      // The last one given out; containers, items, placements, threads share the numbers.
  std::uint32_t uidvalidity = 0;   // The last one given out: a counter, never the clock.
  std::uint64_t floor = 0;         // Tombstones up to this modseq may be gone.
  std::array<char, 16> replica{};  // The GUID of this account's ids (MAPI).
  std::uint64_t used_bytes = 0;
  std::uint64_t used_items = 0;
  std::uint64_t trash = 0;                        // The hidden container, 0: none yet.
  bool removing = false;                          // Its records are being removed.
  std::array<std::uint64_t, type_count> state{};  // Last modseq of each type.
  friend bool operator==(const AccountRecord&, const AccountRecord&) = default;
};

// C: a mailbox, calendar, address book.
struct Container {
  MailboxId id;
  ContainerKind kind = ContainerKind::mail;
  MailboxId parent;  // 0: top.
  std::string name;  // One level.
  Role role = Role::none;
  bool selectable = true;
  UidValidity uidvalidity;
  std::uint32_t uidnext = 1;
  std::uint64_t created = 0;
  std::uint64_t modseq = 0;         // Of its properties.
  std::uint64_t counts_modseq = 0;  // Of its counts.
  std::uint64_t high = 0;           // Of all in it.
  std::uint64_t floor = 0;          // Tombstones up to this modseq may be gone.
  std::uint32_t total = 0;
  std::uint32_t unread = 0;
  std::uint32_t deleted = 0;
  std::uint32_t threads = 0;
  std::uint32_t unread_threads = 0;
  std::uint64_t bytes = 0;
  // Packed rows (V) show the state at `packed`; later changes are in x and t (rows.hpp).
  std::uint64_t packed = 0;
  std::uint32_t unpacked = 0;      // Changes since, about.
  std::uint32_t delta_blocks = 0;  // V blocks behind the base chunks,
  std::uint32_t delta_rows = 0;    // and the rows in them.
  // Packed columns (E) cover uids up to this; how many rows were packed since E was last emptied.
  std::uint32_t sealed_uid = 0;
  std::uint32_t sealed_rows = 0;

  // How many of its placements belong to items that are elsewhere too.
  std::uint32_t shared = 0;
  static constexpr std::uint32_t unknown = UINT32_MAX;  // `shared` of a container that an older version has made.

  std::uint64_t changed() const { return modseq > counts_modseq ? modseq : counts_modseq; }  // Its X entry.
  friend bool operator==(const Container&, const Container&) = default;
};

// I: content with mutable flags.
struct Item {
  ItemId id;
  ItemKind kind = ItemKind::email;
  bool hidden = false;  // Expunged: it is in the trash container only, and no protocol sees it.
  BlobId blob;
  std::uint32_t size = 0;  // Prefix and content.
  UtcTime received;
  ThreadId thread;  // 0: none (events).
  Flags flags;      // Never `deleted`.
  std::uint64_t created = 0;
  std::uint64_t modseq = 0;
  std::vector<std::pair<MailboxId, Uid>> places;  // At most one for each container.

  std::optional<Uid> uid_in(MailboxId mailbox) const;
  friend bool operator==(const Item&, const Item&) = default;
};

// J: what reading an item needs; as immutable as the content.
struct ContentRecord {
  BlobId blob;
  std::string prefix;
  std::string structure;  // message/structure.hpp; empty: parse the content.
  friend bool operator==(const ContentRecord&, const ContentRecord&) = default;
};

// P: an item in a container.
struct Placement {
  struct Origin {  // Only in the trash container.
    MailboxId mailbox;
    Uid uid;
    UtcTime at;
    std::string path;
    friend bool operator==(const Origin&, const Origin&) = default;
  };
  ItemId item;
  MessageId mid;
  std::uint64_t modseq = 0;
  std::uint64_t created = 0;
  std::uint64_t cn = 0;       // MAPI: of the content and all flags but \Seen,
  std::uint64_t read_cn = 0;  // of \Seen.
  Flags flags;                // The item's, and `deleted` of its own.
  std::uint32_t size = 0;
  UtcTime received;
  ThreadId thread;
  std::optional<std::string> name;  // The last part of a DAV href.
  std::string version;              // MAPI change key and predecessor list, where they differ from the default.
  std::optional<Origin> origin;
  friend bool operator==(const Placement&, const Placement&) = default;
};

// r: the items of a thread, and the hashes of message ids that lead to it (g).
struct Thread {
  std::uint64_t created = 0;
  std::uint64_t modseq = 0;
  std::vector<ItemId> items;
  std::vector<std::uint64_t> keys;
  friend bool operator==(const Thread&, const Thread&) = default;
};

// q: a thread in a mailbox.
struct ThreadCount {
  std::uint32_t items = 0;
  std::uint32_t unread = 0;
};

// t: what left a container. T: what ceased to exist.
struct PlacementTombstone {
  Uid uid;
  MessageId mid;
  ItemId item;
  std::uint64_t created = 0;
  UtcTime at;
  std::optional<std::string> name;
};
struct ObjectTombstone {
  std::uint64_t id = 0;
  std::uint64_t created = 0;
  UtcTime at;
};
// x: a live placement at its modseq.
struct PlacementChange {
  Uid uid;
  std::uint64_t created = 0;
};

std::string encode(const AccountRecord& record);
std::string encode(const Container& record);
std::string encode(const Item& record);
std::string encode(const ContentRecord& record);
std::string encode(const Placement& record);
std::string encode(const Thread& record);
std::string encode(const ThreadCount& record);
std::string encode(const PlacementTombstone& record);
std::string encode(const ObjectTombstone& record);
std::string encode(const PlacementChange& record);

// One of the records above from its octets. F-2110: wrong version, length or checksum.
template <class Record>
Result<Record> decode(Bytes value);

// The octets of any record behind `body`: the version octet in front, the checksum behind.
std::string sealed(std::uint8_t version, Bytes body);
struct Unsealed {
  std::uint8_t version;
  Bytes body;
};
std::optional<Unsealed> unsealed(Bytes value);

}  // namespace facteur::mailbox
