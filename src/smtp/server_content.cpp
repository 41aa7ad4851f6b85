// DATA and BDAT: the content goes to the driver in the pieces it was read in, without a copy.
#include <algorithm>
#include <limits>

#include "base/ascii.hpp"
#include "base/assert.hpp"
#include "smtp/server_state.hpp"

namespace facteur::smtp {
namespace {

constexpr Duration longest_content = 60min;  // However slowly it trickles in.
constexpr Duration linger_time = 5s;

std::string_view words_of(ContentReader::Fault fault) {
  switch (fault) {
    case ContentReader::Fault::nul:
      return "The message contains a NUL octet";
    case ContentReader::Fault::bare_cr:
      return "The message contains a CR without LF";
    default:
      return "The message contains a LF without CR";
  }
}

}  // namespace

void ServerSession::State::data(Bytes) {
  if (!mail) return wrong(503, "5.5.1", "Say MAIL first");
  if (chunked) return wrong(503, "5.5.1", "BDAT and DATA do not mix");  // RFC 3030 §2.
  if (accepted == 0) return wrong(554, "5.5.1", "There is no valid recipient");
  // RFC 5321 §4.1.1.4, RFC 2920 §3.1: a client waits for the 354. Who does not is likely to be smuggling commands.
  if (!input.empty() && !logged_in) return end(554, "5.5.0", "You sent content before you were asked for it");
  reader = {};
  content_size = 0;
  content_ended = false;
  refused_content = false;
  phase = Phase::content;
  begin_content();
  reply(354, "", "End with <CRLF>.<CRLF>");
}

void ServerSession::State::begin_content() {
  content_begun = seen;
  content_octets = 0;
  content_came(0);
}

// RELIABILITY R7: one octet a minute is no message. After data_timeout of grace the average must hold.
void ServerSession::State::content_came(std::size_t count) {
  content_octets += count;
  Duration may_take = longest_content;
  if (parameters.least_rate > 0) {
    const auto seconds = std::min<std::uint64_t>(content_octets / parameters.least_rate, 3600);
    may_take = std::min(may_take, parameters.data_timeout + std::chrono::seconds(seconds));
  }
  until = std::min(seen + parameters.data_timeout, content_begun + may_take);
}

// RFC 3030 §2. The octets follow at once, so they are swallowed whatever the state is.
void ServerSession::State::bdat(Bytes text) {
  const auto space = text.find(' ');
  const auto octets = ascii::number<std::uint64_t>(text.substr(0, space));
  const bool last = space != Bytes::npos && ascii::equal_ignoring_case(ascii::trimmed(text.substr(space)), "LAST");
  // How much follows is not known: nothing behind this can be told from commands.
  if (!octets || (space != Bytes::npos && !last)) return end(501, "5.5.4", "Write BDAT, a number of octets, and LAST");
  if (*octets > 2 * parameters.message_size) return end(552, "5.3.4", "The message is too large");
  if (!chunked) {
    reader = {};
    content_size = 0;
    refused_content = false;
    begin_content();
  }
  if (!mail) {
    refused_content = true;
    content_reply = {503, "5.5.1", "Say MAIL first"};
  } else if (accepted == 0) {
    refused_content = true;
    content_reply = {554, "5.5.1", "There is no valid recipient"};
  } else {
    if (refused_content) content_reply = {503, "5.5.1", "A piece before this one was refused: say RSET"};
    chunked = true;
    if (!refused_content && content_size + *octets > parameters.message_size) {
      refuse_content(552, "5.3.4", "The message is too large");
    }
  }
  chunk_left = *octets;
  chunk_last = last;
  phase = Phase::chunk;
  content_came(0);
}

bool ServerSession::State::content() {
  if (phase == Phase::chunk && chunk_left == 0) {
    chunk_complete();
    return true;
  }
  if (input.empty()) return false;
  Room octets = input.writable();
  if (phase == Phase::content) {
    content_piece(reader.read(octets));
    return true;
  }
  octets = octets.first(static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left, octets.size())));
  if (refused_content) {
    chunk_left -= octets.size();
    input.take(octets.size());
    return true;
  }
  const auto piece = reader.read_chunk(octets);
  chunk_left -= piece.consumed;
  content_piece(piece);
  return true;
}

void ServerSession::State::content_piece(const ContentReader::Piece& piece) {
  if (piece.fault != ContentReader::Fault::none) return end_for(piece.fault);
  content_size += piece.length;
  content_ended = piece.ended;
  if (!refused_content && content_size > parameters.message_size) {
    refuse_content(552, "5.3.4", "The message is too large");  // RFC 1870 §6.3.
  }
  if (!refused_content && piece.length > 0) {
    content_taken = piece.consumed;
    ask(Open::append, AppendContent{input.held().substr(0, piece.length)});
    return;
  }
  input.take(piece.consumed);
  if (content_ended) return content_complete();
  if (refused_content && content_size > 2 * parameters.message_size + (1 << 20)) {
    end(content_reply.code, content_reply.enhanced, content_reply.text);
  }
}

// Beyond RFC 5321 §2.3.8: refused, and the connection ends, since the next octets may be smuggled commands
// (RELIABILITY S1).
void ServerSession::State::end_for(ContentReader::Fault fault) {
  if (mail) forget = true;
  reply_content({554, "5.6.11", std::string(words_of(fault))});
  transaction_over();
  phase = Phase::lingering;
  until = seen + linger_time;
}

void ServerSession::State::appended(const Reply& given) {
  input.take(content_taken);
  content_taken = 0;
  if (!given.positive()) refuse_content(given.code, given.enhanced, given.text);
  if (content_ended) content_complete();
}

void ServerSession::State::refuse_content(int code, std::string_view enhanced, std::string_view text) {
  refused_content = true;
  content_reply = {code, std::string(enhanced), std::string(text)};
  forget = true;  // What was stored so far is of no use any more.
}

// The lonely dot has come.
void ServerSession::State::content_complete() {
  content_ended = false;
  phase = Phase::command;
  restart_clock();
  ++messages;
  if (refused_content) {
    reply_content(content_reply);
    return transaction_over();
  }
  ask(Open::accept, AcceptContent{});
}

void ServerSession::State::chunk_complete() {
  phase = Phase::command;
  restart_clock();
  if (!refused_content && chunk_last && !reader.whole()) {
    return end_for(ContentReader::Fault::bare_cr);
  }
  if (refused_content) {
    if (mail && chunk_last) {
      forget = true;
      reply_content(content_reply);
      transaction_over();
    } else {
      reply(content_reply, 554, "5.0.0", "");
      refused_content = mail && chunked;
    }
    return;
  }
  if (!chunk_last) return reply(250, "2.0.0", "Octets received");
  ++messages;
  ask(Open::accept, AcceptContent{});
}

// RFC 2033 §4.2: LMTP has one reply for each recipient that was accepted.
void ServerSession::State::reply_content(const Reply& given) {
  const std::size_t times = parameters.lmtp ? std::max<std::size_t>(accepted, 1) : 1;
  for (std::size_t i = 0; i < times; ++i) reply(given, 250, "2.0.0", "Ok");
}

void ServerSession::State::content_answered(std::span<const Reply> given) {
  CHECK_OR_BUG(given.size() == 1 || (parameters.lmtp && given.size() == accepted));
  if (given.size() == 1) {
    reply_content(given.front());
  } else {
    for (const Reply& one : given) reply(one, 250, "2.0.0", "Ok");
  }
  transaction_over();
}

void ServerSession::State::transaction_over() {
  mail = utf8 = chunked = refused_content = false;
  accepted = 0;
}

}  // namespace facteur::smtp
