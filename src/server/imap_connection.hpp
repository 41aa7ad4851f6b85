// One IMAP connection being served: what imap::ServerSession asks, answered from the mailboxes. A local variable of
// the coroutine that serves it; internal to the imap_*.cpp files here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "imap/fetch_plan.hpp"
#include "imap/search_match.hpp"
#include "imap/server_session.hpp"
#include "server/imap_recent.hpp"
#include "server/imap_service.hpp"
#include "server/login.hpp"

namespace facteur::server {

// The octets of a message, kept as long as they are in use.
imap::MessagePieces pieces_of(mailbox::MessageText text);

class ImapConnection {
 public:
  ImapConnection(const ImapDoors& doors, const config::Limits& limits, RecentBook& recent, UtcTime started,
                 Connection connection);
  ~ImapConnection();
  ImapConnection(const ImapConnection&) = delete;
  ImapConnection& operator=(const ImapConnection&) = delete;

  Task<void> run();

 private:
  using Uid = mailbox::Uid;
  using Outcome = imap::Outcome;
  using Rows = std::vector<std::pair<std::size_t, std::size_t>>;  // First and last index of runs of rows, ascending.

  // The mailbox that is selected. `view` is what the client has been told of: sequence numbers mean its rows until
  // news is announced.
  struct Selected {
    mailbox::MailboxId id;
    std::string path;
    bool read_only = false;
    std::shared_ptr<const mailbox::View> view;
    // The newest one seen: the same, or what cannot be announced yet because a message has vanished. Flags come from
    // here, so that a client never sees its own change undone.
    std::shared_ptr<const mailbox::View> newest;
    std::vector<RecentBook::Span> recent;  // Ascending.
    std::map<Uid, mailbox::ModSeq> told;   // Flags told to the client that `view` does not know yet.
    std::size_t keywords_told = 0;         // How many keywords FLAGS has listed.
    std::vector<imap::NumberRange> saved;  // UIDs of SEARCH RETURN (SAVE): "$".
    std::unique_ptr<mailbox::Mailboxes::Watch> watch;

    bool is_recent(Uid uid) const;
    mailbox::Row row(std::size_t index) const;  // Of `view`, with flags and modseq of `newest`.
    void each(std::size_t first, std::size_t last, const mailbox::View::RowVisit& visit) const;  // The same of many.
    // The flags the client believes the message to have.
    mailbox::Flags known_flags(std::size_t index) const;
  };

  // ---- the wire (imap_connection.cpp)
  Task<void> perform(imap::Action& action);
  Task<void> wait();
  Task<bool> flush();  // Sends what responses() holds; false: the connection is lost.
  Task<void> start_tls();
  Task<void> fetch_verifier(imap::FetchVerifier& ask);
  Task<void> log_in(imap::Authenticate& ask);
  Task<Outcome> execute(const imap::Command& command);
  Task<Outcome> execute_selected(const imap::Command& command);
  imap::ServerParameters session_parameters(const Connection& connection);

  // ---- mailboxes (imap_mailboxes.cpp)
  Task<Outcome> select(const imap::SelectCommand& command);
  void describe_selected();
  // What a client that knew the mailbox at `since` has missed: VANISHED (EARLIER), and FETCH of what changed.
  Task<Result<void>> resynchronize(const imap::SelectCommand::Resync& resync);
  // "* VANISHED (EARLIER) ..." of the UIDs in `among` that went after `since` (RFC 7162 §3.2.10.1).
  Task<Result<void>> write_vanished(mailbox::ModSeq since, std::vector<imap::NumberRange> among);
  Task<Outcome> close(bool expunge);
  Task<Outcome> create(const imap::CreateCommand& command);
  Task<Outcome> status(const imap::StatusCommand& command);
  void write_status(const mailbox::MailboxSummary& summary, const std::vector<imap::StatusItem>& items);

