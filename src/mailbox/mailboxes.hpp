// The service of mailboxes: everything protocols, delivery and tools do with them. Callable from any shard; writes run
// on the account's home shard (hash of the account) and come back when they are durable.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/wait.hpp"
#include "mailbox/types.hpp"
#include "mailbox/view.hpp"
#include "observe/event.hpp"
#include "store/engine.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"
#include "world/shards.hpp"

namespace facteur::mailbox {

// A message on its way into mailboxes. Content is as received, after dot-unstuffing; the prefix (Return-Path, Received,
// Authentication-Results) is kept apart so that the content stays byte-exact (DECISIONS.md 5).
struct NewMessage {
  std::unique_ptr<store::Upload> upload;  // Finished. Or:
  std::string octets;                     // the whole message in memory.
  std::string head;  // With an `upload` that is not in memory any more: its header (64 KiB of it), for threads.
};

// Makes the stored structure record of a message (message::make_structure). May be called off the shards, from several
// threads at once.
using StructureMaker = std::function<std::string(Bytes prefix, Bytes content)>;

// Failures that callers tell apart (RFC 9051 §7.1: NONEXISTENT or TRYCREATE, ALREADYEXISTS, CANNOT, HASCHILDREN...).
inline constexpr std::string_view no_such_account = "F-2101";
inline constexpr std::string_view no_such_mailbox = "F-2102";
inline constexpr std::string_view mailbox_exists = "F-2103";
inline constexpr std::string_view bad_mailbox_name = "F-2104";
inline constexpr std::string_view mailbox_has_children = "F-2105";  // And is \NoSelect itself: RFC 9051 §6.3.5.
inline constexpr std::string_view mailbox_is_inbox = "F-2106";      // INBOX cannot be deleted.
inline constexpr std::string_view role_taken = "F-2108";
inline constexpr std::string_view lost_and_found = "lost+found";  // The mailbox where rescue() files.
inline constexpr std::string_view limit_reached = "F-2107";       // Too many mailboxes or keywords in one account.

// Where one copy goes.
struct Placing {
  AccountId account;
  std::string path = "INBOX";  // Created if it does not exist and `create` is set, else INBOX is used.
  bool create = false;
  std::string prefix;          // Header fields in front of the content, each line ended by CRLF; may be empty.
  std::uint8_t flag_bits = 0;  // Flags::Bit.
  std::vector<std::string> keywords;
  std::optional<UtcTime> received;  // INTERNALDATE; now if absent.
  // append() only: what names the message where it is imported from (at most 64 octets). If this mailbox was ever given
  // one of this name it is passed over, and its Placed has uid 0. Empty: always filed.
  std::string source;
};
struct Placed {
  MailboxId mailbox;
  UidValidity uidvalidity;
  Uid uid;
  ItemId item;
};

struct StoredFlags {
  std::vector<Uid> modified;  // RFC 7162 §3.1.3: not changed, their modseq was above UNCHANGEDSINCE.
  ModSeq highest;             // The mailbox after the change.
};
struct Copied {
  UidValidity uidvalidity;  // Of the target: RFC 9051 COPYUID.
  std::vector<Uid> from;
  std::vector<Uid> to;  // to[i] is the copy of from[i].
};

// What FETCH, RETR and export read of one message.
struct MessageText {
  std::string prefix;
  store::Content content;
  std::uint64_t size() const { return prefix.size() + content.size(); }
};

class Mailboxes {
 public:
  virtual ~Mailboxes() = default;

  // ---- accounts
  // Makes INBOX, Drafts, Sent, Junk, Trash, Archive with their roles. Idempotent.
  virtual Task<Result<void>> create_account(AccountId account) = 0;
  virtual Task<Result<void>> remove_account(AccountId account) = 0;  // All its mail ends now.
  // Closed, it is for everybody as if it did not exist, until it is opened again or the server starts anew; its mail
  // stays. For accounts that nobody can reach any more, though sessions are open.
  virtual Task<Result<void>> set_closed(AccountId account, bool closed) = 0;
  struct Usage {
    std::uint64_t bytes = 0;
    std::uint64_t messages = 0;
  };
  virtual Result<Usage> usage(AccountId account) const = 0;  // Exact, from the account record.

