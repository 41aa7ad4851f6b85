#include "server/smtp_service.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.hpp"
#include "smtp/server_session.hpp"
#include "tls/stream.hpp"

namespace facteur::server {
namespace {

using Protocol = ListenerParameters::Protocol;

constexpr std::size_t patience = 3;         // Recipients refused before answers get slow.
constexpr Duration tarpit = 1s;             // How slow (RELIABILITY S8).
constexpr Duration least_write_time = 30s;  // For replies, whatever the session's deadline.

reception::Role role_of(Protocol protocol) {
  if (protocol == Protocol::submission) return reception::Role::submission;
  return protocol == Protocol::lmtp ? reception::Role::lmtp : reception::Role::exchanger;
}

// What all conversations share.
struct Manners {
  SmtpDoors doors;
  config::Limits limits;
  config::Smtp smtp;
};

smtp::ServerParameters parameters_for(const Manners& manners, const Connection& connection) {
  const auto& limits = manners.limits;
  smtp::ServerParameters p;
  p.hostname = connection.listener.hostname;
  if (!manners.smtp.banner.empty()) p.banner = manners.smtp.banner;
  p.lmtp = connection.listener.protocol == Protocol::lmtp;
  p.starttls = connection.tls != nullptr;
  p.tls = connection.secured.has_value();
  if (connection.listener.protocol == Protocol::submission) {
    p.authentication_required = true;
    p.plaintext_login = connection.listener.plaintext_login;
    p.mechanisms = {sasl::Mechanism::scram_sha_256, sasl::Mechanism::plain, sasl::Mechanism::login};
    // RELIABILITY S16: it needs the password itself on the server, so only if somebody has opted in.
    if (manners.doors.authenticator.any_shared_secret()) p.mechanisms.push_back(sasl::Mechanism::cram_md5);
    p.random.resize(32);
    manners.doors.random.fill(p.random);
  }
  p.message_size = limits.message_size;
  p.recipients = limits.recipients;
  p.command_line = limits.smtp_line;
  p.errors = limits.errors_per_connection;
  p.recipients_refused = limits.recipients_refused;
  p.messages = limits.messages_per_connection;
  p.command_timeout = limits.smtp_command_timeout;
  p.data_timeout = limits.smtp_data_timeout;
  return p;
}

// One connection from greeting to close.
class Conversation {
 public:
  Conversation(const Manners& manners, Connection connection)
      : manners_(manners),
        doors_(manners.doors),
        connection_(std::move(connection)),
        peer_(connection_.stream->peer().address),
        begun_(doors_.clock.now()),
        session_(parameters_for(manners, connection_), begun_),
        arrival_(doors_.reception.arrive({.role = role_of(connection_.listener.protocol), .address = peer_},
                                         connection_.scope)) {
    if (connection_.secured) arrival_->secured(connection_.secured->version, connection_.secured->cipher);
  }

  Task<void> run() {
    std::optional<std::string> bug;
    try {
      co_await talk();
    } catch (const Bug& found) {
      bug = found.what();
    }
    if (bug) co_await apologise(*bug);
    if (connection_.stream) connection_.stream->close();
    arrival_->forget_mail();
    connection_.scope.event("smtp_session_finished")
        .field("messages", arrival_->messages())
        .field("login", login_)
        .field("tls", tls_)
        .field("duration_ms", (doors_.clock.now() - begun_) / 1ms);
  }

 private:
  Task<void> talk() {
    while (!session_.closed()) {
      while (auto action = session_.next()) co_await carry_out(std::move(*action));
      if (session_.closed()) break;
      co_await listen();
    }
  }

  // Waits without holding a buffer, then reads (DECISIONS.md 20).
  Task<void> listen() {
    auto ready = co_await connection_.stream->readable(session_.deadline(), draining_ ? nullptr : connection_.drain);
    if (ready && !draining_ && connection_.drain != nullptr && connection_.drain->fired()) {
      draining_ = true;
      session_.drain();
      co_return;
    }
    if (!ready) co_return failed_to_read(ready.error());
    auto count = co_await connection_.stream->read(session_.room(), session_.deadline());
    if (!count) co_return failed_to_read(count.error());
    if (*count == 0) co_return session_.ended();
    session_.received(*count, doors_.clock.now());
  }

