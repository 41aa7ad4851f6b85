#include "mailbox/columns.hpp"

#include <algorithm>
#include <array>

#include "mailbox/keys.hpp"
#include "message/structure.hpp"

namespace facteur::mailbox {
namespace {

constexpr std::uint8_t group_version = 2;  // 1 held whole structure records, before there were columns.
constexpr std::size_t most_octets = std::size_t{60} * 1024;  // Of one record: values stay below 64 KiB.

constexpr std::array parts{
    std::pair{Column::envelope, message::StructurePart::envelope},
    std::pair{Column::layout, message::StructurePart::layout},
    std::pair{Column::texts, message::StructurePart::texts},
    std::pair{Column::threading, message::StructurePart::threading},
};

std::size_t index_of(Column column) { return static_cast<std::size_t>(column) - 1; }

void add_entry(std::string& body, Uid uid, Bytes value) {
  store::Key head;
  head.u32(uid.value).u32(static_cast<std::uint32_t>(value.size()));
  body.append(head.text()).append(value);
}

// The records of one group, read in step.
class Group {
 public:
  // False: one of them is damaged or missing.
  bool open(std::span<const Bytes> records) {
    entries_.clear();
    for (const Bytes record : records) {
      const auto octets = unsealed(record);
      if (!octets || octets->version != group_version) return false;
      entries_.emplace_back(octets->body);
    }
    values_.resize(entries_.size());
    return true;
  }
  // The next uid all of them have; nullopt at the end, or if they disagree.
  std::optional<Uid> next() {
    std::uint32_t uid = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].done()) return std::nullopt;
      const std::uint32_t own = entries_[i].u32();
      values_[i] = entries_[i].string();
      if (!entries_[i].ok() || (i > 0 && own != uid)) return std::nullopt;
      uid = own;
    }
    return Uid(uid);
  }
  std::span<const Bytes> values() const { return values_; }

 private:
  std::vector<store::Parser> entries_;
  std::vector<Bytes> values_;
};

}  // namespace

std::string encode(const ContentEntry& entry) {
  store::Key out;
  out.raw(entry.blob.bytes()).u8(static_cast<std::uint8_t>(entry.hint.size())).raw(entry.hint).raw(entry.prefix);
  return out.take();
}

std::optional<ContentEntry> decode_content_entry(Bytes value) {
  store::Parser in(value);
  ContentEntry entry;
  entry.blob = BlobId::from(in.raw(sizeof entry.blob.digest));
  entry.hint = in.raw(in.u8());
  entry.prefix = in.rest();
  if (!in.ok()) return std::nullopt;
  return entry;
}

bool ColumnWriter::add(Uid uid, Bytes structure, const ContentEntry& content) {
  std::array<std::string, column_count> values;
  for (const auto& [column, part] : parts) {
    auto cut = message::structure_part(structure, part);
    if (!cut) return false;
    values[index_of(column)] = std::move(*cut);
  }
  values[index_of(Column::content)] = encode(content);
  add(uid, values);
  return true;
}

void ColumnWriter::add(Uid uid, std::span<const std::string> values) {
  for (std::size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].size() + values[i].size() < most_octets) continue;
    close();
    break;
  }
  if (open_.empty()) {
    open_.resize(column_count);
    first_ = uid;
  }
  for (std::size_t i = 0; i < column_count; ++i) add_entry(open_[i], uid, values[i]);
}

void ColumnWriter::close() {
  for (std::size_t i = 0; i < open_.size(); ++i) {
    const auto column = static_cast<Column>(i + 1);
    records_.emplace_back(keys::column(account_, mailbox_, column, first_).take(), sealed(group_version, open_[i]));
  }
  open_.clear();
}

std::vector<std::pair<std::string, std::string>> ColumnWriter::finish() {
  close();
  return std::move(records_);
}

Result<void> read_columns(const store::Reader& reader, AccountId account, MailboxId mailbox,
                          std::span<const Column> wanted, Uid from, const ColumnVisit& visit) {
  const Column leading = wanted.front();
  const auto prefix = keys::columns(account, mailbox, leading).take();
  // The group that begins at or before `from`.
  std::string start = keys::column(account, mailbox, leading, from).take();
  auto found = reader.scan_back(prefix, start + '\0', [&](Bytes key, Bytes) {
    start = std::string(key);
    return false;
  });
  if (!found) return found;
  Group group;
  Result<void> trouble;
  const auto each = [&](Bytes key, Bytes value) {
    const Uid first(store::Parser(key.substr(prefix.size())).u32());
    std::vector<std::string> others;
    std::vector<Bytes> records{value};
    for (const Column column : wanted.subspan(1)) {
      auto other = reader.get(keys::column(account, mailbox, column, first));
      if (!other) {
        trouble = failed(other);
        return false;
      }
      others.push_back(*other ? std::move(**other) : std::string());
    }
    records.insert(records.end(), others.begin(), others.end());
    if (!group.open(records)) return true;
    while (const auto uid = group.next()) {
      if (*uid >= from && !visit(*uid, group.values())) return false;
    }
    return true;
  };
  auto scanned = reader.scan(start, store::behind(prefix), each);
  return scanned ? trouble : scanned;
}

}  // namespace facteur::mailbox
