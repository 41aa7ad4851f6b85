#include "imap/server_session.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "base/base64.hpp"
#include "imap/capabilities.hpp"
#include "imap/command_parser.hpp"
#include "imap/tokens.hpp"

namespace facteur::imap {
namespace {

constexpr std::size_t small_room = 4 * 1024;
constexpr std::size_t large_room = 64 * 1024;      // While a message is being appended.
constexpr std::uint64_t most_skipped = 128 << 20;  // Of a refused literal that comes without waiting.
constexpr std::size_t longest_idle_line = 256;
constexpr std::size_t literal_before_login = 4096;  // RFC 7888 §5: LITERAL-.
constexpr int most_errors_before_login = 3;         // RELIABILITY S10: cross-protocol attacks end early.
constexpr int most_errors = 20;                     // In a row.
constexpr int most_wrong_logins = 5;
constexpr Duration still_here_interval = 2min;  // Keeps address translators from forgetting an idle client.
constexpr Duration stalled_timeout = 5min;      // In the middle of a command.

enum class Phase : std::uint8_t {
  command,        // Reading a line of a command.
  literal,        // Reading a literal into the command.
  message,        // Passing the literal of an APPEND on.
  skip_literal,   // Passing over the literal of a refused command.
  skip_line,      // Passing over the rest of a refused command.
  sasl_response,  // Reading a line of an AUTHENTICATE exchange.
  idle,           // RFC 9051 §6.3.13.
};

enum class Asked : std::uint8_t { nothing, execute, verifier, login, begin_append, content, announce };

}  // namespace

struct ServerSession::State {
  ServerParameters parameters;
  Features features;
  ResponseWriter out;

  Phase phase = Phase::command;
  Asked asked = Asked::nothing;
  bool authenticated = false;
  bool selected = false;
  bool tls = false;
  bool closing = false;  // Send what is there, then close.
  bool closed = false;
  bool draining = false;
  bool news = false;
  bool start_tls = false;
  bool abandon = false;    // The driver holds messages of an APPEND that will not be completed.
  bool appending = false;  // Between the first message of an APPEND and its end.
  bool append_utf8 = false;
  bool append_waits = false;  // The client waits for "+" before it sends the message.

  std::string input;  // Octets [begin, end) are unread.
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;            // The command so far, literals as on the wire.
  std::size_t line_start = 0;  // Where its last line begins.
  std::uint64_t left = 0;      // Octets of the literal still to come.
  std::string refusal;         // The tagged reply to give at the end of a refused command.
  bool refusal_counts = false;

  Command command;
  AppendParameters append;
  std::optional<sasl::ServerExchange> exchange;
  std::uint64_t exchanges = 0;
  std::size_t consumed_content = 0;

  int errors = 0;
  int wrong_logins = 0;
  Instant started;
  Instant last_octet;
  Instant idle_since;
  Instant last_still_here;

  State(ServerParameters p, Instant now)
      : parameters(std::move(p)),
        tls(parameters.tls),
        started(now),
        last_octet(now),
        idle_since(now),
        last_still_here(now) {}

  Bytes unread() const { return Bytes(input).substr(begin, end - begin); }
  std::size_t limit() const { return authenticated ? parameters.line : parameters.line_before_login; }

  // ---- replies
  void tagged(Bytes tag, Bytes word, Bytes code, Bytes explanation) { out.status(tag, word, code, explanation); }
  void bye(Bytes explanation, Bytes code = {}) {
    out.status("*", "BYE", code, explanation);
    closing = true;
  }
  void count_error() {
    if (++errors >= (authenticated ? most_errors : most_errors_before_login)) bye("Too many errors");
  }
  void bad(const SyntaxError& error) {
    tagged(error.tag.empty() ? "*" : Bytes(error.tag), error.code.empty() ? "BAD" : "NO", error.code, error.text);
    count_error();
  }

