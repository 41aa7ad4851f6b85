#include "smtp/client_session.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "base/base64.hpp"
#include "sasl/client.hpp"
#include "smtp/command_parser.hpp"
#include "smtp/content_reader.hpp"
#include "smtp/reply_parser.hpp"
#include "smtp/server_state.hpp"

namespace facteur::smtp {
namespace {

constexpr std::size_t reply_room = 16 * 1024;
constexpr std::size_t commands_at_once = 100;       // Outstanding: their replies fit into any window (RFC 2920 §3.1).
constexpr std::size_t content_window = 256 * 1024;  // Of one write.
constexpr std::size_t worth_no_copy = 16 * 1024;    // Longer runs of content go out from where they lie.

Extensions parse_extensions(const Reply& reply) {
  Extensions found{.esmtp = true};
  std::string_view rest = reply.text;
  auto line_end = rest.find('\n');  // The first line is the server's name.
  while (line_end != std::string_view::npos) {
    rest.remove_prefix(line_end + 1);
    line_end = rest.find('\n');
    const auto line = rest.substr(0, line_end);
    const auto space = line.find(' ');
    const auto keyword = line.substr(0, space);
    auto words = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    const auto is = [&](std::string_view name) { return ascii::equal_ignoring_case(keyword, name); };
    if (is("PIPELINING")) found.pipelining = true;
    if (is("8BITMIME")) found.body_8bit = true;
    if (is("SMTPUTF8")) found.smtputf8 = true;
    if (is("STARTTLS")) found.starttls = true;
    if (is("DSN")) found.dsn = true;
    if (is("CHUNKING")) found.chunking = true;
    if (is("ENHANCEDSTATUSCODES")) found.enhanced_codes = true;
    if (is("SIZE")) found.size = ascii::number(ascii::trimmed(words)).value_or(0);
    while (is("AUTH") && !words.empty()) {
      const auto end = std::min(words.find(' '), words.size());
      if (const auto mechanism = sasl::parse_mechanism(words.substr(0, end))) found.mechanisms.push_back(*mechanism);
      words.remove_prefix(std::min(end + 1, words.size()));
    }
  }
  return found;
}

Failure lost(std::string_view code, Failure::Kind kind, std::string text, std::string cause) {
  return Failure{.kind = kind, .code = code, .text = std::move(text), .cause = std::move(cause)};
}

std::string notify_words(std::uint8_t bits) {
  if ((bits & RcptParameters::never) != 0) return "NEVER";
  std::string words;
  const auto add = [&](std::uint8_t bit, std::string_view word) {
    if ((bits & bit) == 0) return;
    if (!words.empty()) words += ',';
    words += word;
  };
  add(RcptParameters::success, "SUCCESS");
  add(RcptParameters::failure, "FAILURE");
  add(RcptParameters::delay, "DELAY");
  return words;
}

}  // namespace

struct ClientSession::State {
  enum class Phase : std::uint8_t {
    greeting,
    hello,
    helo,
    starttls,
    tls,
    login,
    ready,
    envelope,  // MAIL, RCPT and, pipelined, DATA are out or on their way.
    data,      // DATA is out, not pipelined.
    content,
    final,  // The dot is out.
    reset,
    quitting,
    closing,
    closed,
  };
  enum class Expect : std::uint8_t { mail, rcpt, data };

  ClientParameters parameters;
  Phase phase = Phase::greeting;
  Instant at;  // The time of the last call that brought one.
  Instant until;
  InputBuffer input;
  ReplyParser parser;
  std::string out;
  Bytes borrowed;  // Content to be sent from where it lies.
  bool sending = false;
  bool start_tls = false;
  bool ready_told = false;
  bool tls = false;
  std::string greeting;
  Extensions extensions;
  std::unique_ptr<sasl::ClientExchange> exchange;
  bool logged_in = false;
  std::optional<Failed> failed;
  std::optional<TransactionResult> finished;

