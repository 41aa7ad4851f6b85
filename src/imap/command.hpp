// What a client asks, as values: one struct for each command of RFC 3501 and RFC 9051 and their extensions.
//
// Mailbox names are UTF-8 here, with INBOX in capitals and without a delimiter at the end; strings own their octets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "imap/sequence_set.hpp"

namespace facteur::imap {

// A list of flags as written. System flags are bits of mailbox::Flags (seen 1, answered 2, flagged 4, draft 8,
// deleted 16); \Recent is not a flag a client may set and is refused by the parser.
struct FlagList {
  std::uint8_t bits = 0;
  std::vector<std::string> keywords;  // As written, without duplicates by case.
  friend bool operator==(const FlagList&, const FlagList&) = default;
};

struct CapabilityCommand {};
struct NoopCommand {};
struct LogoutCommand {};
struct CheckCommand {};
struct CloseCommand {};
struct UnselectCommand {};
struct NamespaceCommand {};
struct IdleCommand {};
struct StartTlsCommand {};
struct IdCommand {
  std::vector<std::pair<std::string, std::string>> fields;  // RFC 2971 §3.3: at most 30; NIL values are empty.
};
struct LoginCommand {
  std::string user;
  std::string password;
};
struct AuthenticateCommand {
  std::string mechanism;               // Upper case.
  std::optional<std::string> initial;  // RFC 4959: decoded; "=" is empty.
};
struct EnableCommand {
  std::vector<std::string> capabilities;  // Upper case.
};
struct SelectCommand {
  std::string mailbox;
  bool read_only = false;  // EXAMINE.
  bool condstore = false;
  // RFC 7162 §3.2.5 QRESYNC parameter.
  struct Resync {
    std::uint32_t uidvalidity = 0;
    std::uint64_t modseq = 0;
    std::optional<SequenceSet> known_uids;
    std::optional<SequenceSet> match_numbers;  // Both or none of these two.
    std::optional<SequenceSet> match_uids;
  };
  std::optional<Resync> resync;
};
struct CreateCommand {
  std::string mailbox;
  bool only_parent = false;       // The name ended with the delimiter (RFC 9051 §6.3.4).
  std::vector<std::string> uses;  // RFC 6154 §3: (USE (\Drafts ...)), lower case without '\'.
};
struct DeleteCommand {
  std::string mailbox;
};
struct RenameCommand {
  std::string from;
  std::string to;
};
struct SubscribeCommand {
  std::string mailbox;
  bool on = true;
};

enum class StatusItem : std::uint8_t {
  messages,
  recent,
  uidnext,
  uidvalidity,
  unseen,
  deleted,
  size,
  highestmodseq,
  mailboxid,
};
struct StatusCommand {
  std::string mailbox;
  std::vector<StatusItem> items;
};

// LIST with the extensions of RFC 5258, 5819, 6154; LSUB.
struct ListCommand {
  std::string reference;
  std::vector<std::string> patterns;  // UTF-8.
  bool lsub = false;
  bool extended = false;  // Any select option, return option or list of patterns: reply as RFC 9051 §6.3.9.
  bool select_subscribed = false;
  bool select_remote = false;
  bool select_recursive_match = false;
  bool select_special_use = false;
  bool return_subscribed = false;
  bool return_children = false;
  bool return_special_use = false;
  std::vector<StatusItem> return_status;
};

// One message of an APPEND, known before its literal is read.
struct AppendParameters {
  std::string mailbox;
  FlagList flags;
  std::optional<UtcTime> received;
  std::uint64_t size = 0;
  bool utf8 = false;    // RFC 6855 §4: UTF8 (~{n}...).
  bool binary = false;  // literal8: may hold NUL (RFC 3516 §4.4).
};
struct AppendCommand {
  std::string mailbox;
};

// What a section of BODY[...] names (RFC 9051 §6.4.5).
struct Section {
  enum class Text : std::uint8_t { all, header, header_fields, header_fields_not, text, mime };
  std::vector<std::uint32_t> part;  // "1.2": {1, 2}; empty: the message.
  Text text = Text::all;
  std::vector<std::string> fields;  // Of header_fields and header_fields_not, as written.
};
struct FetchItem {
  enum class Kind : std::uint8_t {
    flags,
    uid,
    internaldate,
    rfc822_size,
    envelope,
    body,
    bodystructure,
    modseq,
    emailid,
    threadid,
    rfc822,
    rfc822_header,
    rfc822_text,
    section,      // BODY[...] and BODY.PEEK[...]
    binary,       // BINARY[...] and BINARY.PEEK[...] (RFC 9051 §6.4.5)
    binary_size,  // BINARY.SIZE[...]
    preview,      // PREVIEW, PREVIEW (LAZY) (RFC 8970 §3.1)
  };
  Kind kind = Kind::flags;
  bool peek = false;
  bool lazy = false;  // preview: NIL will do if it is not at hand.
  Section section;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> partial;  // <offset.length>; length > 0.
};
struct FetchCommand {
  bool uid = false;  // UID FETCH.
  SequenceSet set;
  std::vector<FetchItem> items;
  std::optional<std::uint64_t> changed_since;
  bool vanished = false;
};
struct StoreCommand {
  enum class Mode : std::uint8_t { replace, add, remove };
  bool uid = false;
  SequenceSet set;
  Mode mode = Mode::replace;
  bool silent = false;
  FlagList flags;
  std::optional<std::uint64_t> unchanged_since;
};
struct CopyCommand {
  bool uid = false;
  bool move = false;
  SequenceSet set;
  std::string mailbox;
};
struct ExpungeCommand {
  std::optional<SequenceSet> uids;  // UID EXPUNGE (RFC 4315 §2.1).
};

// One key of SEARCH; a tree of depth at most 20.
struct SearchKey {
  enum class Kind : std::uint8_t {
    all,
    sequence,
    uid,
    flag,
    keyword,
    recent,
    fresh /* NEW */,
    header,
    body,
    text,
    before,
    on,
    since,
    sent_before,
    sent_on,
    sent_since,
    larger,
    smaller,
    modseq,
    emailid,
    threadid,
    both /* AND of children */,
    either /* OR of two */,
    negation /* NOT of one */,
  };
  Kind kind = Kind::all;
  SequenceSet set;           // sequence, uid
  std::uint8_t bit = 0;      // flag: one system flag
  std::string field;         // header: the field's name
  std::string value;         // keyword, header, body, text: UTF-8; emailid, threadid
  std::uint64_t number = 0;  // larger, smaller, modseq
  std::int32_t day = 0;      // dates: days since 1970-01-01
  std::vector<SearchKey> children;
};
struct SearchCommand {
  bool uid = false;
  bool extended = false;  // RETURN (...): answer with ESEARCH.
  bool minimum = false, maximum = false, all = false, count = false, save = false;
  SearchKey key;  // Kind::both of all keys.
  bool uses_modseq = false;
};

using CommandBody = std::variant<CapabilityCommand, NoopCommand, LogoutCommand, CheckCommand, CloseCommand,
                                 UnselectCommand, NamespaceCommand, IdleCommand, StartTlsCommand, IdCommand,
                                 LoginCommand, AuthenticateCommand, EnableCommand, SelectCommand, CreateCommand,
                                 DeleteCommand, RenameCommand, SubscribeCommand, StatusCommand, ListCommand,
                                 AppendCommand, FetchCommand, StoreCommand, CopyCommand, ExpungeCommand, SearchCommand>;

struct Command {
  std::string tag;
  CommandBody body;
};

}  // namespace facteur::imap
