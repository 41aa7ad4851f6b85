// The commands: one table row each, syntax before sequence before question.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/ascii.hpp"
#include "smtp/help.hpp"
#include "smtp/server_state.hpp"

namespace facteur::smtp {
namespace {

constexpr std::size_t longest_login_line = 12288;  // RFC 4954 §4.
constexpr std::size_t most_queue_starts = 10;      // Of one connection.
constexpr std::size_t flood = 64 * 1024;  // Octets without a line end before we stop listening (RELIABILITY S12).

// A line of another protocol that reaches us by mistake or by malice (RELIABILITY S9, S10): HTTP, IMAP, POP3, SIP.
bool other_protocol(std::string_view line) {
  constexpr std::array http{"GET",   "POST",  "PUT", "HEAD",   "OPTIONS",  "CONNECT",
                            "PATCH", "TRACE", "PRI", "DELETE", "PROPFIND", "INVITE"};
  const auto space = line.find(' ');
  const auto first = line.substr(0, space);
  if (std::ranges::any_of(http, [&](std::string_view verb) { return ascii::equal_ignoring_case(first, verb); })) {
    return true;
  }
  if (line.contains("HTTP/")) return true;
  if (first.ends_with(':')) return true;  // "Host: example.org".
  constexpr std::array imap{"CAPABILITY", "LOGIN", "AUTHENTICATE", "SELECT", "STARTTLS", "ID"};
  if (space == std::string_view::npos) return false;
  const auto second = line.substr(space + 1, line.find(' ', space + 1) - space - 1);
  return std::ranges::any_of(imap, [&](std::string_view verb) { return ascii::equal_ignoring_case(second, verb); });
}

// What EHLO may carry: anything printable without a blank. RFC 5321 §4.1.4: a name that cannot be verified is no reason
// to refuse; what goes into Received is cleaned there.
bool is_client_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::ranges::all_of(text, [](char c) { return ascii::is_printable(c) && c != ' '; });
}

}  // namespace

// RFC 5321 §2.3.8: lines end with CRLF and with nothing else.
bool ServerSession::State::command_line() {
  const Bytes held = input.held();
  if (!tls && held.starts_with('\x16')) {  // A TLS ClientHello begins so: no line will come.
    end(554, "5.5.0", "TLS begins here only after STARTTLS");
    return true;
  }
  const bool login = !parameters.mechanisms.empty() && ascii::starts_with_ignoring_case(held, "AUTH ");
  const std::size_t limit = login ? std::max(longest_login_line, parameters.command_line) : parameters.command_line;
  const auto line_end = held.find('\n');
  if (line_end == Bytes::npos) {
    if (held.size() <= limit) {
      if (draining) end(421, "4.3.2", "Closing this connection: come again later");  // RFC 5321 §3.8.
      return draining;
    }
    discarding_line = true;
    discarded += held.size();
    input.drop();
    if (discarded > flood) end(500, "5.5.2", "The line does not end");
    return true;
  }
  const Bytes line = held.substr(0, line_end);
  input.take(line_end + 1);
  restart_clock();
  if (discarding_line || line_end + 1 > limit) {
    discarding_line = false;
    discarded = 0;
    wrong(500, "5.5.2", "The line is too long");  // RFC 5321 §4.5.3.1.9.
  } else if (!line.ends_with('\r')) {
    wrong(500, "5.5.2", "Lines end with CR and LF");
  } else {
    obey(line.substr(0, line.size() - 1));
  }
  return true;
}

struct ServerSession::State::Verb {
  enum Flags : unsigned { after_hello = 1, after_login = 2, smtp_only = 4, lmtp_only = 8, bare = 16 };
  std::string_view name;
  unsigned flags;
  void (State::*run)(Bytes arguments);
};