  // The transaction.
  Transaction transaction;
  std::vector<RecipientResult> results;
  std::vector<bool> settled;
  bool open = false;  // Between begin() and Finished.
  std::deque<Expect> expected;
  std::size_t next_rcpt = 0;   // To be sent.
  std::size_t next_reply = 0;  // Of RCPT.
  bool mail_sent = false, mail_answered = false, mail_refused = false, data_sent = false;
  std::size_t accepted = 0;
  std::size_t final_reply = 0;  // LMTP: index of the recipient whose reply comes next.
  std::size_t piece = 0, offset = 0;
  bool line_start = true;
  bool nothing_to_send = false;  // DATA was accepted though nobody is to get it: only the dot.

  void command(std::string text, Duration timeout) {
    out += text;
    out += "\r\n";
    until = at + timeout;
  }
  void fail(Failure why, Reply reply = Reply{.code = 0, .enhanced = {}, .text = {}});
  void refused(std::string_view code, const Reply& reply, std::string_view what);
  void broken(std::string_view code, std::string cause) {
    fail(lost(code, Failure::Kind::temporary, "The other server does not speak SMTP as it should", std::move(cause)));
  }
  void take(const Reply& reply);
  void greeted(const Reply& reply);
  void said_hello(const Reply& reply);
  void connected();
  void begin_login();
  void login_reply(const Reply& reply);
  void envelope_reply(const Reply& reply);
  void data_reply(const Reply& reply);
  void final_replied(const Reply& reply);
  void fill_envelope();
  void envelope_over();
  std::string mail_command() const;
  std::string rcpt_command(const Transaction::To& to) const;
  bool ours_for_all(int code, std::string_view enhanced, std::string_view text);
  bool fits();
  void settle(std::size_t index, const Reply& reply, bool ours = false);
  void settle_rest(const Reply& reply, bool ours);
  void finish();
  void fill_content();
  bool process();
};

ClientSession::ClientSession(ClientParameters parameters, Instant now) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.tls = parameters.tls_active;
  s.parameters = std::move(parameters);
  s.at = now;
  s.until = now + s.parameters.greeting_timeout;
}
ClientSession::~ClientSession() = default;
ClientSession::ClientSession(ClientSession&&) noexcept = default;

Room ClientSession::room() { return state_->input.room(reply_room); }
void ClientSession::received(std::size_t count, Instant now) {
  state_->at = now;
  state_->input.add(count);
}
Instant ClientSession::deadline() const { return state_->until; }
bool ClientSession::closed() const { return state_->phase == State::Phase::closed; }
const Extensions& ClientSession::extensions() const { return state_->extensions; }
std::string_view ClientSession::greeting() const { return state_->greeting; }

void ClientSession::expired(Instant now) {
  State& s = *state_;
  s.at = now;
  if (s.phase == State::Phase::quitting) {
    s.phase = State::Phase::closing;
    return;
  }
  s.fail(lost("F-4010", Failure::Kind::timed_out, "The other server did not answer in time", ""));
}

void ClientSession::ended() {
  State& s = *state_;
  s.sending = false;
  s.out.clear();
  s.borrowed = {};
  if (s.phase == State::Phase::quitting) {
    s.phase = State::Phase::closing;
    return;
  }
  s.fail(lost("F-4011", Failure::Kind::closed, "The connection was lost", ""));
}

void ClientSession::tls_started(const TlsSummary&, Instant now) {
  State& s = *state_;
  CHECK_OR_BUG(s.phase == State::Phase::tls);
  s.at = now;
  s.tls = true;
  s.extensions = {};  // RFC 3207 §4.2: what was told in the clear is forgotten.
  s.phase = State::Phase::hello;
  s.command((s.parameters.lmtp ? "LHLO " : "EHLO ") + s.parameters.hostname, s.parameters.command_timeout);
}

void ClientSession::begin(Transaction transaction, Instant now) {
  State& s = *state_;
  CHECK_OR_BUG(s.phase == State::Phase::ready && !s.open && !transaction.recipients.empty());
  s.at = now;
  s.transaction = std::move(transaction);
  s.results.assign(s.transaction.recipients.size(), {});
  s.settled.assign(s.transaction.recipients.size(), false);
  s.open = true;
  s.expected.clear();
  s.next_rcpt = s.next_reply = s.accepted = s.final_reply = s.piece = s.offset = 0;
  s.mail_sent = s.mail_answered = s.mail_refused = s.data_sent = s.nothing_to_send = false;
  s.line_start = true;
  s.ready_told = false;
  if (!s.fits()) return s.finish();
  s.phase = State::Phase::envelope;
  s.fill_envelope();
}