  void begin_command() {
    phase = Phase::command;
    // What a login was written with does not stay in memory.
    if (!authenticated) std::ranges::fill(text, '\0');
    std::string().swap(text);  // An idle session holds no room for commands.
    line_start = 0;
    left = 0;
    refusal.clear();
    refusal_counts = false;
  }
  void stop_append() {
    abandon = abandon || appending;
    appending = false;
  }

  // One step of reading; false: more octets are needed.
  bool step();
  bool take_line(std::size_t most);
  bool read_command();
  bool read_literal();
  bool skip_literal();
  bool skip_line();
  bool read_sasl();
  bool read_idle();
  void line_complete();
  void literal_announced(const LiteralMark& mark);
  void message_announced(const LiteralMark& mark, AppendParameters parameters, bool first);
  void refuse_literal(const LiteralMark& mark, const SyntaxError& error);
  void append_line_complete(Bytes line, const std::optional<LiteralMark>& mark);
  void refuse_rest(Bytes word, Bytes code, Bytes explanation, bool octets_follow);

  // Commands.
  void command_complete();
  void run(ParsedCommand parsed);
  void run_login(LoginCommand& login);
  void run_authenticate(AuthenticateCommand& authenticate);
  void run_enable(const EnableCommand& enable);
  void run_starttls();
  void sasl_step(sasl::Step step);
  void complete(Bytes explanation, Bytes code = {}) {
    tagged(command.tag, "OK", code, explanation);
    errors = 0;
  }

  std::optional<Action> pending;
  void ask(Asked what, Action action) {
    asked = what;
    pending = std::move(action);
  }
};

// ---- reading

bool ServerSession::State::take_line(std::size_t most) {
  const Bytes available = unread();
  const auto at = available.find('\n');
  const auto count = at == Bytes::npos ? available.size() : at + 1;
  if (text.size() + count > most) {
    // RELIABILITY S40: a line without end is not collected.
    stop_append();
    bye("Command too long", "TOOBIG");
    return false;
  }
  text += available.substr(0, count);
  begin += count;
  return at != Bytes::npos;
}

bool ServerSession::State::read_command() {
  if (!take_line(limit())) return false;
  // RFC 9051 §2.2: lines end with CRLF. Beyond that, a bare LF ends one too, as people type it into telnet.
  text.pop_back();
  if (text.size() > line_start && text.back() == '\r') text.pop_back();
  line_complete();
  return true;
}

void ServerSession::State::line_complete() {
  const Bytes line = Bytes(text).substr(line_start);
  const auto mark = literal_at_end(line);
  if (appending) {
    append_line_complete(line, mark);
  } else if (mark) {
    literal_announced(*mark);
  } else {
    command_complete();
  }
}

void ServerSession::State::literal_announced(const LiteralMark& mark) {
  const auto start = parse_start(text);
  SyntaxError error{start.tag, {}, {}};
  if (mark.malformed) {
    refuse_literal(mark, {start.tag, {}, "Too large a literal"});
    return;
  }
  if (start.verb == "APPEND" && authenticated) {
    auto append_start = parse_append(Bytes(text).substr(0, line_start + mark.at), features.utf8);
    if (!append_start) {
      refuse_literal(mark, append_start.error());
      return;
    }
    if (append_start->kind == AppendStart::Kind::message) {
      command.tag = start.tag;
      message_announced(mark, std::move(append_start->parameters), true);
      return;
    }
  }
  if (!is_verb(start.verb)) {
    error.text = "Unknown command";
  } else if (mark.binary) {
    error.text = "A binary literal is only for APPEND";
  } else if (text.size() + 2 + mark.size > limit() ||
             (!authenticated && !mark.synchronizing && mark.size > literal_before_login)) {
    error.code = "TOOBIG";
    error.text = "Too large a literal";
  } else {
    text += "\r\n";
    left = mark.size;
    phase = Phase::literal;
    if (mark.synchronizing) out.raw("+ Go on\r\n");
    return;
  }
  refuse_literal(mark, error);
}

void ServerSession::State::refuse_literal(const LiteralMark& mark, const SyntaxError& error) {
  refusal = error.tag.empty() ? "*" : error.tag;
  left = mark.size;
  const bool no = !error.code.empty();
  if (!mark.synchronizing && (mark.malformed || mark.size > most_skipped || !authenticated)) {
    // RFC 7888 §4: octets that come anyway are not worth reading; the connection ends.
    stop_append();
    bye(error.text, error.code);
    return;
  }
  refuse_rest(no ? "NO" : "BAD", error.code, error.text, !mark.synchronizing);
}

// `refusal` holds the tag.
void ServerSession::State::refuse_rest(Bytes word, Bytes code, Bytes explanation, bool octets_follow) {
  ResponseWriter reply;
  reply.status(refusal, word, code, explanation);
  const bool counts = word == "BAD";
  stop_append();
  if (octets_follow) {
    refusal = reply.text();
    refusal_counts = counts;
    text.clear();
    line_start = 0;
    phase = Phase::skip_literal;
    return;
  }
  out.raw(reply.text());
  begin_command();
  if (counts) count_error();
}

bool ServerSession::State::read_literal() {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, end - begin));
  text += unread().substr(0, count);
  begin += count;
  left -= count;
  if (left > 0) return false;
  line_start = text.size();
  phase = Phase::command;
  return true;
}

