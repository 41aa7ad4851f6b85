#include "smtp/server_session.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "smtp/server_state.hpp"

namespace facteur::smtp {
namespace {

constexpr std::size_t command_room = 4096;
constexpr std::size_t login_room = 16 * 1024;  // RFC 4954 §4: lines of 12,288 octets.
constexpr std::size_t content_room = 64 * 1024;
constexpr std::size_t replies_at_once = 8 * 1024;  // More are sent before the next command is read.
constexpr std::size_t linger_octets = 16 * 1024 * 1024;
constexpr Duration linger_time = 5s;
constexpr std::size_t transcript_octets = 4096;

}  // namespace

Room InputBuffer::room(std::size_t capacity) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ < capacity) {
    auto larger = std::make_unique_for_overwrite<char[]>(capacity);
    if (!empty()) std::memcpy(larger.get(), octets_.get() + begin_, end_ - begin_);
    octets_ = std::move(larger);
    capacity_ = capacity;
    end_ -= begin_;
    begin_ = 0;
  } else if (begin_ > 0) {
    std::memmove(octets_.get(), octets_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {octets_.get() + end_, capacity_ - end_};
}

void InputBuffer::take(std::size_t count) {
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
}

void InputBuffer::drop() {
  octets_.reset();
  capacity_ = begin_ = end_ = 0;
}

ServerSession::State::State(ServerParameters p, Instant at) : parameters(std::move(p)), seen(at) {
  tls = parameters.tls;
  restart_clock();
}

ServerSession::ServerSession(ServerParameters parameters, Instant now)
    : state_(std::make_unique<State>(std::move(parameters), now)) {
  State& s = *state_;
  if (s.parameters.greet_delay > Duration::zero()) {
    s.phase = State::Phase::hesitating;
    s.until = now + s.parameters.greet_delay;
  }
}
ServerSession::~ServerSession() = default;
ServerSession::ServerSession(ServerSession&&) noexcept = default;

Room ServerSession::room() {
  State& s = *state_;
  CHECK_OR_BUG(s.open == State::Open::none);
  switch (s.phase) {
    case State::Phase::content:
    case State::Phase::chunk:
    case State::Phase::lingering:
      return s.input.room(content_room);
    case State::Phase::login:
      return s.input.room(login_room);
    default:
      return s.input.room(s.parameters.mechanisms.empty() ? std::max(command_room, 2 * s.parameters.command_line)
                                                          : login_room);
  }
}

void ServerSession::received(std::size_t count, Instant now) {
  State& s = *state_;
  s.seen = now;
  s.input.add(count);
  if (s.phase == State::Phase::content || s.phase == State::Phase::chunk) s.content_came(count);
}

void ServerSession::expired(Instant now) {
  State& s = *state_;
  s.seen = std::max(now, s.seen);
  if (s.phase == State::Phase::hesitating) {
    s.phase = State::Phase::connected;
    s.restart_clock();
    return;
  }
  if (s.phase == State::Phase::closed || s.phase == State::Phase::closing) return;
  s.forget_mail();
  // RFC 5321 §3.8: a server may only close of its own will after a 421.
  if (s.phase != State::Phase::lingering) s.reply(421, "4.4.2", "Nothing came for too long: closing");
  s.phase = State::Phase::closing;
}

void ServerSession::ended() {
  State& s = *state_;
  if (s.phase == State::Phase::closed) return;
  s.forget_mail();
  s.replies.clear();
  s.sending = false;
  s.gone = true;
  s.open = State::Open::none;
  s.phase = State::Phase::closing;
}

void ServerSession::drain() { state_->draining = true; }

void ServerSession::tls_started(const TlsSummary&) {
  State& s = *state_;
  CHECK_OR_BUG(s.phase == State::Phase::tls);
  // RFC 3207 §4.2: nothing of what was said in the clear is kept, neither the greeting nor a transaction.
  s.tls = true;
  s.helo.clear();
  s.extended = s.logged_in = false;
  s.input.drop();
  s.phase = State::Phase::command;
  s.restart_clock();
}

std::optional<Action> ServerSession::next() {
  State& s = *state_;
  CHECK_OR_BUG(s.open == State::Open::none);
  if (s.sending) {
    s.replies.clear();
    s.sending = false;
  }
  for (;;) {
    if (std::exchange(s.forget, false)) return ForgetMail{};
    if (s.asked) {
      s.open = s.asking;
      auto question = std::move(*s.asked);
      s.asked.reset();
      return question;
    }
    if (s.replies.size() < replies_at_once && s.step()) continue;
    if (!s.replies.empty()) {
      s.sending = true;
      return Send{s.replies};
    }
    if (std::exchange(s.start_tls, false)) {
      s.phase = State::Phase::tls;
      return StartTls{};
    }
    if (s.phase == State::Phase::closing) {
      s.phase = State::Phase::closed;
      s.input.drop();
      return Close{};
    }
    if (s.input.empty()) s.input.drop();
    return std::nullopt;
  }
}

Instant ServerSession::deadline() const { return state_->until; }
bool ServerSession::closed() const { return state_->phase == State::Phase::closed; }
std::string_view ServerSession::transcript() const { return state_->transcript; }

void ServerSession::answer(const Reply& reply) {
  State& s = *state_;
  using Open = State::Open;
  switch (std::exchange(s.open, Open::none)) {
    case Open::client:
      s.phase = State::Phase::command;
      s.restart_clock();
      if (!reply.positive()) return s.end(reply.code, reply.enhanced, reply.text);
      return s.reply(reply, 220, "", s.parameters.hostname + " " + s.parameters.banner);
    case Open::greeted:
      return s.greet_back(reply);
    case Open::login:
      s.login_reply = reply;
      // RFC 4954 §4.7.5: 454 is no verdict about the password.
      if (reply.temporary()) return s.login_done({.accepted = false, .malformed = false, .why = {}});
      return s.login_step(s.exchange->checked(reply.positive()));
    case Open::sender:
      return s.sender_answered(reply);
    case Open::recipient:
      return s.recipient_answered(reply);
    case Open::plain:
      return s.reply(reply, 252, "2.0.0", "Ok");
    case Open::append:
      return s.appended(reply);
    case Open::accept:
      return s.content_answered(std::span(&reply, 1));
    case Open::none:
    case Open::verifier:
      break;
  }
  CHECK_OR_BUG(s.gone);  // The answer to a question that was open when the peer went away is of no use.
}

void ServerSession::answer(std::span<const Reply> for_each_recipient) {
  State& s = *state_;
  const bool open = std::exchange(s.open, State::Open::none) == State::Open::accept;
  CHECK_OR_BUG(open || s.gone);
  if (open) s.content_answered(for_each_recipient);
}

void ServerSession::verifier(std::optional<sasl::Verifier> found) {
  State& s = *state_;
  const bool open = std::exchange(s.open, State::Open::none) == State::Open::verifier;
  CHECK_OR_BUG(open || s.gone);
  if (open) s.login_step(s.exchange->verifier(std::move(found)));
}

bool ServerSession::State::step() {
  switch (phase) {
    case Phase::connected:
      ask(Open::client, AcceptClient{});
      return true;
    case Phase::hesitating:
      if (input.empty()) return false;
      // RFC 5321 §3.1: a client waits for the greeting.
      end(554, "5.5.0", "You spoke before you were greeted");
      return true;
    case Phase::command:
      return command_line();
    case Phase::login:
      return login_line();
    case Phase::content:
    case Phase::chunk:
      return content();
    case Phase::lingering: {
      if (input.empty()) return false;
      lingered += input.held().size();
      input.drop();
      if (lingered > linger_octets) phase = Phase::closing;
      return true;
    }
    case Phase::tls:
    case Phase::closing:
    case Phase::closed:
      return false;
  }
  return false;
}

void ServerSession::State::ask(Open what, Question question) {
  asking = what;
  asked = std::move(question);
}

void ServerSession::State::reply(int code, std::string_view enhanced, std::string_view text) {
  const std::size_t before = replies.size();
  write_reply(replies, code, enhanced, text);
  note('<', std::string_view(replies).substr(before));
}

void ServerSession::State::reply(const Reply& given, int code, std::string_view enhanced, std::string_view text) {
  if (given.positive() && given.text.empty()) return reply(code, enhanced, text);
  const std::size_t before = replies.size();
  write_reply(replies, given);
  note('<', std::string_view(replies).substr(before));
}

void ServerSession::State::end(int code, std::string_view enhanced, std::string_view text) {
  forget_mail();
  reply(code, enhanced, text);
  phase = Phase::lingering;
  until = seen + linger_time;
}

void ServerSession::State::forget_mail() {
  if (mail) forget = true;
  transaction_over();
}

void ServerSession::State::note(char direction, Bytes text) {
  if (transcript.empty()) transcript.reserve(1000);
  if (transcript.size() > transcript_octets - 512) transcript.erase(0, transcript_octets / 2);
  transcript += direction;
  transcript += ' ';
  transcript += text.substr(0, 500);
  if (!text.ends_with('\n')) transcript += '\n';
}

}  // namespace facteur::smtp