void ClientSession::quit(Instant now) {
  State& s = *state_;
  CHECK_OR_BUG(s.phase == State::Phase::ready && !s.open);
  s.at = now;
  s.phase = State::Phase::quitting;
  s.command("QUIT", s.parameters.quit_timeout);
}

std::optional<ClientAction> ClientSession::next(Instant now) {
  State& s = *state_;
  s.at = now;
  if (s.sending) {
    s.out.clear();
    s.borrowed = {};
    s.sending = false;
  }
  for (;;) {
    if (s.finished) {
      Finished action{std::move(*s.finished)};
      s.finished.reset();
      return action;
    }
    if (s.failed) {
      Failed action = std::move(*s.failed);
      s.failed.reset();
      return action;
    }
    if (s.phase == State::Phase::closing) {
      s.phase = State::Phase::closed;
      return Close{};
    }
    if (s.phase == State::Phase::closed) return std::nullopt;
    if (s.process()) continue;
    if (s.phase == State::Phase::content && s.out.empty()) {
      s.fill_content();
      if (s.phase == State::Phase::closing) continue;
    }
    if (!s.borrowed.empty() || !s.out.empty()) {
      s.sending = true;
      return Send{s.borrowed.empty() ? Bytes(s.out) : s.borrowed};
    }
    if (std::exchange(s.start_tls, false)) return StartTls{};
    if (s.phase == State::Phase::ready && !std::exchange(s.ready_told, true)) return Ready{};
    if (s.input.empty()) s.input.drop();
    return std::nullopt;
  }
}

// Reads one reply, if there is one; true if something has changed.
bool ClientSession::State::process() {
  if (input.empty()) return false;
  const auto outcome = parser.read(input.held());
  input.take(outcome.consumed);
  if (outcome.broken) {
    broken("F-4012", "a line that is no reply");
    return true;
  }
  if (!outcome.reply) return false;
  take(*outcome.reply);
  return true;
}

void ClientSession::State::fail(Failure why, Reply reply) {
  if (phase == Phase::closing || phase == Phase::closed) return;
  if (open) {
    // RELIABILITY R29: what has no final reply of its own was not delivered as far as we know, and will be tried again.
    settle_rest(Reply{.code = 421, .enhanced = "4.4.2", .text = why.text}, true);
    finish();
    finished->untouched = !mail_answered;
  }
  failed = Failed{.why = std::move(why), .reply = std::move(reply)};
  phase = Phase::closing;
  start_tls = false;
  out.clear();
  borrowed = {};
  sending = false;
}

void ClientSession::State::refused(std::string_view code, const Reply& reply, std::string_view what) {
  fail(lost(code, reply.permanent() ? Failure::Kind::permanent : Failure::Kind::temporary,
            "The other server refused " + std::string(what), std::to_string(reply.code) + " " + reply.text),
       reply);
}

void ClientSession::State::take(const Reply& reply) {
  // RFC 5321 §3.8, §4.2.2: 421 may come at any time and means the end.
  if (reply.code == 421 && phase != Phase::final && phase != Phase::quitting)
    return refused("F-4013", reply, "to go on");
  switch (phase) {
    case Phase::greeting:
      return greeted(reply);
    case Phase::hello:
    case Phase::helo:
      return said_hello(reply);
    case Phase::starttls:
      if (reply.code != 220) {
        if (parameters.tls == ClientParameters::Tls::required) return refused("F-4014", reply, "STARTTLS");
        return connected();
      }
      // RELIABILITY S4: octets behind the 220 were put there to be taken for encrypted ones.
      if (!input.empty()) return broken("F-4015", "octets behind the reply to STARTTLS");
      phase = Phase::tls;
      start_tls = true;
      return;
    case Phase::login:
      return login_reply(reply);
    case Phase::envelope:
      return envelope_reply(reply);
    case Phase::data:
      return data_reply(reply);
    case Phase::final:
      return final_replied(reply);
    case Phase::reset:
      if (!reply.positive()) return refused("F-4016", reply, "RSET");
      phase = Phase::ready;
      return;
    case Phase::quitting:
      phase = Phase::closing;
      return;
    case Phase::content:
    case Phase::ready:
    case Phase::tls:
    case Phase::closing:
    case Phase::closed:
      return broken("F-4017", "a reply to nothing: " + std::to_string(reply.code));
  }
}