  void failed_to_read(const Failure& why) {
    if (why.kind == Failure::Kind::timed_out) return session_.expired(doors_.clock.now());
    session_.ended();
  }

  Task<void> carry_out(smtp::Action action) {
    if (auto* question = std::get_if<smtp::Question>(&action)) {
      co_await answer(std::move(*question));
    } else if (const auto* send = std::get_if<smtp::Send>(&action)) {
      const auto until = std::max(session_.deadline(), doors_.clock.now() + least_write_time);
      const auto written = co_await connection_.stream->write(send->replies, until);
      if (!written) session_.ended();
    } else if (std::holds_alternative<smtp::StartTls>(action)) {
      co_await start_tls();
    } else if (std::holds_alternative<smtp::ForgetMail>(action)) {
      arrival_->forget_mail();
    } else if (connection_.stream) {
      connection_.stream->end();
      connection_.stream->close();
    }
  }

  Task<void> start_tls() {
    const auto until = doors_.clock.now() + manners_.limits.tls_handshake_timeout;
    std::vector<std::string> alpn{"smtp"};  // RELIABILITY S10: who wants another protocol is turned away.
    auto secured = co_await tls::accept(std::move(connection_.stream), connection_.tls, std::move(alpn), until);
    if (!secured) {
      connection_.scope.event("smtp_tls_failed").failure(secured.error());
      co_return session_.ended();
    }
    connection_.stream = std::move(secured->stream);
    tls_ = secured->summary.version;
    arrival_->logged_out();
    arrival_->secured(secured->summary.version, secured->summary.cipher);
    session_.tls_started({.protocol = secured->summary.version, .cipher = secured->summary.cipher, .peer_name = ""});
  }

  Task<void> answer(smtp::Question question) {
    if (const auto* append = std::get_if<smtp::AppendContent>(&question)) {
      const auto reply = co_await arrival_->on(*append);
      session_.answer(reply);
    } else if (const auto* recipient = std::get_if<smtp::AcceptRecipient>(&question)) {
      const auto reply = co_await arrival_->on(*recipient);
      if (reply.permanent()) co_await hesitate();
      session_.answer(reply);
    } else if (const auto* sender = std::get_if<smtp::AcceptSender>(&question)) {
      const auto reply = co_await arrival_->on(*sender);
      session_.answer(reply);
    } else if (const auto* content = std::get_if<smtp::AcceptContent>(&question)) {
      const auto reply = co_await arrival_->on(*content);
      session_.answer(reply);
    } else if (const auto* greeted = std::get_if<smtp::Greeted>(&question)) {
      const auto reply = co_await arrival_->on(*greeted);
      session_.answer(reply);
    } else if (const auto* client = std::get_if<smtp::AcceptClient>(&question)) {
      const auto reply = co_await arrival_->on(*client);
      session_.answer(reply);
    } else if (auto* login = std::get_if<smtp::Authenticate>(&question)) {
      const auto reply = co_await authenticate(std::move(login->credentials));
      session_.answer(reply);
    } else {
      auto verifier = co_await fetch_verifier(std::get<smtp::FetchVerifier>(std::move(question)));
      session_.verifier(std::move(verifier));
    }
  }

  // Who guesses addresses waits longer and longer for each answer.
  Task<void> hesitate() {
    if (++refused_ <= patience || draining_) co_return;
    const auto until = doors_.clock.now() + std::min<std::size_t>(refused_ - patience, 10) * tarpit;
    co_await doors_.clock.sleep_until(until, connection_.drain);
  }

