#include "server/smtp_service.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.hpp"
#include "server/login.hpp"
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
  p.tls = connection.secured != nullptr;
  if (connection.listener.protocol == Protocol::submission) {
    p.authentication_required = true;
    p.plaintext_login = connection.listener.plaintext_login;
    p.mechanisms = offered_mechanisms(manners.doors.authenticator);
    p.random.resize(32);
    manners.doors.random.fill(p.random);
  }
  p.vrfy = manners.smtp.vrfy;
  p.etrn = manners.smtp.etrn && connection.listener.protocol == Protocol::exchanger;
  p.message_size = limits.message_size;
  p.recipients = limits.recipients;
  p.command_line = limits.smtp_line;
  p.errors = limits.errors_per_connection;
  p.recipients_refused = limits.recipients_refused;
  p.messages = limits.messages_per_connection;
  p.command_timeout = limits.smtp_command_timeout;
  p.data_timeout = limits.smtp_data_timeout;
  p.least_rate = limits.smtp_least_rate;
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
                                         connection_.scope)),
        login_(doors_.authenticator, peer_) {
    if (!connection_.secured) return;
    arrival_->secured(connection_.secured->version, connection_.secured->cipher);
    tls_ = connection_.secured->version;
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
        .field("login", login_name_)
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
      if (arrival_->messages() > 0) connection_.prove();
      session_.answer(reply);
    } else if (const auto* greeted = std::get_if<smtp::Greeted>(&question)) {
      const auto reply = co_await arrival_->on(*greeted);
      session_.answer(reply);
    } else if (const auto* client = std::get_if<smtp::AcceptClient>(&question)) {
      const auto reply = co_await arrival_->on(*client);
      session_.answer(reply);
    } else if (const auto* name = std::get_if<smtp::Verify>(&question)) {
      const auto reply = co_await arrival_->on(*name);
      session_.answer(reply);
    } else if (const auto* queue = std::get_if<smtp::StartQueue>(&question)) {
      const auto reply = co_await arrival_->on(*queue);
      session_.answer(reply);
    } else if (auto* login = std::get_if<smtp::Authenticate>(&question)) {
      const auto reply = co_await authenticate(std::move(login->credentials));
      session_.answer(reply);
    } else {
      const auto& wanted = std::get<smtp::FetchVerifier>(question);
      auto verifier = co_await login_.verifier(wanted.mechanism, wanted.login);
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
    const auto name = credentials.login;
    const auto mechanism = sasl::name(credentials.mechanism);
    auto account = co_await login_.check(std::move(credentials));
    if (!account) {
      connection_.scope.event("smtp_login_deferred").field("login", name).failure(account.error());
      const auto& text = account.error().text;
      co_return smtp::Reply{454, "4.7.0", text.empty() ? "Logging in is not possible now" : text};
    }
    if (!*account) {
      connection_.scope.event("smtp_login_refused")
          .level(observe::Level::warning)
          .field("login", name)
          .field("mechanism", mechanism);
      co_return smtp::Reply{535, "5.7.8", "Login or password is wrong"};
    }
    login_name_ = name;
    connection_.prove();
    arrival_->logged_in(**account, name);
    co_return smtp::Reply{235, "2.7.0", ""};
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
  Login login_;
  std::string login_name_;
  std::string tls_;
  std::size_t refused_ = 0;
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
