#include "server/pop3_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/base64.hpp"
#include "crypto/hash.hpp"
#include "pop3/server_session.hpp"
#include "server/login.hpp"
#include "tls/stream.hpp"

namespace facteur::server {

// Held for the moment of a look-up only, so that shards never wait for each other noticeably.
class MaildropLocks {
 public:
  // What a session holds as long as it is there. False: another session has it.
  class Held {
   public:
    Held() = default;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { release(); }
    bool take(MaildropLocks& locks, store::AccountId account) {
      const std::lock_guard guard(locks.mutex_);
      if (!locks.open_.emplace(account.value, true).second) return false;
      locks_ = &locks;
      account_ = account;
      return true;
    }
    void release() {
      if (!locks_) return;
      const std::lock_guard guard(locks_->mutex_);
      locks_->open_.erase(account_.value);
      locks_ = nullptr;
    }

   private:
    MaildropLocks* locks_ = nullptr;
    store::AccountId account_;
  };

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, bool> open_;
};

namespace {

constexpr std::size_t nonce_octets = 16;

// An INBOX as it was when the session opened it.
class ViewMaildrop : public pop3::Maildrop {
 public:
  explicit ViewMaildrop(std::shared_ptr<const mailbox::View> view) : view_(std::move(view)) {
    for (std::size_t i = 0; i < view_->size(); ++i) octets_ += view_->row(i).size;
  }
  std::size_t count() const override { return view_->size(); }
  std::uint64_t octets() const override { return octets_; }
  std::uint64_t size(std::size_t index) const override { return view_->row(index).size; }
  std::uint64_t unique(std::size_t index) const override { return view_->row(index).mid.value; }
  const mailbox::View& view() const { return *view_; }

 private:
  std::shared_ptr<const mailbox::View> view_;
  std::uint64_t octets_ = 0;
};

// One connection being served: a local variable of the coroutine that serves it.
class Pop3Connection {
 public:
  Pop3Connection(const Pop3Doors& doors, const config::Limits& limits, MaildropLocks& locks, Connection connection)
      : doors_(doors),
        limits_(limits),
        locks_(locks),
        connection_(std::move(connection)),
        session_(session_parameters(), doors_.clock.now()),
        login_(doors_.authenticator, connection_.stream->peer().address),
        began_(doors_.clock.now()) {}
  Pop3Connection(const Pop3Connection&) = delete;
  Pop3Connection& operator=(const Pop3Connection&) = delete;

  Task<void> run();

 private:
  pop3::ServerParameters session_parameters();
  Task<void> wait();
  Task<void> perform(pop3::Action& action);
  Task<void> log_in(pop3::Authenticate& ask);
  Task<void> check_apop(const pop3::CheckApop& ask);
  void logged_in(Result<std::optional<store::AccountId>> account, std::string_view name, std::string_view mechanism);
  Task<void> open_maildrop();
  Task<void> fetch(std::size_t index);
  Task<void> update(const pop3::Update& ask);
  Task<void> send(std::span<const Bytes> pieces);
  bool intact() const;
  Task<void> start_tls();
  std::vector<mailbox::Uid> uids_of(const std::vector<std::size_t>& indexes) const;
  std::vector<mailbox::Uid> unseen(const std::vector<std::size_t>& indexes) const;