bool ServerSession::State::skip_literal() {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, end - begin));
  begin += count;
  left -= count;
  if (left > 0) return false;
  phase = Phase::skip_line;
  return true;
}

bool ServerSession::State::skip_line() {
  if (!take_line(limit())) return false;
  text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  const auto mark = literal_at_end(text);
  text.clear();
  if (mark && !mark->synchronizing) {
    if (mark->malformed || mark->size > most_skipped) {
      bye("Too large a literal", "TOOBIG");
      return false;
    }
    left = mark->size;
    phase = Phase::skip_literal;
    return true;
  }
  out.raw(refusal);
  const bool counts = refusal_counts;
  begin_command();
  if (counts) count_error();
  return true;
}

// ---- APPEND

void ServerSession::State::message_announced(const LiteralMark& mark, AppendParameters message, bool first) {
  message.size = mark.size;
  message.binary = mark.binary;
  append_waits = mark.synchronizing;
  left = mark.size;
  if (message.utf8 && !mark.binary) {
    refuse_literal(mark, {command.tag, {}, "UTF8 needs a binary literal"});
    return;
  }
  if (mark.size > parameters.message_size) {
    refuse_literal(mark, {command.tag, "TOOBIG", "Message larger than the limit"});
    return;
  }
  if (mark.size == 0) {  // RFC 3502 §6.3.11: a client that sends no octets aborts.
    refuse_literal(mark, {command.tag, "CANNOT", "Empty message"});
    return;
  }
  if (first) append.mailbox = message.mailbox;
  message.mailbox = append.mailbox;
  append_utf8 = message.utf8;
  append = message;
  appending = true;
  abandon = false;
  text.clear();
  line_start = 0;
  ask(Asked::begin_append, BeginAppend{first, std::move(message)});
}

void ServerSession::State::append_line_complete(Bytes line, const std::optional<LiteralMark>& mark) {
  const Bytes options = mark ? line.substr(0, mark->at) : line;
  auto rest = parse_append_rest(options, append_utf8, mark.has_value());
  if (!rest || (mark && mark->malformed)) {
    const SyntaxError error{command.tag, {}, rest ? "Too large a literal" : rest.error().text};
    if (mark) {
      refuse_literal(*mark, error);
    } else {
      refusal = command.tag;
      refuse_rest("BAD", {}, error.text, false);
    }
    return;
  }
  if (*rest) {
    message_announced(*mark, std::move(**rest), false);
    return;
  }
  appending = false;
  command.body = AppendCommand{append.mailbox};
  begin_command();
  ask(Asked::execute, Execute{&command});
}