void ServerSession::State::obey(Bytes line) {
  while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  const auto space = line.find(' ');
  const Bytes verb = line.substr(0, space);
  const Bytes arguments = space == Bytes::npos ? Bytes() : ascii::trimmed(line.substr(space + 1));
  note('>', ascii::equal_ignoring_case(verb, "AUTH") ? Bytes("AUTH (not shown)") : line);
  if (std::ranges::any_of(line, ascii::is_control)) return wrong(501, "5.5.2", "Control characters are not allowed");
  const Verb* known = find_verb(verb);
  if (known == nullptr || (parameters.lmtp ? known->flags & Verb::smtp_only : known->flags & Verb::lmtp_only) != 0) {
    if (other_protocol(line)) return end(554, "5.5.0", "This is a mail server");
    return wrong(500, "5.5.1", "There is no such command");
  }
  if ((known->flags & Verb::bare) != 0 && !arguments.empty()) {
    return wrong(501, "5.5.4", "This command takes no parameter");
  }
  // RFC 5321 §4.1.4: a session with mail in it begins with EHLO or HELO.
  if ((known->flags & Verb::after_hello) != 0 && helo.empty()) {
    return wrong(503, "5.5.1", parameters.lmtp ? "Say LHLO first" : "Say EHLO first");
  }
  // RFC 6409 §4.3, RFC 4954 §6.
  if ((known->flags & Verb::after_login) != 0 && parameters.authentication_required && !logged_in) {
    return wrong(530, "5.7.0", may_log_in() ? "Log in first" : "Say STARTTLS first, then log in");
  }
  (this->*known->run)(arguments);
}

const ServerSession::State::Verb* ServerSession::State::find_verb(std::string_view name) {
  using V = Verb;
  using S = State;
  static constexpr std::array<Verb, 18> table{{
      {"MAIL", V::after_hello | V::after_login, &S::mail_from},
      {"RCPT", V::after_hello | V::after_login, &S::rcpt_to},
      {"DATA", V::after_hello | V::after_login | V::bare, &S::data},
      {"BDAT", 0, &S::bdat},  // Looks itself: its octets must be swallowed in any state.
      {"EHLO", V::smtp_only, &S::ehlo},
      {"HELO", V::smtp_only, &S::helo_only},
      {"LHLO", V::lmtp_only, &S::ehlo},
      {"QUIT", V::bare, &S::quit},
      {"RSET", V::bare, &S::rset},
      {"NOOP", 0, &S::noop},
      {"STARTTLS", V::after_hello | V::bare, &S::starttls},
      {"AUTH", V::after_hello, &S::auth},
      {"VRFY", 0, &S::vrfy},
      {"HELP", 0, &S::help_with},
      {"EXPN", 0, &S::not_offered},
      {"ETRN", V::after_hello | V::after_login, &S::etrn},
      {"TURN", 0, &S::not_offered},
      {"ATRN", 0, &S::not_offered},
  }};
  for (const auto& verb : table) {
    if (ascii::equal_ignoring_case(verb.name, name)) return &verb;
  }
  return nullptr;
}

void ServerSession::State::wrong(int code, std::string_view enhanced, std::string_view text) {
  reply(code, enhanced, text);
  if (++errors >= parameters.errors) end(421, "4.7.0", "Too many mistakes: closing");
}

void ServerSession::State::ehlo(Bytes text) { hello(text, true); }
void ServerSession::State::helo_only(Bytes text) { hello(text, false); }

void ServerSession::State::hello(Bytes text, bool with_extensions) {
  if (!is_client_name(text)) return wrong(501, "5.5.4", "Say who you are: a domain or an address literal");
  forget_mail();  // RFC 5321 §4.1.4: like RSET.
  helo = text;
  extended = with_extensions;
  ask(Open::greeted, Greeted{.name = helo, .extended = extended});
}

void ServerSession::State::greet_back(const Reply& given) {
  if (!given.positive()) {
    helo.clear();
    return reply(given, 550, "5.7.1", "");
  }
  if (!extended) return reply(250, "", parameters.hostname);
  std::string text = parameters.hostname;
  // RFC 2920, RFC 1870, RFC 6152, RFC 6531, RFC 2034, RFC 3461, RFC 3030.
  text += "\nPIPELINING\nSIZE " + std::to_string(parameters.message_size) +
          "\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nDSN\nCHUNKING";
  if (parameters.starttls && !tls) text += "\nSTARTTLS";
  if (may_log_in()) {  // RFC 4954 §4.6: not where a password would be seen.
    text += "\nAUTH";
    for (const auto mechanism : parameters.mechanisms) text.append(" ").append(sasl::name(mechanism));
  }
  if (parameters.etrn) text += "\nETRN";
  if (!parameters.lmtp) text += "\nHELP";
  reply(250, "", text);
}