void ClientSession::State::greeted(const Reply& reply) {
  if (reply.code != 220) return refused("F-4018", reply, "the connection");
  greeting = reply.text.substr(0, reply.text.find('\n'));
  phase = Phase::hello;
  command((parameters.lmtp ? "LHLO " : "EHLO ") + parameters.hostname, parameters.command_timeout);
}

void ClientSession::State::said_hello(const Reply& reply) {
  if (!reply.positive()) {
    // RFC 5321 §3.2: a server that does not know EHLO gets HELO; without extensions, so not where they are needed.
    const bool needs = parameters.lmtp || !parameters.login.empty() || phase == Phase::helo ||
                       (parameters.tls == ClientParameters::Tls::required && !tls);
    if (needs || reply.temporary()) return refused("F-4019", reply, "our greeting");
    phase = Phase::helo;
    return command("HELO " + parameters.hostname, parameters.command_timeout);
  }
  if (phase == Phase::hello) extensions = parse_extensions(reply);
  if (!tls && parameters.tls != ClientParameters::Tls::never && extensions.starttls) {
    phase = Phase::starttls;
    return command("STARTTLS", parameters.command_timeout);
  }
  connected();
}

void ClientSession::State::connected() {
  if (!tls && parameters.tls == ClientParameters::Tls::required) {
    return fail(lost("F-4020", Failure::Kind::temporary, "The other server does not offer TLS, which is required", ""));
  }
  if (!parameters.login.empty() && !logged_in) return begin_login();
  phase = Phase::ready;
  ready_told = false;
}

void ClientSession::State::begin_login() {
  const auto mechanism = sasl::choose(extensions.mechanisms, tls || parameters.plaintext_login);
  if (!mechanism) {
    return fail(lost("F-4021", Failure::Kind::refused, "The other server offers no login that is safe here", ""));
  }
  exchange = std::make_unique<sasl::ClientExchange>(
      *mechanism, sasl::ClientExchange::Parameters{.login = parameters.login,
                                                   .password = parameters.password,
                                                   .authorization = "",
                                                   .nonce = sasl::fresh_nonce(parameters.random, 0)});
  phase = Phase::login;
  std::string text = "AUTH " + std::string(sasl::name(*mechanism));
  if (const auto initial = exchange->initial()) text += " " + (initial->empty() ? "=" : to_base64(*initial));
  command(std::move(text), parameters.command_timeout);
}

void ClientSession::State::login_reply(const Reply& reply) {
  if (reply.code == 334) {
    const auto challenge = from_base64(ascii::trimmed(reply.text));
    if (!challenge) return broken("F-4022", "a challenge that is not base64");
    auto answer = exchange->answer(*challenge);
    if (!answer) return fail(std::move(answer.error()));
    return command(to_base64(*answer), parameters.command_timeout);
  }
  if (!reply.positive()) return refused("F-4023", reply, "our login");
  if (!exchange->complete()) return broken("F-4024", "it accepted a login without its own proof");
  exchange.reset();
  logged_in = true;
  phase = Phase::ready;
  ready_told = false;
}

// ---- the transaction

bool ClientSession::State::ours_for_all(int code, std::string_view enhanced, std::string_view text) {
  settle_rest(Reply{.code = code, .enhanced = std::string(enhanced), .text = std::string(text)}, true);
  return false;
}