  // ---- lists (imap_list.cpp)
  Task<Outcome> list(const imap::ListCommand& command);
  Task<Outcome> lsub(const imap::ListCommand& command);

  // ---- messages (imap_fetch.cpp, imap_store.cpp)
  struct Fetching;
  Task<Outcome> fetch(const imap::FetchCommand& command);
  Task<Result<void>> mark_seen(Fetching& fetching);
  void remember_told(const Fetching& fetching);
  Task<void> fetch_columns(Fetching& fetching);
  Task<void> fetch_structures(Fetching& fetching);
  Task<void> fetch_texts(Fetching& fetching);
  void write_message(Fetching& fetching, std::size_t row, Result<mailbox::MessageText> text, Bytes record);
  Task<Outcome> store(const imap::StoreCommand& command);
  void adopt_stored(const imap::StoreCommand& command, const std::vector<Uid>& uids, const mailbox::StoredFlags& stored,
                    const std::shared_ptr<const mailbox::View>& latest, const std::vector<std::string>& names);
  Task<Outcome> copy(const imap::CopyCommand& command);
  Task<Outcome> expunge(const imap::ExpungeCommand& command);

  // ---- search (imap_search.cpp)
  Task<Outcome> search(const imap::SearchCommand& command, const std::string& tag);
  Task<Result<std::vector<std::size_t>>> matching_rows(const imap::SearchCommand& command);
  Task<void> write_search(const imap::SearchCommand& command, const std::string& tag,
                          const std::vector<std::size_t>& rows);

  // ---- append (imap_append.cpp)
  Task<void> begin_append(const imap::BeginAppend& begin);
  Task<void> append_content(const imap::AppendContent& content);
  Task<Outcome> append();
  void finish_message();

  // ---- news (imap_news.cpp)
  // Tells the client what changed since `view`, and adopts the newest one. Without `may_expunge` nothing is told while
  // a message has vanished (RFC 9051 §7.5.1): its number must not move now.
  Task<void> announce(bool may_expunge);
  void write_flags(std::size_t index, const std::vector<std::string>& names);
  void write_flags_lists();
  void claim_recent(const mailbox::View& view);
  std::size_t recent_count(const mailbox::View& view) const;
  void enable_condstore();

  // ---- sets
  // The rows a set names; nullopt: a number beyond the mailbox (RFC 9051 §9 seq-number: BAD).
  std::optional<Rows> rows_of(const imap::SequenceSet& set, bool uid) const;
  std::vector<Uid> uids_of(const Rows& rows) const;
  std::string set_text(const std::vector<Uid>& uids, bool uid) const;
  std::vector<std::string> keyword_names() const;
  static Outcome ok(std::string text, std::string code = {});
  static Outcome no(std::string code, std::string text);
  static Outcome bad(std::string text);
  Outcome failed_with(const Failure& why);

  ImapDoors doors_;
  const config::Limits& limits_;
  RecentBook& recent_;
  UtcTime started_;
  Connection connection_;
  imap::ServerSession session_;
  Login login_;
  Wakeup bell_;  // News of the mailbox, or the server's drain.
  store::AccountId account_;
  std::unique_ptr<Selected> selected_;
  bool news_ = false;  // The selected mailbox has changed since the last announce().
  bool draining_ = false;

  struct Appending {
    mailbox::MailboxId mailbox;
    std::vector<std::pair<mailbox::NewMessage, mailbox::Placing>> messages;
    std::unique_ptr<store::Upload> upload;
    bool in_memory = false;  // The message that comes goes into `messages` directly.
    std::uint64_t held = 0;  // Octets of messages in memory.
    std::string head;
    std::uint64_t bytes = 0;
    std::uint64_t room = 0;  // What the quota leaves.
  };
  std::unique_ptr<Appending> appending_;

  std::uint64_t commands_ = 0;
  // Of the messages in what is to be sent next, the one that was read first: if it is intact(), all are.
  std::optional<store::Content> witness_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  Instant began_;
};

}  // namespace facteur::server
