#include "pop3/server_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "base/base64.hpp"
#include "pop3/server_state.hpp"

namespace facteur::pop3 {
namespace {

constexpr std::size_t room_octets = 4 * 1024;
constexpr std::size_t longest_line = 4 * 1024 - 2;   // RFC 2449 §4: 255 at least; RFC 5034 §4: SASL needs more.
constexpr std::size_t output_octets = 16 * 1024;     // Replies gathered before they are sent.
constexpr std::size_t gathered_octets = 128 * 1024;  // Short messages asked for in one go are sent in one go.
constexpr std::size_t gathered_pieces = 256;
constexpr std::size_t portion_pieces = 512;
constexpr std::size_t portion_octets = 512 * 1024;
constexpr int most_errors = 20;  // In a row.
constexpr int most_errors_before_login = 5;
constexpr int most_wrong_logins = 5;

}  // namespace

// ---- replies

void ServerSession::State::ok(std::string_view text) {
  errors = 0;
  out.append("+OK ").append(text).append("\r\n");
}

void ServerSession::State::error(std::string_view text, std::string_view code) {
  out.append("-ERR ");
  if (!code.empty()) out.append("[").append(code).append("] ");  // RFC 2449 §8.
  out.append(text).append("\r\n");
}

void ServerSession::State::wrong(Say what) {
  ++errors;
  if (errors > (phase == Phase::authorization ? most_errors_before_login : most_errors)) {
    error(Say::too_many_errors);
    return close_after_output();
  }
  error(what);
}

// ---- flow

void ServerSession::State::ask(Asked what, Action action) {
  asked = what;
  question.emplace(std::move(action));
}

void ServerSession::State::step(sasl::Step next) {
  if (auto* challenge = std::get_if<sasl::Challenge>(&next)) {
    out.append("+ ").append(to_base64(challenge->octets)).append("\r\n");
    awaits_response = true;
  } else if (auto* fetch = std::get_if<sasl::FetchVerifier>(&next)) {
    ask(Asked::verifier, FetchVerifier{fetch->mechanism, std::move(fetch->login)});
  } else if (auto* check = std::get_if<sasl::CheckCredentials>(&next)) {
    ask(Asked::login, Authenticate{std::move(check->credentials)});
  } else {
    const sasl::Done done = std::get<sasl::Done>(std::move(next));
    exchange.reset();
    if (done.accepted) {
      ask(Asked::maildrop, OpenMaildrop{});
    } else if (done.malformed) {
      wrong(Say::syntax);
    } else {
      error(Say::wrong_login, "AUTH");
    }
  }
}

void ServerSession::State::line(Bytes line) {
  if (!awaits_response) return command(line);
  awaits_response = false;
  if (line == "*") {  // RFC 5034 §4.
    exchange.reset();
    return wrong(Say::cancelled);
  }
  const auto decoded = from_base64(line);
  if (!decoded) {
    exchange.reset();
    return wrong(Say::bad_base64);
  }
  step(exchange->response(*decoded));
}

// Carries out lines as long as nothing has to be asked, streamed or sent first.
void ServerSession::State::read_lines() {
  while (asked == Asked::nothing && listing == Listing::none && !content.active() && !starting_tls && !closing &&
         out.size() < output_octets && begin < end) {
    const void* found = std::memchr(input.data() + begin, '\n', end - begin);
    if (!found) {
      if (end - begin < longest_line && !skipping_line) return;
      begin = end = 0;
      skipping_line = true;
      return;
    }
    const auto stop = static_cast<std::size_t>(static_cast<const char*>(found) - input.data());
    const std::size_t start = std::exchange(begin, stop + 1);
    Bytes text = Bytes(input).substr(start, stop - start);
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (std::exchange(skipping_line, false) || stop - start >= longest_line) {
      exchange.reset();
      awaits_response = false;
      wrong(Say::too_long);
    } else {
      line(text);
    }
  }
}

// Some lines of LIST or UIDL; false when there is nothing to list.
bool ServerSession::State::stream_listing() {
  if (listing == Listing::none) return false;
  for (; listed < maildrop->count() && out.size() < output_octets; ++listed) {
    if (is_deleted(listed)) continue;
    fmt::format_to(std::back_inserter(out), "{} ", listed + 1);
    if (listing == Listing::sizes) {
      fmt::format_to(std::back_inserter(out), "{}", maildrop->size(listed));
    } else {
      append_unique_id(out, maildrop->unique(listed));
    }
    out.append("\r\n");
  }
  if (listed == maildrop->count()) {
    out.append(".\r\n");
    listing = Listing::none;
  }
  return true;
}

// Moves replies, and the next portion of a message, behind what waits to be sent.
void ServerSession::State::gather() {
  if (!out.empty()) {
    gathered += out.size();
    pieces.emplace_back(replies.emplace_back(std::exchange(out, {})));
  }
  if (!content.active()) return;
  const std::size_t before = pieces.size();
  content.write(pieces, portion_pieces, portion_octets);
  for (std::size_t i = before; i < pieces.size(); ++i) gathered += pieces[i].size();
}

// Lines, listings and messages, until something must be asked or enough is there to be sent.
void ServerSession::State::carry_out() {
  for (bool more = true; more;) {
    const std::size_t before = begin;
    const bool message = content.active();
    read_lines();
    stream_listing();
    gather();
    more = (begin != before || (message && !content.active())) && gathered < gathered_octets &&
           pieces.size() < gathered_pieces;
  }
}

// Whether the next message, which the client has asked for already, may come before what is there is sent.
bool ServerSession::State::may_gather_more() const {
  return question && std::holds_alternative<FetchMessage>(*question) && !content.active() &&
         gathered < gathered_octets && pieces.size() < gathered_pieces;
}

ServerSession::ServerSession(ServerParameters parameters, Instant now)
    : state_(std::make_unique<State>(std::move(parameters), now)) {
  auto& s = *state_;
  std::string greeting = fmt::format("{} POP3 {}", s.parameters.hostname, s.text(Say::ready));
  // RFC 1939 §7: the challenge of APOP stands in the greeting.
  if (!s.parameters.apop_challenge.empty()) greeting.append(" ").append(s.parameters.apop_challenge);
  s.ok(greeting);
}

ServerSession::~ServerSession() = default;

// ---- what happened

Room ServerSession::room() {
  auto& s = *state_;
  if (s.input.empty()) s.input.resize(room_octets);
  if (s.begin > 0) {
    std::memmove(s.input.data(), s.input.data() + s.begin, s.end - s.begin);
    s.end -= s.begin;
    s.begin = 0;
  }
  CHECK_OR_BUG(s.end < s.input.size());
  return Room(s.input).subspan(s.end);
}

void ServerSession::received(std::size_t count, Instant now) {
  auto& s = *state_;
  CHECK_OR_BUG(s.end + count <= s.input.size());
  s.end += count;
  s.last_octet = now;
}

void ServerSession::expired(Instant) { ended(); }

void ServerSession::ended() {
  auto& s = *state_;
  s.content.forget();
  s.asked = Asked::nothing;
  s.question.reset();
  s.closed = true;
}

void ServerSession::tls_started(Instant now) {
  auto& s = *state_;
  s.starting_tls = false;
  s.parameters.tls = true;
  s.begin = s.end = 0;
  s.last_octet = now;
}

void ServerSession::drain() { state_->draining = true; }

void ServerSession::sent(Instant now) {
  auto& s = *state_;
  s.sending = false;
  s.replies.clear();
  s.pieces.clear();
  s.gathered = 0;
  s.last_octet = now;
}

void ServerSession::verifier(std::optional<sasl::Verifier> found) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::verifier && !s.question && s.exchange);
  s.asked = Asked::nothing;
  s.step(s.exchange->verifier(std::move(found)));
}