// Whether the peer can take this message at all; if not, all recipients are settled.
bool ClientSession::State::fits() {
  const auto& to = transaction.recipients;
  const bool utf8 = transaction.parameters.smtputf8 || (transaction.sender && !transaction.sender->is_ascii()) ||
                    std::ranges::any_of(to, [](const auto& one) { return !one.address.is_ascii(); });
  if (utf8 && !extensions.smtputf8) {  // RFC 6531 §3.2.
    return ours_for_all(553, "5.6.7", "The other server does not take internationalised mail");
  }
  std::uint64_t size = 0;
  for (const Bytes bytes : transaction.content) size += bytes.size();
  transaction.parameters.smtputf8 = utf8;
  transaction.parameters.size = size;
  if (extensions.size.value_or(0) != 0 && size > *extensions.size) {  // RFC 1870 §5.
    return ours_for_all(552, "5.3.4", "The message is larger than the other server takes");
  }
  // RELIABILITY S2: what another server might take for a line end, or for the end of the message, does not go out.
  if (find_bare_line_end(transaction.content) != ContentReader::Fault::none) {
    return ours_for_all(554, "5.6.11", "The message has a CR or LF that stands alone, and cannot be sent");
  }
  return true;
}

std::string ClientSession::State::mail_command() const {
  const MailParameters& p = transaction.parameters;
  std::string text = "MAIL FROM:<" + (transaction.sender ? transaction.sender->text() : "") + ">";
  if (extensions.size) text += " SIZE=" + std::to_string(p.size.value_or(0));
  if (p.body_8bit && extensions.body_8bit) text += " BODY=8BITMIME";
  if (p.smtputf8) text += " SMTPUTF8";
  if (extensions.dsn) {
    if (p.ret == MailParameters::Return::full) text += " RET=FULL";
    if (p.ret == MailParameters::Return::headers) text += " RET=HDRS";
    if (!p.envelope_id.empty()) text += " ENVID=" + encode_xtext(p.envelope_id);
  }
  return text;
}

std::string ClientSession::State::rcpt_command(const Transaction::To& to) const {
  std::string text = "RCPT TO:<" + to.address.text() + ">";
  if (!extensions.dsn) return text;
  if (to.parameters.notify != 0) text += " NOTIFY=" + notify_words(to.parameters.notify);
  const std::string_view original = to.parameters.original;
  if (const auto semicolon = original.find(';'); semicolon != std::string_view::npos) {
    text.append(" ORCPT=")
        .append(original.substr(0, semicolon + 1))
        .append(encode_xtext(original.substr(semicolon + 1)));
  }
  return text;
}

// Writes commands as far as they may be outstanding (RFC 2920 §3.1).
void ClientSession::State::fill_envelope() {
  const std::size_t window = extensions.pipelining ? commands_at_once : 1;
  if (!mail_sent && expected.size() < window) {
    mail_sent = true;
    expected.push_back(Expect::mail);
    command(mail_command(), parameters.command_timeout);
  }
  while (!mail_refused && next_rcpt < transaction.recipients.size() && expected.size() < window) {
    expected.push_back(Expect::rcpt);
    command(rcpt_command(transaction.recipients[next_rcpt++]), parameters.command_timeout);
  }
  // LMTP's replies after the dot are counted by its replies to RCPT, so there DATA waits for them.
  const bool all_sent = !mail_refused && next_rcpt == transaction.recipients.size();
  if (extensions.pipelining && !parameters.lmtp && all_sent && !data_sent && expected.size() < window) {
    data_sent = true;
    expected.push_back(Expect::data);
    command("DATA", parameters.data_timeout);
  }
}

void ClientSession::State::envelope_reply(const Reply& reply) {
  if (expected.empty()) return broken("F-4025", "a reply to nothing: " + std::to_string(reply.code));
  const Expect what = expected.front();
  expected.pop_front();
  if (what == Expect::data) return data_reply(reply);
  if (what == Expect::mail) {
    mail_answered = true;
    if (!reply.positive() || reply.code >= 300) {
      mail_refused = true;
      settle_rest(reply, false);
    }
  } else {
    const std::size_t index = next_reply++;
    if (!mail_refused) {
      if (reply.positive() && reply.code < 300) {
        ++accepted;
      } else {
        settle(index, reply);
      }
    }
  }
  if (!expected.empty()) {
    if (!data_sent) fill_envelope();
    return;
  }
  if (!mail_refused && next_rcpt < transaction.recipients.size()) return fill_envelope();
  if (accepted == 0) return envelope_over();
  data_sent = true;
  phase = Phase::data;
  command("DATA", parameters.data_timeout);
}

