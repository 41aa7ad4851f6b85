#include "server/imap_connection.hpp"

#include "server/patient_write.hpp"
#include "tls/stream.hpp"

namespace facteur::server {
namespace {

constexpr std::size_t nonce_octets = 16;

std::string_view code_of(const Failure& why) {
  // RFC 5530 §3, RFC 9051 §7.1: the one place where failures become response codes.
  if (why.code == mailbox::no_such_mailbox) return "NONEXISTENT";
  if (why.code == mailbox::mailbox_exists) return "ALREADYEXISTS";
  if (why.code == mailbox::bad_mailbox_name) return "CANNOT";
  if (why.code == mailbox::mailbox_has_children) return "HASCHILDREN";
  if (why.code == mailbox::mailbox_is_inbox) return "CANNOT";
  if (why.code == mailbox::limit_reached) return "LIMIT";
  switch (why.kind) {
    case Failure::Kind::refused:
      return "NOPERM";
    case Failure::Kind::corrupt:
      return "CORRUPTION";
    case Failure::Kind::permanent:
      return "CANNOT";
    default:
      return "UNAVAILABLE";
  }
}

}  // namespace

ImapConnection::ImapConnection(const ImapDoors& doors, const config::Limits& limits, RecentBook& recent,
                               UtcTime started, Connection connection)
    : doors_(doors),
      limits_(limits),
      recent_(recent),
      started_(started),
      connection_(std::move(connection)),
      session_(session_parameters(connection_), doors_.clock.now()),
      login_(doors_.authenticator, connection_.stream->peer().address),
      began_(doors_.clock.now()) {
  connection_.secured.reset();  // All that was to be known of it is known.
  if (connection_.drain == nullptr) return;
  draining_ = connection_.drain->fired();
  if (draining_) {
    bell_.fire();
  } else {
    connection_.drain->listen([this] {
      draining_ = true;
      bell_.fire();
    });
  }
}

ImapConnection::~ImapConnection() {
  if (connection_.drain != nullptr) connection_.drain->ignore();
}

imap::ServerParameters ImapConnection::session_parameters(const Connection& connection) {
  imap::ServerParameters parameters;
  parameters.hostname = connection.listener.hostname;
  parameters.tls = connection.secured != nullptr;
  parameters.starttls = connection.tls != nullptr && !parameters.tls;
  parameters.plaintext_login = connection.listener.plaintext_login;
  parameters.mechanisms = offered_mechanisms(doors_.authenticator);
  parameters.nonce_seed.resize(nonce_octets);
  doors_.random.fill(Room(parameters.nonce_seed));
  parameters.message_size = limits_.message_size;
  parameters.line_before_login = limits_.imap_line_before_login;
  parameters.line = limits_.imap_line;
  parameters.login_timeout = limits_.imap_login_timeout;
  parameters.idle_timeout = limits_.imap_idle_timeout;
  return parameters;
}

Task<void> ImapConnection::run() {
  while (!session_.closed()) {
    while (auto action = session_.next()) co_await perform(*action);
    if (!session_.closed()) co_await wait();
  }
  if (connection_.stream != nullptr) connection_.stream->close();
  connection_.scope.event("imap_session_finished")
      .field("account", account_.value)
      .field("commands", commands_)
      .field("received_bytes", received_bytes_)
      .field("sent_bytes", sent_bytes_)
      .field("duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(doors_.clock.now() - began_).count());
}

Task<void> ImapConnection::wait() {
  auto ready = co_await connection_.stream->readable(session_.deadline(), &bell_);
  if (bell_.fired()) {
    bell_.clear();
    if (draining_) session_.drain();
    news_ = selected_ != nullptr;
    if (news_) session_.news();
    if (ready) co_return;
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
    received_bytes_ += *count;
    session_.received(*count, doors_.clock.now());
  }
}

Task<bool> ImapConnection::flush() {
  const auto pieces = session_.responses().pieces();
  for (const auto piece : pieces) sent_bytes_ += piece.size();
  std::function<bool()> intact;
  if (witness_) intact = [this] { return witness_->intact(); };
  auto sent = co_await write_patiently(*connection_.stream, doors_.clock, pieces, std::move(intact));
  witness_.reset();
  session_.sent();
  if (!sent && sent.error().kind == Failure::Kind::corrupt) {
    connection_.scope.event("imap_text_became_unreadable").failure(sent.error());
  }
  if (!sent) session_.ended();
  co_return sent.has_value();
}

Task<void> ImapConnection::perform(imap::Action& action) {
  if (auto* execute_it = std::get_if<imap::Execute>(&action)) {
    ++commands_;
    const auto outcome = co_await execute(*execute_it->command);
    if (!session_.closed()) session_.executed(outcome);
  } else if (auto* ask = std::get_if<imap::FetchVerifier>(&action)) {
    co_await fetch_verifier(*ask);
  } else if (auto* claim = std::get_if<imap::Authenticate>(&action)) {
    co_await log_in(*claim);
  } else if (auto* begin = std::get_if<imap::BeginAppend>(&action)) {
    co_await begin_append(*begin);
  } else if (auto* content = std::get_if<imap::AppendContent>(&action)) {
    co_await append_content(*content);
  } else if (std::holds_alternative<imap::Announce>(action)) {
    co_await announce(true);
    if (!session_.closed()) session_.announced();
  } else if (std::holds_alternative<imap::Send>(action)) {
    co_await flush();
  } else if (std::holds_alternative<imap::StartTls>(action)) {
    co_await start_tls();
  } else if (std::holds_alternative<imap::AbandonAppend>(action)) {
    appending_.reset();
  } else {
    connection_.stream->end();
  }
}

Task<void> ImapConnection::start_tls() {
  const auto deadline = doors_.clock.now() + limits_.tls_handshake_timeout;
  std::vector<std::string> alpn{"imap"};  // RELIABILITY S10.
  auto secured = co_await tls::accept(std::move(connection_.stream), connection_.tls, std::move(alpn), deadline);
  if (!secured) {
    connection_.scope.event("imap_tls_failed").failure(secured.error());
    connection_.stream = nullptr;
    session_.ended();
    co_return;
  }
  connection_.stream = std::move(secured->stream);
  session_.tls_started(doors_.clock.now());
}

Task<void> ImapConnection::fetch_verifier(imap::FetchVerifier& ask) {
  auto found = co_await login_.verifier(ask.mechanism, ask.login);
  session_.verifier(std::move(found));
}

Task<void> ImapConnection::log_in(imap::Authenticate& ask) {
  const auto name = ask.credentials.login;
  const auto mechanism = sasl::name(ask.credentials.mechanism);
  auto account = co_await login_.check(std::move(ask.credentials));
  if (!account) {
    connection_.scope.event("imap_login_failed").field("login", name).failure(account.error());
    session_.login_refused(true, account.error().text);
  } else if (!*account) {
    connection_.scope.event("imap_login_refused").field("login", name).field("mechanism", mechanism);
    session_.login_refused(false, {});
  } else {
    account_ = **account;
    const auto scope = connection_.scope.with("login", name);
    connection_.scope = scope;  // A copy: it holds no room for more, and stays as long as the connection.
    connection_.scope.event("imap_login_finished").field("account", account_.value).field("mechanism", mechanism);
    connection_.prove();
    session_.logged_in();
  }
}

Task<ImapConnection::Outcome> ImapConnection::execute(const imap::Command& command) {
  const auto& body = command.body;
  if (const auto* what = std::get_if<imap::SelectCommand>(&body)) co_return co_await select(*what);
  if (std::holds_alternative<imap::CloseCommand>(body)) co_return co_await close(true);
  if (std::holds_alternative<imap::UnselectCommand>(body)) co_return co_await close(false);

  // RFC 9051 §7.5.1: no EXPUNGE while FETCH, STORE or SEARCH with message numbers run.
  bool may_expunge = true;
  Outcome outcome;
  if (const auto* what = std::get_if<imap::FetchCommand>(&body)) {
    may_expunge = what->uid;
    outcome = co_await fetch(*what);
  } else if (const auto* change = std::get_if<imap::StoreCommand>(&body)) {
    may_expunge = change->uid;
    outcome = co_await store(*change);
  } else if (const auto* keys = std::get_if<imap::SearchCommand>(&body)) {
    may_expunge = keys->uid;
    outcome = co_await search(*keys, command.tag);
  } else if (const auto* copied = std::get_if<imap::CopyCommand>(&body)) {
    outcome = co_await copy(*copied);
  } else if (const auto* removed = std::get_if<imap::ExpungeCommand>(&body)) {
    outcome = co_await expunge(*removed);
  } else {
    outcome = co_await execute_selected(command);
  }
  if (selected_ != nullptr && news_ && !session_.closed()) co_await announce(may_expunge);
  if (selected_ != nullptr && session_.features().qresync && selected_->newest != selected_->view) {
    // RFC 7162 §3.2: while a VANISHED is delayed, the client must not take a MODSEQ it has seen for where it stands.
    const auto stands = std::max<std::uint64_t>(selected_->view->highest_modseq().value, 1);
    session_.responses().raw("* OK [HIGHESTMODSEQ ").number(stands).raw("] More is to be told\r\n");
  }
  co_return outcome;
}

// The commands that are legal without a selected mailbox.
Task<ImapConnection::Outcome> ImapConnection::execute_selected(const imap::Command& command) {
  const auto& body = command.body;
  if (const auto* listing = std::get_if<imap::ListCommand>(&body)) {
    if (listing->lsub) co_return co_await lsub(*listing);
    co_return co_await list(*listing);
  }
  if (const auto* what = std::get_if<imap::StatusCommand>(&body)) co_return co_await status(*what);
  if (std::holds_alternative<imap::AppendCommand>(body)) co_return co_await append();
  if (const auto* what = std::get_if<imap::CreateCommand>(&body)) co_return co_await create(*what);
  if (const auto* what = std::get_if<imap::DeleteCommand>(&body)) {
    auto removed = co_await doors_.mailboxes.remove(account_, what->mailbox);
    co_return removed ? ok("DELETE completed") : failed_with(removed.error());
  }
  if (const auto* what = std::get_if<imap::RenameCommand>(&body)) {
    auto renamed = co_await doors_.mailboxes.rename(account_, what->from, what->to);
    co_return renamed ? ok("RENAME completed") : failed_with(renamed.error());
  }
  if (const auto* what = std::get_if<imap::SubscribeCommand>(&body)) {
    auto changed = co_await doors_.mailboxes.subscribe(account_, what->mailbox, what->on);
    co_return changed ? ok(what->on ? "SUBSCRIBE completed" : "UNSUBSCRIBE completed") : failed_with(changed.error());
  }
  if (std::holds_alternative<imap::NamespaceCommand>(body)) {
    // RFC 9051 §6.3.10: one personal namespace, no others.
    session_.responses().raw("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    co_return ok("NAMESPACE completed");
  }
  news_ = selected_ != nullptr;  // NOOP and CHECK are how clients ask for news.
  co_return ok(std::holds_alternative<imap::CheckCommand>(body) ? "CHECK completed" : "NOOP completed");
}

imap::Outcome ImapConnection::ok(std::string text, std::string code) {
  return {Outcome::Word::ok, std::move(code), std::move(text), Outcome::Move::stay};
}
imap::Outcome ImapConnection::no(std::string code, std::string text) {
  return {Outcome::Word::no, std::move(code), std::move(text), Outcome::Move::stay};
}
imap::Outcome ImapConnection::bad(std::string text) {
  return {Outcome::Word::bad, {}, std::move(text), Outcome::Move::stay};
}
imap::Outcome ImapConnection::failed_with(const Failure& why) {
  if (why.temporary() || why.kind == Failure::Kind::corrupt) {
    connection_.scope.event("imap_command_failed").failure(why);
  }
  return no(std::string(code_of(why)), why.text);
}

}  // namespace facteur::server
