// Packed records of what messages are made of, by columns: the envelopes of a mailbox lie behind each other, apart from
// its header texts, so that a command reads what it asks for and nothing else (DECISIONS.md 15).
//
// A group is some two hundred messages: one record (E) of each column, all with the same uids. A message that is in no
// group (the newest ones, or what could not be packed) has its own record (J).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "mailbox/records.hpp"
#include "mailbox/types.hpp"
#include "store/engine.hpp"

namespace facteur::mailbox {

// Numbers are on disk. The first four hold parts of the structure record (message::StructurePart), each a record
// itself.
enum class Column : std::uint8_t { envelope = 1, layout = 2, texts = 3, threading = 4, content = 5 };
inline constexpr std::size_t column_count = 5;
inline constexpr std::array all_columns{Column::envelope, Column::layout, Column::texts, Column::threading,
                                        Column::content};

// Where the octets of a message are: its blob, the store's hint of the place, and our prefix.
struct ContentEntry {
  BlobId blob;
  Bytes hint;
  Bytes prefix;
};
std::string encode(const ContentEntry& entry);
std::optional<ContentEntry> decode_content_entry(Bytes value);  // Borrows `value`. nullopt: damaged.

// Packs rows, given in order of uid, into groups.
class ColumnWriter {
 public:
  ColumnWriter(AccountId account, MailboxId mailbox) : account_(account), mailbox_(mailbox) {}
  // False: the structure record cannot be taken apart, and the message stays single.
  bool add(Uid uid, Bytes structure, const ContentEntry& content);
  // The values of all columns, in their order, as another mailbox has them of the same message.
  void add(Uid uid, std::span<const std::string> values);
  std::vector<std::pair<std::string, std::string>> finish();  // Keys and values.

 private:
  void close();
  AccountId account_;
  MailboxId mailbox_;
  Uid first_;
  std::vector<std::string> open_;  // The bodies of the group's records, by column.
  std::vector<std::pair<std::string, std::string>> records_;
};

// Calls `visit` with the values of `wanted` (not empty), in that order, for each packed uid from `from` on, ascending,
// until it returns false. Values are borrowed during the call. A damaged group is left out: its messages are single.
using ColumnVisit = std::function<bool(Uid uid, std::span<const Bytes> values)>;
Result<void> read_columns(const store::Reader& reader, AccountId account, MailboxId mailbox,
                          std::span<const Column> wanted, Uid from, const ColumnVisit& visit);

}  // namespace facteur::mailbox