// Nobody is to get it: the transaction is taken back.
void ClientSession::State::envelope_over() {
  finish();
  phase = Phase::reset;
  command("RSET", parameters.command_timeout);
}

void ClientSession::State::data_reply(const Reply& reply) {
  if (reply.code != 354) {
    // A positive reply that is not 354 is no permission to send.
    settle_rest(reply.positive() ? Reply{.code = 421, .enhanced = "4.5.0", .text = "No 354 to DATA"} : reply,
                reply.positive());
    return envelope_over();
  }
  // RFC 2920 §3.1: DATA was accepted though every recipient was refused: an empty message ends it.
  nothing_to_send = accepted == 0;
  phase = Phase::content;
}

void ClientSession::State::fill_content() {
  until = at + parameters.block_timeout;
  if (nothing_to_send) {
    piece = transaction.content.size();
    line_start = true;
  }
  while (out.size() < content_window / 4) {
    if (piece == transaction.content.size()) {
      if (!nothing_to_send && transaction.intact && !transaction.intact()) {
        return fail(lost("F-4028", Failure::Kind::temporary, "The message could not be read while it was sent", ""));
      }
      if (!line_start) out += "\r\n";  // RFC 5321 §4.1.1.4: the end begins a line.
      out += ".\r\n";
      phase = Phase::final;
      until = at + parameters.final_timeout;
      return;
    }
    const Bytes rest = transaction.content[piece].substr(offset, content_window);
    if (rest.empty()) {
      ++piece;
      offset = 0;
      continue;
    }
    // RFC 5321 §4.5.2: a line that begins with a dot gets one more.
    const bool stuff = line_start && rest.front() == '.';
    const auto next_dot = rest.find("\n.");
    const Bytes run = rest.substr(0, next_dot == Bytes::npos ? Bytes::npos : next_dot + 1);
    if (run.size() >= worth_no_copy) {
      if (stuff) {
        out += '.';
        line_start = false;
      }
      if (!out.empty()) return;
      borrowed = run;
    } else {
      if (stuff) out += '.';
      out += run;
    }
    offset += run.size();
    line_start = run.back() == '\n';
    if (!borrowed.empty()) return;
  }
}

void ClientSession::State::final_replied(const Reply& reply) {
  if (!parameters.lmtp || nothing_to_send) {
    if (!nothing_to_send) settle_rest(reply, false);
    finish();
  } else {
    // RFC 2033 §4.2: one reply for each accepted recipient, in the order of RCPT.
    while (final_reply < settled.size() && settled[final_reply]) ++final_reply;
    settle(final_reply, reply);
    if (--accepted > 0) {
      until = at + parameters.final_timeout;
      if (reply.code == 421) return refused("F-4026", reply, "to go on");
      return;
    }
    finish();
  }
  if (reply.code == 421) return refused("F-4027", reply, "to go on");
  phase = Phase::ready;
}

void ClientSession::State::settle(std::size_t index, const Reply& reply, bool ours) {
  if (index >= settled.size() || settled[index]) return;
  settled[index] = true;
  RecipientResult& result = results[index];
  // Only the reply to the dot delivers; phase says whether this is it.
  const bool delivered = phase == Phase::final && !ours && reply.code >= 200 && reply.code < 300;
  result.outcome = delivered           ? RecipientResult::Outcome::delivered
                   : reply.permanent() ? RecipientResult::Outcome::permanent
                                       : RecipientResult::Outcome::temporary;
  result.reply = reply;
  result.ours = ours;
}

void ClientSession::State::settle_rest(const Reply& reply, bool ours) {
  for (std::size_t i = 0; i < settled.size(); ++i) settle(i, reply, ours);
}

void ClientSession::State::finish() {
  finished = TransactionResult{std::move(results)};
  results.clear();
  settled.clear();
  transaction = {};
  open = false;
  ready_told = false;
}

}  // namespace facteur::smtp