// ---- SASL and IDLE

bool ServerSession::State::read_sasl() {
  if (!take_line(parameters.line_before_login)) return false;
  text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  const auto decoded = text == "*" ? std::nullopt : from_base64(text);
  std::ranges::fill(text, '\0');
  begin_command();
  if (!decoded) {  // RFC 9051 §6.2.2: "*" cancels, BAD either way.
    exchange.reset();
    tagged(command.tag, "BAD", {}, "Authentication cancelled");
    count_error();
    return true;
  }
  sasl_step(exchange->response(*decoded));
  return true;
}

void ServerSession::State::sasl_step(sasl::Step step) {
  if (auto* challenge = std::get_if<sasl::Challenge>(&step)) {
    out.raw("+ ").raw(to_base64(challenge->octets)).line_end();
    phase = Phase::sasl_response;
  } else if (auto* fetch = std::get_if<sasl::FetchVerifier>(&step)) {
    ask(Asked::verifier, FetchVerifier{fetch->mechanism, std::move(fetch->login)});
  } else if (auto* check = std::get_if<sasl::CheckCredentials>(&step)) {
    ask(Asked::login, Authenticate{std::move(check->credentials)});
  } else {
    exchange.reset();
    const auto& done = std::get<sasl::Done>(step);
    if (done.accepted) {
      authenticated = true;
      tagged(command.tag, "OK", "CAPABILITY " + capabilities(parameters, tls, true), "Logged in");
      errors = 0;
    } else if (done.malformed) {
      tagged(command.tag, "BAD", {}, "Malformed authentication exchange");
      count_error();
    } else {
      tagged(command.tag, "NO", "AUTHENTICATIONFAILED", "Wrong login or password");
      if (++wrong_logins >= most_wrong_logins) bye("Too many wrong logins");
    }
  }
}

bool ServerSession::State::read_idle() {
  if (!take_line(longest_idle_line)) return false;
  text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  const bool done = ascii::equal_ignoring_case(text, "DONE");
  begin_command();
  if (done) {
    complete("IDLE completed");
  } else {
    tagged(command.tag, "BAD", {}, "Expected DONE");
    count_error();
  }
  return true;
}

bool ServerSession::State::step() {
  switch (phase) {
    case Phase::command:
      return begin < end && read_command();
    case Phase::literal:
      return read_literal();
    case Phase::skip_literal:
      return skip_literal();
    case Phase::skip_line:
      return begin < end && skip_line();
    case Phase::sasl_response:
      return begin < end && read_sasl();
    case Phase::idle:
      if (news) {
        news = false;
        ask(Asked::announce, Announce{});
        return true;
      }
      return begin < end && read_idle();
    case Phase::message: {
      if (left == 0) {
        phase = Phase::command;
        return true;
      }
      if (begin == end) return false;
      consumed_content = static_cast<std::size_t>(std::min<std::uint64_t>(left, end - begin));
      ask(Asked::content, AppendContent{unread().substr(0, consumed_content)});
      return true;
    }
  }
  return false;
}

// ---- commands

void ServerSession::State::command_complete() {
  // RELIABILITY S35: NUL is in no command (RFC 9051 §9 CHAR8, TEXT-CHAR).
  if (text.find('\0') != std::string::npos) {
    bad({parse_start(text).tag, {}, "NUL in a command"});
    begin_command();
    return;
  }
  if (text.empty()) {  // An empty line is no command; some clients send one too many.
    count_error();
    if (!closing) out.status("*", "BAD", {}, "Empty command");
    begin_command();
    return;
  }
  auto parsed = parse_command(text, features.utf8);
  begin_command();
  if (!parsed) {
    bad(parsed.error());
    return;
  }
  run(std::move(*parsed));
}

