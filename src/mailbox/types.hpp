// The words of the mailbox: ids, flags, rows, views, changes (DATA-MODEL.md sections 1 and 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strong.hpp"
#include "base/time.hpp"
#include "store/ids.hpp"

namespace facteur::mailbox {

using store::AccountId;
using store::BlobId;

struct MailboxIdTag;  // A container. 48 bits, never reused: IMAP MAILBOXID, MAPI FID.
struct ItemIdTag;     // Immutable content with mutable keywords: IMAP EMAILID. 48 bits.
struct MessageIdTag;  // A placement's own 48-bit id: MAPI MID; POP3 UIDL is its base32.
struct ThreadIdTag;
struct UidTag;  // RFC 9051 §2.3.1.1: never reused within a UIDVALIDITY.
struct UidValidityTag;
struct ModSeqTag;  // RFC 7162; one value for each changed object of an account (DECISIONS.md 1). 48 bits.
using MailboxId = Strong<MailboxIdTag, std::uint64_t>;
using ItemId = Strong<ItemIdTag, std::uint64_t>;
using MessageId = Strong<MessageIdTag, std::uint64_t>;
using ThreadId = Strong<ThreadIdTag, std::uint64_t>;
using Uid = Strong<UidTag, std::uint32_t>;
using UidValidity = Strong<UidValidityTag, std::uint32_t>;
using ModSeq = Strong<ModSeqTag, std::uint64_t>;

// System flags are bits; keywords are numbers of the account's dictionary ('w' records), sorted.
struct Flags {
  enum Bit : std::uint8_t { seen = 1, answered = 2, flagged = 4, draft = 8, deleted = 16 };
  std::uint8_t bits = 0;  // `deleted` belongs to the placement, the others to the item.
  std::vector<std::uint16_t> keywords;

  bool has(Bit bit) const { return (bits & bit) != 0; }
  friend bool operator==(const Flags&, const Flags&) = default;
};

enum class FlagChange : std::uint8_t { replace, add, remove };

// RFC 6154 and RFC 8457 roles of a mailbox.
enum class Role : std::uint8_t { none, inbox, all, archive, drafts, flagged, junk, sent, trash, important };

// One message of a mailbox as a view shows it.
struct Row {
  Uid uid;
  ModSeq modseq;
  Flags flags;
  std::uint32_t size = 0;  // RFC822.SIZE: prefix and content.
  UtcTime received;        // INTERNALDATE.
  ItemId item;
  MessageId mid;
  ThreadId thread;
};

// A mailbox as LIST and STATUS see it.
struct MailboxSummary {
  MailboxId id;
  MailboxId parent;  // 0: top.
  std::string path;  // UTF-8, NFC, levels separated by '/'; "INBOX" exactly for the inbox.
  Role role = Role::none;
  bool subscribed = false;
  bool selectable = true;  // False: exists only as a parent (\NoSelect).
  UidValidity uidvalidity;
  Uid uidnext;
  ModSeq highest_modseq;
  std::uint32_t total = 0;
  std::uint32_t unread = 0;
  std::uint32_t deleted = 0;
  std::uint64_t bytes = 0;
};

}  // namespace facteur::mailbox