  const Pop3Doors& doors_;
  const config::Limits& limits_;
  MaildropLocks& locks_;
  Connection connection_;
  pop3::ServerSession session_;
  Login login_;
  MaildropLocks::Held lock_;
  std::optional<store::AccountId> account_;
  mailbox::MailboxId inbox_;
  std::shared_ptr<const ViewMaildrop> maildrop_;
  std::deque<mailbox::MessageText> texts_;  // The messages being sent: pinned until they have been.
  Instant began_;
  std::uint64_t retrieved_ = 0;
  std::uint64_t deleted_ = 0;
  std::uint64_t sent_bytes_ = 0;
};

pop3::ServerParameters Pop3Connection::session_parameters() {
  pop3::ServerParameters parameters;
  parameters.hostname = connection_.listener.hostname;
  parameters.tls = connection_.secured != nullptr;
  parameters.stls = connection_.tls != nullptr && !parameters.tls;
  parameters.plaintext_login = connection_.listener.plaintext_login;
  parameters.mechanisms = offered_mechanisms(doors_.authenticator);
  parameters.nonce_seed.resize(nonce_octets);
  doors_.random.fill(Room(parameters.nonce_seed));
  parameters.timeout = limits_.pop3_timeout;
  if (doors_.authenticator.any_shared_secret()) {
    // RFC 1939 §7: a msg-id that never comes twice.
    parameters.apop_challenge =
        fmt::format("<{:x}.{}@{}>", doors_.random.number(), doors_.clock.utc().milliseconds, parameters.hostname);
  }
  return parameters;
}

Task<void> Pop3Connection::run() {
  while (!session_.closed()) {
    while (auto action = session_.next()) co_await perform(*action);
    if (!session_.closed()) co_await wait();
  }
  texts_.clear();
  if (connection_.stream) connection_.stream->close();
  connection_.scope.event("pop3_session_finished")
      .field("account", account_.value_or(store::AccountId()).value)
      .field("retrieved", retrieved_)
      .field("deleted", deleted_)
      .field("sent_bytes", sent_bytes_)
      .field("duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(doors_.clock.now() - began_).count());
}

Task<void> Pop3Connection::wait() {
  auto ready = co_await connection_.stream->readable(session_.deadline(), connection_.drain);
  if (connection_.drain && connection_.drain->fired()) {
    session_.drain();
    co_return;
  }
  if (!ready) {
    if (ready.error().kind == Failure::Kind::timed_out) {
      session_.expired(doors_.clock.now());
    } else {
      session_.ended();
    }
    co_return;
  }
  auto count = co_await connection_.stream->read(session_.room(), session_.deadline());
  if (!count || *count == 0) {
    session_.ended();
  } else {
    session_.received(*count, doors_.clock.now());
  }
}

Task<void> Pop3Connection::perform(pop3::Action& action) {
  if (const auto* out = std::get_if<pop3::Send>(&action)) {
    co_await send(out->pieces);
  } else if (const auto* wanted = std::get_if<pop3::FetchMessage>(&action)) {
    co_await fetch(wanted->index);
  } else if (std::holds_alternative<pop3::ForgetMessage>(action)) {
    texts_.clear();
  } else if (auto* claim = std::get_if<pop3::Authenticate>(&action)) {
    co_await log_in(*claim);
  } else if (auto* who = std::get_if<pop3::FetchVerifier>(&action)) {
    auto found = co_await login_.verifier(who->mechanism, who->login);
    session_.verifier(std::move(found));
  } else if (const auto* apop = std::get_if<pop3::CheckApop>(&action)) {
    co_await check_apop(*apop);
  } else if (std::holds_alternative<pop3::OpenMaildrop>(action)) {
    co_await open_maildrop();
  } else if (const auto* changes = std::get_if<pop3::Update>(&action)) {
    co_await update(*changes);
  } else if (std::holds_alternative<pop3::StartTls>(action)) {
    co_await start_tls();
  } else {
    connection_.stream->end();
  }
}

Task<void> Pop3Connection::send(std::span<const Bytes> pieces) {
  for (const Bytes piece : pieces) sent_bytes_ += piece.size();
  Result<void> sent;
  // The octets were read just now, to stuff dots; if they are zeros, the connection ends before the final dot.
  if (intact()) sent = co_await connection_.stream->write(pieces, session_.deadline());
  session_.sent(doors_.clock.now());
  if (!intact()) {
    connection_.scope.event("pop3_text_became_unreadable")
        .field("account", account_.value_or(store::AccountId()).value);
    session_.ended();
  }
  if (!sent) session_.ended();
}

// Whether the messages being sent still show what was stored.
bool Pop3Connection::intact() const {
  return std::ranges::all_of(texts_, [](const mailbox::MessageText& text) { return text.content.intact(); });
}

Task<void> Pop3Connection::start_tls() {
  const auto deadline = doors_.clock.now() + limits_.tls_handshake_timeout;
  std::vector<std::string> alpn{"pop3"};  // RELIABILITY S10.
  auto secured = co_await tls::accept(std::move(connection_.stream), connection_.tls, std::move(alpn), deadline);
  if (!secured) {
    connection_.scope.event("pop3_tls_failed").failure(secured.error());
    connection_.stream = nullptr;
    session_.ended();
    co_return;
  }
  connection_.stream = std::move(secured->stream);
  session_.tls_started(doors_.clock.now());
}

// ---- who

Task<void> Pop3Connection::log_in(pop3::Authenticate& ask) {
  const auto name = ask.credentials.login;
  const auto mechanism = sasl::name(ask.credentials.mechanism);
  auto account = co_await login_.check(std::move(ask.credentials));
  logged_in(std::move(account), name, mechanism);
}

// RFC 1939 §7: the digest is MD5 over the challenge and the shared secret.
Task<void> Pop3Connection::check_apop(const pop3::CheckApop& ask) {
  const auto from = connection_.stream->peer().address;
  auto allowed = co_await doors_.authenticator.may_attempt(ask.login, from);
  if (!allowed) {
    logged_in(failed(allowed), ask.login, "APOP");
    co_return;
  }
  auto secret = doors_.authenticator.shared_secret(ask.login);
  if (!secret) {
    logged_in(failed(secret), ask.login, "APOP");
    co_return;
  }
  std::string text = ask.challenge;
  if (*secret) text.append((*secret)->secret.value);
  const bool equal = crypto::equal_in_constant_time(to_hex(crypto::md5(text).view()), ask.digest);
  crypto::wipe(text);
  const auto account = *secret && equal ? std::optional((*secret)->account) : std::nullopt;
  co_await doors_.authenticator.attempt_finished(ask.login, from, account, *allowed);
  logged_in(account, ask.login, "APOP");
}

void Pop3Connection::logged_in(Result<std::optional<store::AccountId>> account, std::string_view name,
                               std::string_view mechanism) {
  if (!account) {
    connection_.scope.event("pop3_login_failed").field("login", name).failure(account.error());
    session_.login_refused(true, account.error().text);
  } else if (!*account) {
    connection_.scope.event("pop3_login_refused").field("login", name).field("mechanism", mechanism);
    session_.login_refused(false);
  } else {
    account_ = **account;
    connection_.scope = connection_.scope.with("login", name);
    connection_.scope.event("pop3_login_finished").field("account", account_->value).field("mechanism", mechanism);
    connection_.prove();
    session_.logged_in();
  }
}

// ---- what

Task<void> Pop3Connection::open_maildrop() {
  if (!lock_.take(locks_, *account_)) {
    session_.open_refused("IN-USE");
    co_return;
  }
  auto inbox = co_await doors_.mailboxes.find(*account_, "INBOX");
  if (!inbox || !*inbox) {
    lock_.release();
    if (!inbox) connection_.scope.event("pop3_open_failed").failure(inbox.error());
    session_.open_refused(inbox ? "SYS/PERM" : "SYS/TEMP");
    co_return;
  }
  inbox_ = (*inbox)->id;
  auto view = co_await doors_.mailboxes.view(*account_, inbox_);
  if (!view) {
    lock_.release();
    connection_.scope.event("pop3_open_failed").failure(view.error());
    session_.open_refused("SYS/TEMP");
    co_return;
  }
  maildrop_ = std::make_shared<const ViewMaildrop>(std::move(*view));
  session_.opened(maildrop_);
}

Task<void> Pop3Connection::fetch(std::size_t index) {
  const mailbox::Row row = maildrop_->view().row(index);
  auto text = co_await doors_.mailboxes.text(*account_, row);
  if (!text) {
    connection_.scope.event("pop3_message_failed").field("uid", row.uid.value).failure(text.error());
    session_.message_missing(text.error().temporary());
    co_return;
  }
  const auto& kept = texts_.emplace_back(std::move(*text));
  std::vector<Bytes> pieces;
  pieces.reserve(1 + kept.content.pieces().size());
  if (!kept.prefix.empty()) pieces.emplace_back(kept.prefix);
  pieces.insert(pieces.end(), kept.content.pieces().begin(), kept.content.pieces().end());
  ++retrieved_;
  session_.message(std::move(pieces));
}

std::vector<mailbox::Uid> Pop3Connection::uids_of(const std::vector<std::size_t>& indexes) const {
  std::vector<mailbox::Uid> uids;
  uids.reserve(indexes.size());
  for (const std::size_t index : indexes) uids.push_back(maildrop_->view().row(index).uid);
  return uids;
}

// Those that were not marked as read when the maildrop was opened: a session that changes nothing commits nothing.
std::vector<mailbox::Uid> Pop3Connection::unseen(const std::vector<std::size_t>& indexes) const {
  std::vector<mailbox::Uid> uids;
  for (const std::size_t index : indexes) {
    const mailbox::Row row = maildrop_->view().row(index);
    if (!row.flags.has(mailbox::Flags::seen)) uids.push_back(row.uid);
  }
  return uids;
}

// RFC 1939 §6: removed before the reply. What another session removed meanwhile is gone too, so it is no failure.
Task<void> Pop3Connection::update(const pop3::Update& ask) {
  bool all = true;
  const auto read = unseen(*ask.retrieved);
  if (!read.empty()) {
    // What was read here is shown as read by IMAP. It is no promise of POP3, so a failure is only logged.
    std::vector<std::string> keywords;
    auto marked = co_await doors_.mailboxes.store_flags(*account_, inbox_, read, mailbox::FlagChange::add,
                                                        mailbox::Flags::seen, keywords);
    if (!marked) connection_.scope.event("pop3_mark_failed").failure(marked.error());
  }
  if (!ask.deleted->empty()) {
    auto removed = co_await doors_.mailboxes.expunge(*account_, inbox_, uids_of(*ask.deleted), true);
    all = removed.has_value();
    if (!removed) connection_.scope.event("pop3_delete_failed").failure(removed.error());
    if (removed) deleted_ = removed->size();
  }
  lock_.release();
  session_.updated(all);
}

class Pop3Service : public Service {
 public:
  Pop3Service(const Pop3Doors& doors, const config::Limits& limits, std::shared_ptr<MaildropLocks> locks)
      : doors_(doors), limits_(limits), locks_(std::move(locks)) {}

  Task<void> serve(Connection connection) override {
    Pop3Connection serving(doors_, limits_, *locks_, std::move(connection));
    co_await serving.run();
  }

 private:
  Pop3Doors doors_;
  config::Limits limits_;
  std::shared_ptr<MaildropLocks> locks_;
};

}  // namespace

std::shared_ptr<MaildropLocks> make_maildrop_locks() { return std::make_shared<MaildropLocks>(); }

std::unique_ptr<Service> make_pop3_service(Pop3Doors doors, const config::Limits& limits,
                                           std::shared_ptr<MaildropLocks> locks) {
  return std::make_unique<Pop3Service>(doors, limits, std::move(locks));
}

}  // namespace facteur::server