void ServerSession::State::run(ParsedCommand parsed) {
  command = std::move(parsed.command);
  const auto state = selected ? legal::selected : authenticated ? legal::known : legal::greeted;
  if ((parsed.legal_states & state) == 0) {
    tagged(command.tag, "BAD", {}, authenticated ? "Not now: wrong state" : "Log in first");
    if (authenticated && parsed.legal_states == legal::greeted) return;
    count_error();
    return;
  }
  auto& body = command.body;
  if (std::holds_alternative<CapabilityCommand>(body)) {
    out.raw("* CAPABILITY ").raw(capabilities(parameters, tls, authenticated)).line_end();
    complete("CAPABILITY completed");
  } else if (std::holds_alternative<LogoutCommand>(body)) {
    bye("Logging out");
    complete("LOGOUT completed");
  } else if (std::holds_alternative<IdCommand>(body)) {
    // RFC 2971 §3.2: only what helps support; no version for strangers to choose an attack by.
    out.raw("* ID (\"name\" \"Facteur\")\r\n");
    complete("ID completed");
  } else if (auto* enable = std::get_if<EnableCommand>(&body)) {
    run_enable(*enable);
  } else if (auto* login = std::get_if<LoginCommand>(&body)) {
    run_login(*login);
  } else if (auto* authenticate = std::get_if<AuthenticateCommand>(&body)) {
    run_authenticate(*authenticate);
  } else if (std::holds_alternative<StartTlsCommand>(body)) {
    run_starttls();
  } else if (std::holds_alternative<IdleCommand>(body)) {
    out.raw("+ Idling\r\n");
    phase = Phase::idle;
    idle_since = last_octet;
    last_still_here = last_octet;
    news = selected;
  } else if (!authenticated) {
    complete("NOOP completed");  // The one command left that is legal before login.
  } else {
    ask(Asked::execute, Execute{&command});
  }
}

void ServerSession::State::run_login(LoginCommand& login) {
  if (!login_allowed(parameters, tls)) {
    tagged(command.tag, "NO", "PRIVACYREQUIRED", "LOGIN needs TLS");  // RFC 5530 §3.
    return;
  }
  sasl::Credentials credentials;
  credentials.login = std::move(login.user);
  credentials.password = std::move(login.password);
  ask(Asked::login, Authenticate{std::move(credentials)});
}

void ServerSession::State::run_authenticate(AuthenticateCommand& authenticate) {
  if (!login_allowed(parameters, tls)) {
    tagged(command.tag, "NO", "PRIVACYREQUIRED", "AUTHENTICATE needs TLS");
    return;
  }
  const auto mechanism = sasl::parse_mechanism(authenticate.mechanism);
  if (!mechanism || std::ranges::find(parameters.mechanisms, *mechanism) == parameters.mechanisms.end()) {
    tagged(command.tag, "NO", "CANNOT", "Unsupported mechanism");
    return;
  }
  exchange.emplace(sasl::ServerExchange::Parameters{.hostname = parameters.hostname,
                                                    .nonce = sasl::fresh_nonce(parameters.nonce_seed, ++exchanges)});
  std::optional<Bytes> initial;
  if (authenticate.initial) initial = *authenticate.initial;
  sasl_step(exchange->start(*mechanism, initial));
}

void ServerSession::State::run_enable(const EnableCommand& enable) {
  // RFC 5161 §3.1: what is not known is ignored; what was enabled now is listed.
  std::string now;
  const auto on = [&now](bool& feature, Bytes name) {
    if (!feature) now.append(" ").append(name);
    feature = true;
  };
  for (const auto& name : enable.capabilities) {
    if (name == "CONDSTORE") on(features.condstore, name);
    if (name == "QRESYNC") {  // RFC 7162 §3.2.3: includes CONDSTORE.
      on(features.qresync, name);
      features.condstore = true;
    }
    // RFC 9051 §6.3.1: IMAP4rev2 includes UTF-8 names.
    if (name == "IMAP4REV2") on(features.rev2, "IMAP4rev2");
    if (name == "UTF8=ACCEPT") on(features.utf8, name);
  }
  out.raw("* ENABLED").raw(now).line_end();
  features.utf8 = features.utf8 || features.rev2;
  out.set_utf8(features.utf8);
  complete("ENABLE completed");
}

