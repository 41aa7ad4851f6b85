// The inside of pop3::ServerSession, shared by server_session.cpp (octets, flow) and commands.cpp (meaning).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pop3/content_writer.hpp"
#include "pop3/language.hpp"
#include "pop3/server_session.hpp"
#include "sasl/server.hpp"

namespace facteur::pop3 {

// RFC 1939 §3.
enum class Phase : std::uint8_t { authorization, transaction, update };

// Which answer is awaited. `asking`: the question has not been given out yet.
enum class Asked : std::uint8_t { nothing, login, verifier, apop, maildrop, message, update };

struct ServerSession::State {
  ServerParameters parameters;
  Language language = Language::english;
  Phase phase = Phase::authorization;

  // Input: octets [begin, end) of `input` are unread.
  std::string input;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool skipping_line = false;  // Passing over the rest of a line that was too long.

  // Output: replies are written to `out`; `pieces` is what goes out next, replies and messages in order.
  std::string out;
  std::deque<std::string> replies;  // What `pieces` shows of replies.
  std::vector<Bytes> pieces;
  std::size_t gathered = 0;  // Octets of `pieces`.
  bool sending = false;
  ContentWriter content;
  bool holds_message = false;  // The driver keeps octets of messages for us.
  bool top = false;
  std::uint64_t top_lines = 0;
  std::size_t fetched = 0;
  enum class Listing : std::uint8_t { none, sizes, unique_ids } listing = Listing::none;
  std::size_t listed = 0;  // The next index to list.

  Asked asked = Asked::nothing;
  std::optional<Action> question;  // To be given out once what stands in `out` has been sent.
  std::optional<sasl::ServerExchange> exchange;
  bool awaits_response = false;  // The next line is a SASL response.
  std::uint64_t exchanges = 0;

  std::string user;  // USER has been given.
  bool utf8 = false;
  std::shared_ptr<const Maildrop> maildrop;
  std::vector<bool> deleted;    // Allocated by the first DELE.
  std::vector<bool> retrieved;  // By the first RETR.
  std::vector<std::size_t> update_deleted;
  std::vector<std::size_t> update_retrieved;
  std::size_t deleted_count = 0;
  std::uint64_t deleted_octets = 0;
  std::size_t last = 0;  // RFC 1460: the highest number retrieved.

  bool starting_tls = false;
  bool closing = false;
  bool closed = false;
  bool draining = false;
  int errors = 0;  // In a row.
  int wrong_logins = 0;
  Instant started;
  Instant last_octet;

  State(ServerParameters p, Instant now) : parameters(std::move(p)), started(now), last_octet(now) {}

  // ---- replies (server_session.cpp)
  std::string_view text(Say what) const { return said(what, language); }
  void ok(std::string_view text);
  void ok(Say what) { ok(text(what)); }
  void error(std::string_view text, std::string_view code = {});
  void error(Say what, std::string_view code = {}) { error(text(what), code); }
  void wrong(Say what);  // A client's mistake: counted.

  // ---- flow (server_session.cpp)
  void ask(Asked what, Action action);
  void step(sasl::Step step);
  void read_lines();
  void line(Bytes line);
  bool stream_listing();
  void gather();
  void carry_out();
  bool may_gather_more() const;
  void close_after_output() { closing = true; }

  // ---- commands (commands.cpp)
  void command(Bytes line);
  bool may_log_in() const { return parameters.tls || parameters.plaintext_login; }
  bool is_deleted(std::size_t index) const { return !deleted.empty() && deleted[index]; }
  std::optional<std::size_t> message_index(Bytes number);  // Says what is wrong.
  void run_capa(Bytes arguments);
  void run_user(Bytes arguments);
  void run_pass(Bytes arguments);
  void run_apop(Bytes arguments);
  void run_auth(Bytes arguments);
  void run_stls(Bytes arguments);
  void run_quit(Bytes arguments);
  void run_utf8(Bytes arguments);
  void run_lang(Bytes arguments);
  void run_noop(Bytes arguments);
  void run_stat(Bytes arguments);
  void run_list(Bytes arguments);
  void run_uidl(Bytes arguments);
  void run_retr(Bytes arguments);
  void run_top(Bytes arguments);
  void run_dele(Bytes arguments);
  void run_rset(Bytes arguments);
  void run_last(Bytes arguments);
};

// RFC 1939 §7: 1 to 70 printable characters; ours are the unique number in base32.
void append_unique_id(std::string& out, std::uint64_t unique);

}  // namespace facteur::pop3