  // ---- mailboxes
  virtual Task<Result<std::vector<MailboxSummary>>> list(AccountId account) = 0;
  virtual Task<Result<std::optional<MailboxSummary>>> find(AccountId account, std::string path) = 0;
  // RFC 9051 §6.3.4: missing parents are made too.
  virtual Task<Result<MailboxId>> create(AccountId account, std::string path, Role role = Role::none) = 0;
  virtual Task<Result<void>> remove(AccountId account, std::string path) = 0;                  // RFC 9051 §6.3.5.
  virtual Task<Result<void>> rename(AccountId account, std::string from, std::string to) = 0;  // §6.3.6, INBOX too.
  // RFC 9051 §6.3.7: names may be subscribed that do not exist.
  virtual Task<Result<void>> subscribe(AccountId account, std::string path, bool on) = 0;
  virtual Task<Result<std::vector<std::string>>> subscriptions(AccountId account) = 0;

  // ---- reading (any shard)
  virtual Task<Result<std::shared_ptr<const View>>> view(AccountId account, MailboxId mailbox) = 0;
  virtual Task<Result<MessageText>> text(AccountId account, const Row& row) = 0;
  // The stored envelope/structure record (message/structure.hpp), made at delivery; empty if it must be parsed anew.
  virtual Task<Result<std::string>> structure(AccountId account, const Row& row) = 0;
  // Which parts of the structure records are wanted; what is not wanted may be empty in the record that is given.
  // `threading` is only to be had alone.
  struct Parts {
    bool envelope = false;
    bool layout = false;
    bool texts = false;
    bool threading = false;
  };
  // Runs `visit` over the structure records of rows [first, last) (0-based) in order, from packed columns: ENVELOPE of
  // a large mailbox is a few hundred sequential reads (DECISIONS.md 15), until it returns false. Records are borrowed
  // during the call; an empty one is to be made anew.
  using StructureVisit = std::function<bool(std::size_t row, Bytes record)>;
  virtual Task<Result<void>> structures(AccountId account, std::shared_ptr<const View> view, std::size_t first,
                                        std::size_t last, Parts parts, const StructureVisit& visit) = 0;
  // The same over the octets of the messages; with the wanted parts of their structure records, if any are.
  using TextVisit = std::function<bool(std::size_t row, Result<MessageText> text, Bytes record)>;
  virtual Task<Result<void>> texts(AccountId account, std::shared_ptr<const View> view, std::size_t first,
                                   std::size_t last, Parts parts, const TextVisit& visit) = 0;
  virtual Result<std::vector<std::string>> keywords(AccountId account) const = 0;  // Index = keyword number.

  // Uids that vanished and rows that changed since `since` (RFC 7162 VANISHED (EARLIER)); nullopt below the floor.
  virtual Task<Result<std::optional<ViewChanges>>> changes(AccountId account, MailboxId mailbox, ModSeq since) = 0;

  // ---- news: `bell` fires (on the calling shard) at each commit that changes the mailbox, until the Watch goes.
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  virtual std::unique_ptr<Watch> watch(AccountId account, MailboxId mailbox, Wakeup& bell) = 0;

  // ---- writing: durable when the task ends
  // One message into any number of accounts, and `also` (queue records of account 0) in the same commit: all or
  // nothing.
  virtual Task<Result<std::vector<Placed>>> file(NewMessage message, std::vector<Placing> placings,
                                                 store::Batch also = {}) = 0;
  // IMAP APPEND of several messages (MULTIAPPEND: all or nothing).
  virtual Task<Result<std::vector<Placed>>> append(AccountId account, MailboxId mailbox,
                                                   std::vector<std::pair<NewMessage, Placing>> messages) = 0;
  virtual Task<Result<StoredFlags>> store_flags(AccountId account, MailboxId mailbox, std::vector<Uid> uids,
                                                FlagChange change, std::uint8_t flag_bits,
                                                std::vector<std::string> keywords,
                                                std::optional<ModSeq> unchanged_since = {}) = 0;
  virtual Task<Result<Copied>> copy(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to) = 0;
  virtual Task<Result<Copied>> move(AccountId account, MailboxId from, std::vector<Uid> uids, MailboxId to) = 0;
  // Removes those with \Deleted; only among `uids` if given (UID EXPUNGE); `all`: whether \Deleted or not (POP3 DELE).
  virtual Task<Result<std::vector<Uid>>> expunge(AccountId account, MailboxId mailbox,
                                                 std::optional<std::vector<Uid>> uids, bool all = false) = 0;