void ServerSession::State::run_starttls() {
  if (tls || !parameters.starttls) {
    tagged(command.tag, "BAD", {}, tls ? "TLS is active already" : "No TLS here");
    return;
  }
  if (begin < end) {
    // RELIABILITY S3: octets in clear behind STARTTLS may be an attacker's; RFC 9051 §6.2.1 forbids clients to send
    // any. Nothing of them is looked at.
    tagged(command.tag, "BAD", {}, "Nothing may follow STARTTLS");
    bye("Octets behind STARTTLS");
    return;
  }
  complete("Begin TLS now");
  start_tls = true;
}

// ---- the outside

ServerSession::ServerSession(ServerParameters parameters, Instant now)
    : state_(std::make_unique<State>(std::move(parameters), now)) {
  auto& s = *state_;
  s.out.status("*", "OK", "CAPABILITY " + capabilities(s.parameters, s.tls, false), s.parameters.hostname + " ready");
}

ServerSession::~ServerSession() = default;

Room ServerSession::room() {
  auto& s = *state_;
  const auto wanted = s.phase == Phase::message ? large_room : small_room;
  if (s.begin == s.end) s.begin = s.end = 0;
  if (s.end == s.input.size() || s.input.size() < wanted) {
    s.input.erase(0, s.begin);
    s.end -= s.begin;
    s.begin = 0;
    s.input.resize(std::max(wanted, s.end + small_room));
  }
  return Room(s.input).subspan(s.end);
}

void ServerSession::received(std::size_t count, Instant now) {
  auto& s = *state_;
  CHECK_OR_BUG(count <= s.input.size() - s.end);
  s.end += count;
  s.last_octet = now;
}

std::optional<Action> ServerSession::next() {
  auto& s = *state_;
  while (!s.closed) {
    if (s.pending) return std::exchange(s.pending, std::nullopt);
    if (s.asked != Asked::nothing) return std::nullopt;
    if (s.abandon) {
      s.abandon = false;
      return AbandonAppend{};
    }
    if (s.out.full()) return Send{};
    const bool at_rest = s.phase == Phase::command || s.phase == Phase::idle || s.phase == Phase::sasl_response;
    if (s.draining && !s.closing && at_rest && !s.start_tls)
      s.bye("Closing this connection: come again later", "UNAVAILABLE");
    if (s.closing || s.start_tls) {
      if (!s.out.empty()) return Send{};
      if (s.closing) {
        s.closed = true;
        return Close{};
      }
      s.start_tls = false;
      return StartTls{};
    }
    if (!s.step() && !s.pending && !s.abandon && !s.closing) break;
  }
  if (s.closed) return std::nullopt;
  if (!s.out.empty()) return Send{};
  if (s.begin == s.end && s.phase == Phase::command && s.text.empty()) {
    // Idle between two commands: no buffers.
    std::string().swap(s.input);
    std::string().swap(s.text);
    s.begin = s.end = 0;
    s.out.shrink();
  } else if (s.begin == s.end && s.phase == Phase::idle) {
    std::string().swap(s.input);
    s.begin = s.end = 0;
    s.out.shrink();
  }
  return std::nullopt;
}

void ServerSession::expired(Instant now) {
  auto& s = *state_;
  if (s.phase == Phase::idle && now < s.idle_since + s.parameters.idle_timeout) {
    s.out.raw("* OK Still here\r\n");
    s.last_still_here = now;
    return;
  }
  s.stop_append();
  s.bye(s.authenticated ? "Inactive for too long" : "Too slow a login");  // RFC 9051 §5.4.
}

void ServerSession::ended() {
  state_->closed = true;
  state_->asked = Asked::nothing;
  state_->pending.reset();
}