void ServerSession::logged_in() {
  auto& s = *state_;
  CHECK_OR_BUG((s.asked == Asked::login || s.asked == Asked::apop) && !s.question);
  s.asked = Asked::nothing;
  if (s.exchange) {
    // SCRAM sends the server's signature first, and the client answers it with an empty response.
    return s.step(s.exchange->checked(true));
  }
  s.ask(Asked::maildrop, OpenMaildrop{});
}

void ServerSession::login_refused(bool temporary, Bytes text) {
  auto& s = *state_;
  CHECK_OR_BUG((s.asked == Asked::login || s.asked == Asked::apop) && !s.question);
  s.asked = Asked::nothing;
  s.exchange.reset();
  if (temporary) return s.error(text.empty() ? s.text(Say::try_later) : text, "SYS/TEMP");
  s.error(Say::wrong_login, "AUTH");
  if (++s.wrong_logins >= most_wrong_logins) s.close_after_output();
}

void ServerSession::opened(std::shared_ptr<const Maildrop> maildrop) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::maildrop && !s.question && maildrop);
  s.asked = Asked::nothing;
  s.maildrop = std::move(maildrop);
  s.phase = Phase::transaction;
  s.ok(fmt::format(fmt::runtime(s.text(Say::logged_in)), s.maildrop->count(), s.maildrop->octets()));
}

