#include "mailbox/records.hpp"

#include <algorithm>

#include "crypto/crc32c.hpp"
#include "store/key.hpp"

namespace facteur::mailbox {
namespace {

using store::Key;
using store::Parser;

constexpr std::uint8_t version_1 = 1;
constexpr std::uint8_t version_2 = 2;  // Of containers: E lies in columns, and `shared` is known.

void write_time(Key& to, UtcTime time) { to.u48(static_cast<std::uint64_t>(time.milliseconds)); }
UtcTime read_time(Parser& from) {  // 48 bits with sign: 4,000 years to both sides.
  const std::uint64_t raw = from.u48();
  return UtcTime{static_cast<std::int64_t>(raw << 16) >> 16};
}

void write_flags(Key& to, const Flags& flags) {
  to.u8(flags.bits).u16(static_cast<std::uint16_t>(flags.keywords.size()));
  for (const std::uint16_t keyword : flags.keywords) to.u16(keyword);
}
Flags read_flags(Parser& from) {
  Flags flags;
  flags.bits = from.u8();
  const std::uint16_t count = from.u16();
  for (std::uint16_t i = 0; i < count && from.ok(); ++i) flags.keywords.push_back(from.u16());
  return flags;
}

void write_name(Key& to, const std::optional<std::string>& name) {
  to.u8(name ? 1 : 0);
  if (name) to.string(*name);
}
std::optional<std::string> read_name(Parser& from) {
  if (from.u8() == 0) return std::nullopt;
  return std::string(from.string());
}

// A record begins with its version and ends with the checksum of all before it.
std::string closed(std::string value) {
  const std::uint32_t checksum = crypto::crc32c(value);
  for (int shift = 24; shift >= 0; shift -= 8) value += static_cast<char>(checksum >> shift & 0xff);
  return value;
}
Key begin(std::size_t room, std::uint8_t version = version_1) {  // About so many octets will follow.
  Key out;
  out.reserve(room + 5).u8(version);
  return out;
}
std::string finish(Key& record) { return closed(record.take()); }

template <class Enum>
bool in_range(Enum value, Enum last) {
  return static_cast<unsigned>(value) >= 1 && value <= last;
}

void read(Parser& p, AccountRecord& a) {
  a.modseq = p.u48();
  a.next_id = p.u48();
  a.uidvalidity = p.u32();
  a.floor = p.u48();
  const Bytes replica = p.raw(a.replica.size());
  std::ranges::copy(replica, a.replica.begin());
  a.used_bytes = p.u64();
  a.used_items = p.u64();
  a.trash = p.u48();
  a.removing = p.u8() != 0;
  for (auto& state : a.state) state = p.u48();
}

bool read(Parser& p, Container& c, std::uint8_t version) {
  c.id = MailboxId(p.u48());
  c.kind = static_cast<ContainerKind>(p.u8());
  c.parent = MailboxId(p.u48());
  c.name = std::string(p.string());
  c.role = static_cast<Role>(p.u8());
  c.selectable = p.u8() != 0;
  c.uidvalidity = UidValidity(p.u32());
  c.uidnext = p.u32();
  for (auto* modseq : {&c.created, &c.modseq, &c.counts_modseq, &c.high, &c.floor}) *modseq = p.u48();
  for (auto* count : {&c.total, &c.unread, &c.deleted, &c.threads, &c.unread_threads}) *count = p.u32();
  c.bytes = p.u64();
  c.packed = p.u48();
  for (auto* count : {&c.unpacked, &c.delta_blocks, &c.delta_rows, &c.sealed_uid, &c.sealed_rows}) *count = p.u32();
  c.shared = version == version_1 ? Container::unknown : p.u32();
  if (version == version_1) c.sealed_uid = c.sealed_rows = 0;  // To be packed anew.
  return in_range(c.kind, ContainerKind::trash) && c.role <= Role::important;
}

bool read(Parser& p, Item& i) {
  i.id = ItemId(p.u48());
  i.kind = static_cast<ItemKind>(p.u8());
  i.hidden = p.u8() != 0;
  i.blob = BlobId::from(p.raw(32));
  i.size = p.u32();
  i.received = read_time(p);
  i.thread = ThreadId(p.u48());
  i.flags = read_flags(p);
  i.created = p.u48();
  i.modseq = p.u48();
  const std::uint16_t count = p.u16();
  for (std::uint16_t n = 0; n < count && p.ok(); ++n) {
    const MailboxId mailbox(p.u48());
    i.places.emplace_back(mailbox, Uid(p.u32()));
  }
  return in_range(i.kind, ItemKind::task);
}

void read(Parser& p, ContentRecord& c) {
  c.blob = BlobId::from(p.raw(32));
  c.prefix = std::string(p.string());
  c.structure = std::string(p.string());
}

void read(Parser& p, Placement& l) {
  l.item = ItemId(p.u48());
  l.mid = MessageId(p.u48());
  for (auto* modseq : {&l.modseq, &l.created, &l.cn, &l.read_cn}) *modseq = p.u48();
  l.flags = read_flags(p);
  l.size = p.u32();
  l.received = read_time(p);
  l.thread = ThreadId(p.u48());
  l.name = read_name(p);
  l.version = std::string(p.string());
  if (p.u8() != 0) {
    auto& origin = l.origin.emplace();
    origin.mailbox = MailboxId(p.u48());
    origin.uid = Uid(p.u32());
    origin.at = read_time(p);
    origin.path = std::string(p.string());
  }
}

void read(Parser& p, Thread& t) {
  t.created = p.u48();
  t.modseq = p.u48();
  const std::uint16_t items = p.u16();
  for (std::uint16_t n = 0; n < items && p.ok(); ++n) t.items.emplace_back(p.u48());
  const std::uint16_t hashes = p.u16();
  for (std::uint16_t n = 0; n < hashes && p.ok(); ++n) t.keys.push_back(p.u64());
}

void read(Parser& p, ThreadCount& c) {
  c.items = p.u32();
  c.unread = p.u32();
}

void read(Parser& p, PlacementTombstone& t) {
  t.uid = Uid(p.u32());
  t.mid = MessageId(p.u48());
  t.item = ItemId(p.u48());
  t.created = p.u48();
  t.at = read_time(p);
  t.name = read_name(p);
}

void read(Parser& p, ObjectTombstone& t) {
  t.id = p.u48();
  t.created = p.u48();
  t.at = read_time(p);
}

void read(Parser& p, PlacementChange& c) {
  c.uid = Uid(p.u32());
  c.created = p.u48();
}

template <class Record>
bool read_all(Parser& parser, Record& record, std::uint8_t version) {
  if constexpr (std::is_same_v<Record, Container>) {
    return read(parser, record, version) && parser.done();
  } else if constexpr (std::is_same_v<decltype(read(parser, record)), bool>) {
    return read(parser, record) && parser.done();
  } else {
    read(parser, record);
    return parser.done();
  }
}

}  // namespace

Type type_of(ContainerKind kind) {
  switch (kind) {
    case ContainerKind::calendar:
      return Type::calendar;
    case ContainerKind::address_book:
      return Type::address_book;
    case ContainerKind::tasks:
      return Type::task_list;
    case ContainerKind::mail:
    case ContainerKind::trash:
      break;
  }
  return Type::mailbox;
}

Type type_of(ItemKind kind) {
  switch (kind) {
    case ItemKind::event:
      return Type::event;
    case ItemKind::contact:
      return Type::contact;
    case ItemKind::task:
      return Type::task;
    case ItemKind::email:
      break;
  }
  return Type::email;
}

std::optional<Uid> Item::uid_in(MailboxId mailbox) const {
  for (const auto& [where, uid] : places) {
    if (where == mailbox) return uid;
  }
  return std::nullopt;
}

std::string sealed(std::uint8_t version, Bytes body) {
  std::string value;
  value.reserve(body.size() + 5);
  value += static_cast<char>(version);
  value += body;
  return closed(std::move(value));
}

std::optional<Unsealed> unsealed(Bytes value) {
  if (value.size() < 5) return std::nullopt;
  const Bytes covered = value.substr(0, value.size() - 4);
  if (Parser(value.substr(value.size() - 4)).u32() != crypto::crc32c(covered)) return std::nullopt;
  return Unsealed{static_cast<std::uint8_t>(value.front()), covered.substr(1)};
}

template <class Record>
Result<Record> decode(Bytes value) {
  const auto octets = unsealed(value);
  Record record;
  constexpr std::uint8_t newest = std::is_same_v<Record, Container> ? version_2 : version_1;
  if (octets && octets->version >= version_1 && octets->version <= newest) {
    Parser parser(octets->body);
    if (read_all(parser, record, octets->version)) return record;
  }
  return failure(Failure::Kind::corrupt, "F-2110", "A record is damaged",
                 octets ? "version " + std::to_string(octets->version) + " or length" : "checksum");
}

template Result<AccountRecord> decode<AccountRecord>(Bytes);
template Result<Container> decode<Container>(Bytes);
template Result<Item> decode<Item>(Bytes);
template Result<ContentRecord> decode<ContentRecord>(Bytes);
template Result<Placement> decode<Placement>(Bytes);
template Result<Thread> decode<Thread>(Bytes);
template Result<ThreadCount> decode<ThreadCount>(Bytes);
template Result<PlacementTombstone> decode<PlacementTombstone>(Bytes);
template Result<ObjectTombstone> decode<ObjectTombstone>(Bytes);
template Result<PlacementChange> decode<PlacementChange>(Bytes);

std::string encode(const AccountRecord& a) {
  Key out = begin(160);
  out.u48(a.modseq).u48(a.next_id).u32(a.uidvalidity).u48(a.floor).raw(Bytes(a.replica.data(), a.replica.size()));
  out.u64(a.used_bytes).u64(a.used_items).u48(a.trash).u8(a.removing ? 1 : 0);
  for (const auto state : a.state) out.u48(state);
  return finish(out);
}

std::string encode(const Container& c) {
  Key out = begin(134 + c.name.size(), version_2);
  out.u48(c.id.value).u8(static_cast<std::uint8_t>(c.kind)).u48(c.parent.value).string(c.name);
  out.u8(static_cast<std::uint8_t>(c.role)).u8(c.selectable ? 1 : 0).u32(c.uidvalidity.value).u32(c.uidnext);
  out.u48(c.created).u48(c.modseq).u48(c.counts_modseq).u48(c.high).u48(c.floor);
  out.u32(c.total).u32(c.unread).u32(c.deleted).u32(c.threads).u32(c.unread_threads).u64(c.bytes);
  out.u48(c.packed).u32(c.unpacked).u32(c.delta_blocks).u32(c.delta_rows).u32(c.sealed_uid).u32(c.sealed_rows);
  out.u32(c.shared);
  return finish(out);
}

std::string encode(const Item& i) {
  Key out = begin(90 + i.flags.keywords.size() * 2 + i.places.size() * 10);
  out.u48(i.id.value).u8(static_cast<std::uint8_t>(i.kind)).u8(i.hidden ? 1 : 0).raw(i.blob.bytes()).u32(i.size);
  write_time(out, i.received);
  out.u48(i.thread.value);
  write_flags(out, i.flags);
  out.u48(i.created).u48(i.modseq).u16(static_cast<std::uint16_t>(i.places.size()));
  for (const auto& [mailbox, uid] : i.places) out.u48(mailbox.value).u32(uid.value);
  return finish(out);
}

std::string encode(const ContentRecord& c) {
  Key out = begin(40 + c.prefix.size() + c.structure.size());
  out.raw(c.blob.bytes()).string(c.prefix).string(c.structure);
  return finish(out);
}

std::string encode(const Placement& l) {
  Key out = begin(80 + l.flags.keywords.size() * 2 + l.version.size());
  out.u48(l.item.value).u48(l.mid.value).u48(l.modseq).u48(l.created).u48(l.cn).u48(l.read_cn);
  write_flags(out, l.flags);
  out.u32(l.size);
  write_time(out, l.received);
  out.u48(l.thread.value);
  write_name(out, l.name);
  out.string(l.version).u8(l.origin ? 1 : 0);
  if (l.origin) {
    out.u48(l.origin->mailbox.value).u32(l.origin->uid.value);
    write_time(out, l.origin->at);
    out.string(l.origin->path);
  }
  return finish(out);
}

std::string encode(const Thread& t) {
  Key out = begin(16 + t.items.size() * 6 + t.keys.size() * 8);
  out.u48(t.created).u48(t.modseq).u16(static_cast<std::uint16_t>(t.items.size()));
  for (const ItemId item : t.items) out.u48(item.value);
  out.u16(static_cast<std::uint16_t>(t.keys.size()));
  for (const std::uint64_t key : t.keys) out.u64(key);
  return finish(out);
}

std::string encode(const ThreadCount& c) {
  Key out = begin(8);
  out.u32(c.items).u32(c.unread);
  return finish(out);
}

std::string encode(const PlacementTombstone& t) {
  Key out = begin(30);
  out.u32(t.uid.value).u48(t.mid.value).u48(t.item.value).u48(t.created);
  write_time(out, t.at);
  write_name(out, t.name);
  return finish(out);
}

std::string encode(const ObjectTombstone& t) {
  Key out = begin(18);
  out.u48(t.id).u48(t.created);
  write_time(out, t.at);
  return finish(out);
}

std::string encode(const PlacementChange& c) {
  Key out = begin(10);
  out.u32(c.uid.value).u48(c.created);
  return finish(out);
}

}  // namespace facteur::mailbox