void ServerSession::State::mail_from(Bytes text) {
  if (mail) return wrong(503, "5.5.1", "A message has begun already");
  auto arguments = parse_mail(text);
  if (!arguments) {
    const Reply& why = arguments.error();
    return wrong(why.code, why.enhanced, why.text);
  }
  if (messages >= parameters.messages) return end(421, "4.7.0", "Enough messages for one connection: connect again");
  // RFC 1870 §6.1.
  if (arguments->parameters.size.value_or(0) > parameters.message_size) {
    return reply(552, "5.3.4", "The message is too large");
  }
  utf8 = arguments->parameters.smtputf8;
  ask(Open::sender,
      AcceptSender{.sender = std::move(arguments->sender), .parameters = std::move(arguments->parameters)});
}

void ServerSession::State::sender_answered(const Reply& given) {
  mail = given.positive();
  if (!mail) utf8 = false;
  reply(given, 250, "2.1.0", "Ok");
}

void ServerSession::State::rcpt_to(Bytes text) {
  if (!mail) return wrong(503, "5.5.1", "Say MAIL first");
  if (chunked) return wrong(503, "5.5.1", "The content has begun already");
  // RFC 5321 §4.5.3.1.10: temporary, so that the client sends the others in a second transaction.
  if (accepted >= parameters.recipients) return reply(452, "4.5.3", "Too many recipients for one message");
  auto arguments = parse_rcpt(text, utf8);
  if (!arguments) {
    const Reply& why = arguments.error();
    return wrong(why.code, why.enhanced, why.text);
  }
  ask(Open::recipient,
      AcceptRecipient{.recipient = std::move(arguments->recipient), .parameters = std::move(arguments->parameters)});
}

void ServerSession::State::recipient_answered(const Reply& given) {
  if (given.positive()) ++accepted;
  reply(given, 250, "2.1.5", "Ok");
  // RELIABILITY S8: who guesses addresses is cut off.
  if (given.permanent() && ++refused >= parameters.recipients_refused) {
    end(421, "4.7.0", "Too many recipients refused: closing");
  }
}

void ServerSession::State::rset(Bytes) {
  forget_mail();
  reply(250, "2.0.0", "Ok");
}

void ServerSession::State::noop(Bytes) { reply(250, "2.0.0", "Ok"); }

void ServerSession::State::quit(Bytes) {
  forget_mail();
  reply(221, "2.0.0", "Goodbye");
  phase = Phase::closing;
}

void ServerSession::State::vrfy(Bytes text) {
  if (text.empty()) return wrong(501, "5.5.4", "Whom?");
  // RFC 5321 §7.3, RFC 5321 §3.5.3: 252 where addresses are not told.
  if (!parameters.vrfy) return reply(252, "2.1.5", "Send mail to it and see");
  ask(Open::plain, Verify{std::string(text)});
}

// RFC 1985 §5: asks that the mail waiting for a node be tried now.
void ServerSession::State::etrn(Bytes text) {
  if (!parameters.etrn) return not_offered({});
  if (text.empty() || text.contains(' ')) return wrong(501, "5.5.4", "Write ETRN and a domain");
  if (mail) return wrong(503, "5.5.1", "Not inside a message");
  // Looking through the queue costs: not without end.
  if (++queues_started > most_queue_starts) return reply(458, "4.7.0", "Enough of that for one connection");
  ask(Open::plain, StartQueue{std::string(text)});
}

void ServerSession::State::help_with(Bytes text) {
  const auto found = help(text);
  if (found.empty()) return reply(504, "5.5.4", "There is no such command");
  reply(214, "2.0.0", found);
}

void ServerSession::State::not_offered(Bytes) { wrong(502, "5.5.1", "This is not offered here"); }

void ServerSession::State::starttls(Bytes) {
  if (tls) return wrong(503, "5.5.1", "TLS is there already");
  if (!parameters.starttls) return not_offered({});
  // RFC 3207 §4, CVE-2011-0411: who sends more before TLS has begun wants it to be taken for encrypted.
  if (!input.empty()) return end(554, "5.5.0", "Nothing may follow STARTTLS before TLS has begun");
  forget_mail();
  reply(220, "2.0.0", "Begin TLS now");
  start_tls = true;
  phase = Phase::tls;
}

}  // namespace facteur::smtp
