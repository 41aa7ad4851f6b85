// The keys of an account (DATA-MODEL.md section 2). All integers are big-endian, so that ranges sort.
#pragma once

#include <cstdint>
#include <string>

#include "mailbox/columns.hpp"
#include "mailbox/records.hpp"
#include "mailbox/types.hpp"
#include "store/key.hpp"

namespace facteur::mailbox::keys {

using store::Key;

// Every subspace of an account; what remove_account takes away.
//   A account                     C cid container             n parent name -> cid     S path subscribed
//   I item                        J item content record       P cid uid placement      m mid -> cid uid
//   h cid name -> uid             x cid modseq -> change      t cid modseq -> tombstone
//   X type modseq -> id           T type modseq -> tombstone  r thread   g hash -> thread   q cid thread -> counts
//   F cid modseq run of flag changes
//   y modseq copy, move or expunge of many that waits; behind all it is carried into: a repair writes in order of keys
//   k cid source -> uid (what was imported already)
//   w number -> keyword           V cid level n packed rows   E cid column uid packed columns
inline constexpr std::string_view subspaces = "CnSIJPmhxtXTrgqkwVEFyA";

inline Key of(char subspace, AccountId account) { return std::move(Key(subspace).u32(account.value)); }

inline Key account(AccountId a) { return of('A', a); }
inline Key container(AccountId a, MailboxId c) { return std::move(of('C', a).u48(c.value)); }
inline Key name(AccountId a, MailboxId parent, Bytes folded) {
  return std::move(of('n', a).u48(parent.value).raw(folded));
}
inline Key subscription(AccountId a, Bytes path) { return std::move(of('S', a).raw(path)); }
inline Key item(AccountId a, ItemId i) { return std::move(of('I', a).u48(i.value)); }
inline Key content(AccountId a, ItemId i) { return std::move(of('J', a).u48(i.value)); }
inline Key placements(AccountId a, MailboxId c) { return std::move(of('P', a).u48(c.value)); }
inline Key placement(AccountId a, MailboxId c, Uid u) { return std::move(placements(a, c).u32(u.value)); }
inline Key message(AccountId a, MessageId m) { return std::move(of('m', a).u48(m.value)); }
inline Key href(AccountId a, MailboxId c, Bytes name) { return std::move(of('h', a).u48(c.value).raw(name)); }
inline Key change(AccountId a, MailboxId c, std::uint64_t modseq) {
  return std::move(of('x', a).u48(c.value).u48(modseq));
}
inline Key tombstone(AccountId a, MailboxId c, std::uint64_t modseq) {
  return std::move(of('t', a).u48(c.value).u48(modseq));
}
inline Key object_change(AccountId a, Type type, std::uint64_t modseq) {
  return std::move(of('X', a).u8(static_cast<std::uint8_t>(type)).u48(modseq));
}
inline Key object_tombstone(AccountId a, Type type, std::uint64_t modseq) {
  return std::move(of('T', a).u8(static_cast<std::uint8_t>(type)).u48(modseq));
}
inline Key thread(AccountId a, ThreadId t) { return std::move(of('r', a).u48(t.value)); }
inline Key thread_key(AccountId a, std::uint64_t hash) { return std::move(of('g', a).u64(hash)); }
inline Key thread_counts(AccountId a, MailboxId c, ThreadId t) {
  return std::move(of('q', a).u48(c.value).u48(t.value));
}
inline Key source(AccountId a, MailboxId c, Bytes name) { return std::move(of('k', a).u48(c.value).raw(name)); }
inline Key keyword(AccountId a, std::uint16_t number) { return std::move(of('w', a).u16(number)); }
// Level 0: base chunks by first uid; level 1: blocks of later changes by number.
inline Key rows(AccountId a, MailboxId c, std::uint8_t level, std::uint32_t number) {
  return std::move(of('V', a).u48(c.value).u8(level).u32(number));
}
inline Key columns(AccountId a, MailboxId c, Column column) {
  return std::move(of('E', a).u48(c.value).u8(static_cast<std::uint8_t>(column)));
}
// By the first uid of its group.
inline Key column(AccountId a, MailboxId c, Column column, Uid first) {
  return std::move(columns(a, c, column).u32(first.value));
}

inline Key flag_run(AccountId a, MailboxId c, std::uint64_t first) {
  return std::move(of('F', a).u48(c.value).u48(first));
}

inline Key placement_runs(AccountId a) { return of('y', a); }
inline Key placement_run(AccountId a, std::uint64_t first) { return std::move(placement_runs(a).u48(first)); }

// The owner of a blob: "account item".
inline std::string owner(AccountId a, ItemId i) { return Key().u32(a.value).u48(i.value).take(); }

inline constexpr std::uint64_t last_modseq = (std::uint64_t{1} << 48) - 1;

}  // namespace facteur::mailbox::keys