  // ---- undelete (DECISIONS.md 14): what was expunged stays in a hidden container until housekeep() takes it
  struct Deleted {
    Uid id;            // Names it here only.
    std::string path;  // Where it was.
    Uid uid;           // The UID it had there.
    ItemId item;       // For structure().
    UtcTime at;        // When it was expunged.
    UtcTime received;
    std::uint32_t size = 0;
  };
  virtual Task<Result<std::vector<Deleted>>> deleted(AccountId account) = 0;
  // Files them again under new UIDs where they were; a mailbox that is gone is made again (or it is INBOX, if it
  // cannot be).
  virtual Task<Result<std::vector<Placed>>> undelete(AccountId account, std::vector<Uid> ids) = 0;
  // Ends for good what was expunged before `deleted_before`, and forgets tombstones older than `tombstones_before`
  // (changes() below them is then nullopt). To be called for each account once a day or so.
  struct Housekept {
    std::uint64_t ended = 0;      // Messages.
    std::uint64_t forgotten = 0;  // Tombstones.
  };
  virtual Task<Result<Housekept>> housekeep(AccountId account, UtcTime deleted_before, UtcTime tombstones_before) = 0;

  // ---- fsck
  // Whether the records of an account agree (DATA-MODEL.md section 5), and makes them agree again if asked
  // (repair.hpp). Looking disturbs nobody; during a repair the account's other changes wait, and afterwards all is read
  // anew.
  struct Checked {
    std::vector<std::string> problems;      // What is wrong, one sentence each; 1,000 at most.
    std::vector<std::string> left;          // The same after the repair.
    std::map<char, std::uint64_t> records;  // To be written or removed (written, after a repair), by subspace.
    std::uint64_t lost = 0;                 // Messages that left their mailbox; rescue() files them again.
  };
  virtual Task<Result<Checked>> check(AccountId account, bool repair) = 0;
  // Forgets what is kept in memory of an account, when nothing of it is under way: its records have been changed below
  // (store::Check). Sessions look again.
  virtual Task<void> start_anew(AccountId account) = 0;
  // All that have records, whether the directory knows them or not. Ascending.
  virtual Task<Result<std::vector<AccountId>>> stored_accounts() = 0;
  // A content, and the item that has it.
  struct Holding {
    AccountId account;
    ItemId item;
    BlobId blob;
  };
  // Contents that are kept for items which are not there any more. Nothing but damage makes one.
  virtual Task<Result<std::vector<Holding>>> orphans() = 0;
  virtual Task<Result<std::vector<Holding>>> holders(std::vector<BlobId> blobs) = 0;
  // Files it as a message in the mailbox lost+found of `into`, and ends the old reference in the same commit.
  virtual Task<Result<Placed>> rescue(Holding orphan, AccountId into) = 0;

  // Resumes when no work of its own is under way any more (packing of structure records): before the engine goes.
  virtual Task<void> finished() = 0;
};

// How changes of many messages are made. Tests make them small, so that all of it happens.
struct BulkSizes {
  std::size_t run_from = 256;     // From so many messages on, a change is one record (flag_runs, placement_runs),
  std::size_t carry_parts = 500;  // and a copy, move or expunge is carried so many messages at a time.
};

// The one implementation, over any store engine.
std::unique_ptr<Mailboxes> make_mailboxes(store::Engine& engine, world::Shards& shards, world::Clock& clock,
                                          world::Random& random, observe::Scope scope, StructureMaker structure = {},
                                          BulkSizes sizes = {});

}  // namespace facteur::mailbox