void ServerSession::tls_started(Instant now) {
  auto& s = *state_;
  s.tls = true;
  s.begin = s.end = 0;  // Nothing that came in clear is left (run_starttls saw to it).
  s.begin_command();
  s.errors = 0;
  s.last_octet = now;
}

void ServerSession::news() { state_->news = state_->phase == Phase::idle; }
void ServerSession::drain() { state_->draining = true; }
void ServerSession::sent() { state_->out.clear(); }

void ServerSession::executed(const Outcome& outcome) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::execute);
  s.asked = Asked::nothing;
  if (outcome.move == Outcome::Move::select) s.selected = true;
  if (outcome.move == Outcome::Move::unselect) s.selected = false;
  const Bytes word = outcome.word == Outcome::Word::ok ? "OK" : outcome.word == Outcome::Word::no ? "NO" : "BAD";
  s.tagged(s.command.tag, word, outcome.code, outcome.text);
  s.command.body = NoopCommand{};  // Frees what it held.
  if (outcome.word == Outcome::Word::bad) {
    s.count_error();
  } else {
    s.errors = 0;
  }
}

void ServerSession::verifier(std::optional<sasl::Verifier> found) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::verifier);
  s.asked = Asked::nothing;
  s.sasl_step(s.exchange->verifier(std::move(found)));
}

void ServerSession::logged_in() {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::login);
  s.asked = Asked::nothing;
  s.command.body = NoopCommand{};
  std::string().swap(s.parameters.nonce_seed);  // RFC 9051 §6.2.2: there is no second login.
  if (s.exchange) {
    s.sasl_step(s.exchange->checked(true));
  } else {
    s.sasl_step(sasl::Done{.accepted = true, .malformed = false, .why = {}});
  }
}

void ServerSession::login_refused(bool temporary, Bytes text) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::login);
  s.asked = Asked::nothing;
  s.command.body = NoopCommand{};
  if (temporary) {
    s.exchange.reset();
    s.tagged(s.command.tag, "NO", "UNAVAILABLE", text);  // RFC 5530 §3.
    return;
  }
  if (s.exchange) {
    s.sasl_step(s.exchange->checked(false));
  } else {
    s.sasl_step(sasl::Done{});
  }
}

void ServerSession::append_accepted() {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::begin_append);
  s.asked = Asked::nothing;
  s.phase = Phase::message;
  s.left = s.append.size;
  if (s.append_waits) s.out.raw("+ Go on\r\n");
}

void ServerSession::append_refused(Bytes code, Bytes text) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::begin_append || s.asked == Asked::content);
  const bool begun = std::exchange(s.asked, Asked::nothing) == Asked::content;
  s.refusal = s.command.tag;
  s.refuse_rest("NO", code, text, begun || !s.append_waits);
}

void ServerSession::content_taken() {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::content);
  s.asked = Asked::nothing;
  s.begin += s.consumed_content;
  s.left -= s.consumed_content;
}

void ServerSession::announced() {
  CHECK_OR_BUG(state_->asked == Asked::announce);
  state_->asked = Asked::nothing;
}

Instant ServerSession::deadline() const {
  const auto& s = *state_;
  if (!s.authenticated) return s.started + s.parameters.login_timeout;
  if (s.phase == Phase::idle) {
    return std::min(s.last_still_here + still_here_interval, s.idle_since + s.parameters.idle_timeout);
  }
  if (s.phase != Phase::command || !s.text.empty()) return s.last_octet + stalled_timeout;
  return s.last_octet + s.parameters.idle_timeout;
}

bool ServerSession::closed() const { return state_->closed; }
bool ServerSession::idling() const { return state_->phase == Phase::idle; }
ResponseWriter& ServerSession::responses() { return state_->out; }
Features& ServerSession::features() { return state_->features; }
bool ServerSession::authenticated() const { return state_->authenticated; }
bool ServerSession::selected() const { return state_->selected; }

}  // namespace facteur::imap