void ServerSession::open_refused(Bytes code, Bytes text) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::maildrop && !s.question);
  s.asked = Asked::nothing;
  const Say what = code == "IN-USE" ? Say::in_use : Say::try_later;
  s.error(text.empty() ? s.text(what) : text, code);
}

void ServerSession::message(std::vector<Bytes> pieces) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::message && !s.question);
  s.asked = Asked::nothing;
  s.holds_message = true;
  if (s.top) {
    s.ok(Say::top_follows);
    return s.content.start(std::move(pieces), s.top_lines);
  }
  std::uint64_t octets = 0;
  for (const Bytes piece : pieces) octets += piece.size();
  s.ok(fmt::format(fmt::runtime(s.text(Say::message_follows)), octets));
  s.last = std::max(s.last, s.fetched + 1);
  if (s.retrieved.empty()) s.retrieved.resize(s.maildrop->count());
  s.retrieved[s.fetched] = true;
  s.content.start(std::move(pieces), std::nullopt);
}

void ServerSession::message_missing(bool temporary) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::message && !s.question);
  s.asked = Asked::nothing;
  s.error(temporary ? Say::try_later : Say::missing, temporary ? "SYS/TEMP" : "SYS/PERM");
}

void ServerSession::updated(bool all) {
  auto& s = *state_;
  CHECK_OR_BUG(s.asked == Asked::update && !s.question);
  s.asked = Asked::nothing;
  // RFC 1939 §6: -ERR if some were not removed; the session ends in both cases.
  if (!all) {
    s.error(Say::some_left, "SYS/TEMP");
  } else {
    s.ok(s.update_deleted.empty() ? Say::bye : Say::bye_deleted);
  }
  s.close_after_output();
}

// ---- what to do

std::optional<Action> ServerSession::next() {
  auto& s = *state_;
  if (s.closed || s.sending) return std::nullopt;
  if (s.asked != Asked::nothing && !s.question) return std::nullopt;  // The answer is awaited.
  s.carry_out();
  if (s.draining && s.asked == Asked::nothing && s.listing == State::Listing::none && !s.content.active() &&
      !s.closing && !s.starting_tls) {
    s.error(Say::stopping, "SYS/TEMP");
    s.close_after_output();
    s.gather();
  }
  if (s.holds_message && !s.pieces.empty() && s.may_gather_more()) return std::exchange(s.question, std::nullopt);
  if (!s.pieces.empty()) {
    s.sending = true;
    return Send{s.pieces};
  }
  if (s.holds_message && !s.content.active()) {
    s.holds_message = false;
    return ForgetMessage{};
  }
  if (s.question) return std::exchange(s.question, std::nullopt);
  if (s.starting_tls) return StartTls{};
  if (s.closing) {
    s.closed = true;
    return Close{};
  }
  if (s.begin == s.end) {  // Idle: the buffer goes back.
    s.input = {};
    s.begin = s.end = 0;
    s.pieces.shrink_to_fit();
  }
  return std::nullopt;
}

Instant ServerSession::deadline() const {
  const auto& s = *state_;
  // RELIABILITY R7: who does not log in has the time of one pause, however that is filled.
  return (s.phase == Phase::authorization ? s.started : s.last_octet) + s.parameters.timeout;
}

bool ServerSession::closed() const { return state_->closed; }

bool ServerSession::authenticated() const { return state_->phase != Phase::authorization; }

}  // namespace facteur::pop3
