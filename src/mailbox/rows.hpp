// The rows of a mailbox in memory and on disk: chunks of up to 1,024 fixed-size rows, shared between successive tables.
//
// On disk (DECISIONS.md 15) a mailbox keeps base chunks (V level 0, by first uid), blocks of later changes (V level 1),
// and behind these only the few changes since Container::packed, found through x and t. All of it can be made again
// from the placements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mailbox/account_state.hpp"
#include "mailbox/key_value.hpp"
#include "mailbox/records.hpp"
#include "mailbox/types.hpp"
#include "mailbox/view.hpp"

namespace facteur::mailbox {

Row row_of(Uid uid, const Placement& placement);

// Up to 1,024 rows ascending by uid. Rows once given out never change: a table remembers how many of them are its own,
// and a later table may append behind these (one writer: the account's home shard).
class RowChunk {
 public:
  static constexpr std::size_t row_octets = 41;
  static constexpr std::size_t most_rows = 1024;

  explicit RowChunk(std::size_t capacity);
  // A copy of the first `count` rows of another, with room for `capacity`.
  RowChunk(const RowChunk& other, std::size_t count, std::size_t capacity);

  std::size_t filled() const { return filled_; }
  std::size_t capacity() const { return capacity_; }
  Uid uid(std::size_t index) const;
  std::uint64_t modseq(std::size_t index) const;
  std::uint8_t flag_bits(std::size_t index) const;
  Row row(std::size_t index) const;
  void read(std::size_t index, Row& into) const;  // The same into a row that is there.

  // False if there is no room, or its keywords are a set this chunk does not know yet.
  bool append(const Row& row);
  // For chunks not given out yet: as append, but makes room and learns keyword sets.
  void add(const Row& row);

  // Of a chunk not given out yet: other flags in a row, and its new modseq.
  void flags(std::size_t index, const Flags& flags, std::uint64_t modseq);

  std::string octets(std::size_t count) const { return std::string(octets_.get(), count * row_octets); }
  const std::vector<std::vector<std::uint16_t>>& keyword_sets() const { return keyword_sets_; }

  // Level 0 and 1 records: rows, and the uids that vanished.
  static std::string encode(const RowChunk& chunk, std::size_t count, std::span<const Uid> vanished);
  struct Decoded {
    std::shared_ptr<RowChunk> chunk;
    std::vector<Uid> vanished;
  };
  static std::optional<Decoded> decode(Bytes value);

 private:
  void write(std::size_t index, const Row& row, std::uint16_t set);
  std::optional<std::uint16_t> set_of(const std::vector<std::uint16_t>& keywords) const;

  std::unique_ptr<char[]> octets_;
  std::size_t capacity_ = 0;
  std::size_t filled_ = 0;
  std::vector<std::vector<std::uint16_t>> keyword_sets_{{}};  // 0: none.
};

class RowTable {
 public:
  struct Part {
    std::shared_ptr<RowChunk> chunk;
    std::uint32_t count = 0;    // Of its rows, the first so many.
    std::optional<Uid> stored;  // The base chunk on disk that this is, unchanged.
  };

  std::size_t size() const { return starts_.empty() ? 0 : starts_.back(); }
  Row row(std::size_t index) const;
  Uid uid(std::size_t index) const;
  std::size_t lower_bound(Uid uid) const;
  std::optional<std::size_t> find(Uid uid) const;
  std::optional<std::size_t> first_unseen() const;
  const std::vector<Part>& parts() const { return parts_; }
  std::size_t start_of(std::size_t part) const { return part == 0 ? 0 : starts_[part - 1]; }

  void add(Part part);
  // Appends rows in order of uid to chunks of its own.
  void add(const Row& row);

  // The table after `changes` (in order of commit); unchanged chunks are shared.
  RowTable with(std::span<const RowChange> changes) const;
  // The table after a run of flags; rows that are newer than it are left alone.
  RowTable with(const FlagRun& run) const;

 private:
  RowTable with_rows(std::span<const RowChange> changes) const;
  std::size_t part_of(std::size_t index) const;
  std::vector<Part> parts_;
  std::vector<std::uint32_t> starts_;  // Rows up to and with part i.
};

// Called with the key of a record that is damaged and what was done about it.
using Damage = std::function<void(Bytes key, std::string_view what)>;

// Changes of a mailbox behind `since`, from x and t, in order of uid; vanished ones as such.
// Rows that are in `known` (the changes of one transaction) are not read again; those above `last` are left out.
Result<std::vector<RowChange>> changes_since(const KeyValue& from, AccountId account, MailboxId mailbox,
                                             std::uint64_t since, const Damage& damage,
                                             std::span<const RowChange> known = {}, Uid last = Uid(UINT32_MAX));

// All rows of a mailbox as they are in `from`. A placement that cannot be read is a row with nothing but its uid, so
// that the others keep their numbers; damaged packed rows are made again from the placements.
Result<RowTable> load_rows(const KeyValue& from, AccountId account, const Container& container, const Damage& damage);

// The first row without \Seen, without loading more than the beginning of the mailbox. Empty inside: it is not there,
// or stands so far behind that it would cost too much to look (RFC 3501 §6.3.1 lets the answer be left out).
Result<std::optional<std::size_t>> find_first_unseen(const KeyValue& from, AccountId account,
                                                     const Container& container);

// The lowest UID of the newest placements that all came at `since` or later, of the last `most` at most; uidnext if the
// newest is older. It reads the placements from the end, a few at a time: one in a mailbox where nothing came.
Result<Uid> find_arrived_since(const KeyValue& from, AccountId account, const Container& container, UtcTime since,
                               std::size_t most);

// All rows from the placements alone.
Result<RowTable> scan_rows(const KeyValue& from, AccountId account, MailboxId mailbox, const Damage& damage);

// Brings V up to date: the changes since container.packed become a block, and many blocks are merged into base chunks.
struct PackLimits {
  std::uint32_t changes = 256;      // So many changes become a block;
  std::uint32_t delta_rows = 4096;  // so many rows in blocks are merged.
};
// `known`: as for changes_since. `newer`: rows of this container that x and t do not show yet, newer than all they do.
Result<void> pack_rows(Layer& layer, AccountId account, Container& container, const PackLimits& limits,
                       std::span<const RowChange> known = {}, std::span<const RowChange> newer = {});
Result<void> drop_packed(Layer& layer, AccountId account, Container& container);  // V, E and F.

ViewChanges diff(const RowTable& before, const RowTable& after);

}  // namespace facteur::mailbox