  Task<smtp::Reply> authenticate(sasl::Credentials credentials) {
    using Proof = sasl::Credentials::Proof;
    std::optional<directory::AccountId> account;
    if (auto blocked = std::exchange(blocked_, std::nullopt)) co_return login_later(*blocked);
    if (credentials.proof == Proof::password) {
      observe::Secret password{std::exchange(credentials.password, {})};
      auto checked = co_await doors_.authenticator.check_password(credentials.login, std::move(password), peer_);
      if (!checked) co_return login_later(checked.error());
      account = *checked;
    } else {
      if (credentials.proof == Proof::proven) account = offered_account_;
      co_await doors_.authenticator.attempt_finished(credentials.login, peer_, account);
    }
    if (account && !may_act_as(*account, credentials)) account.reset();
    if (!account) {
      connection_.scope.event("smtp_login_refused")
          .level(observe::Level::warning)
          .field("login", credentials.login)
          .field("mechanism", sasl::name(credentials.mechanism));
      co_return smtp::Reply{535, "5.7.8", "Login or password is wrong"};
    }
    login_ = credentials.login;
    arrival_->logged_in(*account, login_);
    co_return smtp::Reply{235, "2.7.0", ""};
  }

  smtp::Reply login_later(const Failure& why) const {
    connection_.scope.event("smtp_login_deferred").failure(why);
    return smtp::Reply{454, "4.7.0", why.text.empty() ? "Logging in is not possible now" : why.text};
  }

  // RFC 4422 §3.4.1: only as itself, under whichever of its names.
  bool may_act_as(directory::AccountId account, const sasl::Credentials& credentials) const {
    if (credentials.authorization.empty() || credentials.authorization == credentials.login) return true;
    const auto other = doors_.directory.account_of_login(credentials.authorization);
    return other && *other && (*other)->id == account;
  }

  Task<std::optional<sasl::Verifier>> fetch_verifier(smtp::FetchVerifier wanted) {
    offered_account_.reset();
    auto may = co_await doors_.authenticator.may_attempt(wanted.login, peer_);
    if (!may) {
      blocked_ = std::move(may.error());
      co_return std::nullopt;
    }
    if (wanted.mechanism == sasl::Mechanism::cram_md5) co_return shared_secret(wanted.login);
    auto found = doors_.authenticator.scram_verifier(wanted.login, sasl::name(wanted.mechanism));
    if (!found) {
      blocked_ = std::move(found.error());
      co_return std::nullopt;
    }
    offered_account_ = found->account;
    sasl::Verifier verifier;
    verifier.salt = std::move(found->salt);
    verifier.iterations = found->iterations;
    verifier.stored_key = std::move(found->stored_key);
    verifier.server_key = std::move(found->server_key);
    co_return verifier;
  }

  std::optional<sasl::Verifier> shared_secret(const std::string& login) {
    auto found = doors_.authenticator.shared_secret(login);
    if (!found) blocked_ = std::move(found.error());
    if (!found || !*found) return std::nullopt;
    offered_account_ = (*found)->account;
    sasl::Verifier verifier;
    verifier.secret = std::move((*found)->secret.value);
    return verifier;
  }

  // We are wrong, not the peer: this session ends, the server goes on.
  Task<void> apologise(const std::string& bug) {
    connection_.scope.event("smtp_session_broken")
        .level(observe::Level::error)
        .field("bug", bug)
        .field("transcript", session_.transcript());
    if (!connection_.stream) co_return;
    const auto until = doors_.clock.now() + least_write_time;
    const auto written =
        co_await connection_.stream->write("421 4.3.0 Something is wrong here: try again later\r\n", until);
    static_cast<void>(written);  // The connection is closed either way.
  }

  const Manners& manners_;
  const SmtpDoors& doors_;
  Connection connection_;
  IpAddress peer_;
  Instant begun_;
  smtp::ServerSession session_;
  std::unique_ptr<reception::Arrival> arrival_;
  bool draining_ = false;
  std::string login_;
  std::string tls_;
  std::size_t refused_ = 0;
  std::optional<directory::AccountId> offered_account_;  // Of the login whose verifier was handed out.
  std::optional<Failure> blocked_;                       // Why the login under way cannot be judged now.
};

class SmtpService : public Service {
 public:
  explicit SmtpService(Manners manners) : manners_(std::move(manners)) {}

  Task<void> serve(Connection connection) override {
    Conversation conversation(manners_, std::move(connection));
    co_await conversation.run();
  }

 private:
  Manners manners_;
};

}  // namespace

std::unique_ptr<Service> make_smtp_service(SmtpDoors doors, const config::Limits& limits, const config::Smtp& smtp) {
  return std::make_unique<SmtpService>(Manners{doors, limits, smtp});
}

}  // namespace facteur::server
