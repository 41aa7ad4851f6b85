// What a ServerSession knows. Included by the files that implement it, by nobody else.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/base64.hpp"
#include "smtp/command_parser.hpp"
#include "smtp/content_reader.hpp"
#include "smtp/server_session.hpp"

namespace facteur::smtp {

// Octets read and not yet used. Its memory is given back when it is empty, so that an idle session holds none.
class InputBuffer {
 public:
  Room room(std::size_t capacity);  // At least one octet, if what is held is shorter than `capacity`.
  void add(std::size_t count) { end_ += count; }
  void take(std::size_t count);
  void drop();  // Everything, and the memory.
  Bytes held() const { return {octets_.get() + begin_, end_ - begin_}; }
  Room writable() { return {octets_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }

 private:
  std::unique_ptr<char[]> octets_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

struct ServerSession::State {
  enum class Phase : std::uint8_t {
    connected,   // AcceptClient is to be asked.
    hesitating,  // greet_delay runs.
    command,
    login,      // A SASL exchange waits for a response line.
    content,    // Between 354 and the lonely dot.
    chunk,      // Octets of a BDAT.
    tls,        // Between StartTls and tls_started().
    lingering,  // The last reply is out; what still comes is dropped, so that no reset overtakes the reply.
    closing,    // Replies, then Close.
    closed,
  };
  enum class Open : std::uint8_t { none, client, greeted, login, verifier, sender, recipient, append, accept, plain };

  ServerParameters parameters;
  Phase phase = Phase::connected;
  Open open = Open::none;
  Instant seen;  // When we last heard of the world.
  Instant until;
  InputBuffer input;
  std::string replies;
  std::string transcript;
  bool sending = false;
  bool forget = false;  // ForgetMail is due.
  bool draining = false;
  bool tls = false;
  bool start_tls = false;  // StartTls is due once the 220 is out.
  bool gone = false;

  // The session.
  std::string helo;
  bool extended = false;
  bool logged_in = false;
  std::size_t errors = 0, queues_started = 0, refused = 0, failed_logins = 0, messages = 0;
  bool discarding_line = false;
  std::size_t discarded = 0;
  std::size_t lingered = 0;

  // The login.
  std::unique_ptr<sasl::ServerExchange> exchange;
  std::uint64_t exchanges = 0;
  Reply login_reply;

  // The transaction.
  bool mail = false;
  bool utf8 = false;
  std::size_t accepted = 0;
  ContentReader reader;
  std::uint64_t content_size = 0;
  Instant content_begun;
  std::uint64_t content_octets = 0;  // Received since then.
  bool refused_content = false;      // `content_reply` is decided; what still comes is only swallowed.
  Reply content_reply;
  std::size_t content_taken = 0;  // Octets of the input that AppendContent has borrowed.
  bool content_ended = false;
  bool chunked = false;  // BDAT has begun.
  bool chunk_last = false;
  std::uint64_t chunk_left = 0;

  std::optional<Question> asked;  // To be handed out by next().
  Open asking = Open::none;

  State(ServerParameters p, Instant at);

  // server_session.cpp
  bool step();  // Whether anything happened; false: more octets or time are needed.
  void ask(Open what, Question question);
  void reply(int code, std::string_view enhanced, std::string_view text);
  void reply(const Reply& given, int code, std::string_view enhanced, std::string_view text);  // With words of ours.
  void end(int code, std::string_view enhanced, std::string_view text);  // This reply is the last one.
  void forget_mail();
  void restart_clock() { until = seen + parameters.command_timeout; }
  void note(char direction, Bytes text);

  // server_commands.cpp
  struct Verb;
  static const Verb* find_verb(std::string_view name);
  bool command_line();
  void obey(Bytes line);
  void wrong(int code, std::string_view enhanced, std::string_view text);
  void ehlo(Bytes text);
  void helo_only(Bytes text);
  void hello(Bytes text, bool with_extensions);
  void not_offered(Bytes text);
  void greet_back(const Reply& given);
  void mail_from(Bytes text);
  void rcpt_to(Bytes text);
  void rset(Bytes text);
  void noop(Bytes text);
  void quit(Bytes text);
  void vrfy(Bytes text);
  void etrn(Bytes text);
  void help_with(Bytes text);
  void starttls(Bytes text);
  void sender_answered(const Reply& given);
  void recipient_answered(const Reply& given);

  // server_login.cpp
  bool may_log_in() const { return !parameters.mechanisms.empty() && (tls || parameters.plaintext_login); }
  void auth(Bytes text);
  bool login_line();
  void login_step(sasl::Step step);
  void login_done(const sasl::Done& done);

  // server_content.cpp
  void data(Bytes text);
  void bdat(Bytes text);
  bool content();
  void content_piece(const ContentReader::Piece& piece);
  void begin_content();
  void content_came(std::size_t count);
  void end_for(ContentReader::Fault fault);
  void content_complete();
  void chunk_complete();
  void refuse_content(int code, std::string_view enhanced, std::string_view text);
  void reply_content(const Reply& given);
  void appended(const Reply& given);
  void content_answered(std::span<const Reply> given);
  void transaction_over();
};

}  // namespace facteur::smtp
