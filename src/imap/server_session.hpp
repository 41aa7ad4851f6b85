// The server side of one IMAP connection (RFC 3501, RFC 9051): no socket, no clock, no lock, no thread.
//
// What happened goes in (received, expired, ended, answers), what to do comes out of next(), until when stands in
// deadline(). Commands are answered in the order they came; while a question is open nothing more is read from them.
// The same octets give the same actions however they are cut.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "imap/command.hpp"
#include "imap/response_writer.hpp"
#include "sasl/mechanism.hpp"
#include "sasl/server.hpp"

namespace facteur::imap {

struct ServerParameters {
  std::string hostname;          // For the greeting and for challenges.
  bool tls = false;              // The connection is under TLS already (993).
  bool starttls = false;         // STARTTLS is offered while there is no TLS.
  bool plaintext_login = false;  // Passwords are taken without TLS (loopback only: DECISIONS.md 27).
  std::vector<sasl::Mechanism> mechanisms{sasl::Mechanism::plain};
  std::string nonce_seed;                         // At least 16 random octets, for SASL challenges.
  std::uint64_t message_size = 50 * 1024 * 1024;  // Of one APPENDed message.
  std::size_t line_before_login = 8 * 1024;       // Command with its literals.
  std::size_t line = 64 * 1024;
  Duration login_timeout = 2min;
  Duration idle_timeout = 30min;  // RFC 9051 §5.4: at least 30 minutes.
};

// What ENABLE and CONDSTORE-enabling commands have switched on in this session.
struct Features {
  bool condstore = false;
  bool qresync = false;
  bool rev2 = false;
  bool utf8 = false;
};

// ---- questions: next() gives nothing more until they are answered

// Carry out a command: write untagged responses to responses(), then call executed(). LOGIN, AUTHENTICATE, CAPABILITY,
// ID, ENABLE, STARTTLS, LOGOUT and IDLE are never asked: the session does these itself. Borrowed until executed().
struct Execute {
  const Command* command;
};
// Look up what is stored for SASL; answer with verifier().
struct FetchVerifier {
  sasl::Mechanism mechanism;
  std::string login;
};
// Are these good? answer with logged_in() or login_refused().
struct Authenticate {
  sasl::Credentials credentials;
};
// Does the mailbox take this message? answer with append_accepted() or append_refused(). `first`: forget what came
// before. After that, AppendContent until `size` octets have come.
struct BeginAppend {
  bool first;
  AppendParameters parameters;
};
struct AppendContent {
  Bytes content;  // Borrowed until content_taken() or append_refused().
};
// The client idles, or has just begun to: write what is new in the mailbox to responses(), then call announced().
struct Announce {};

// ---- orders: nothing to answer

// Write responses().pieces() to the client, then call sent().
struct Send {};
// Everything has been sent: begin the TLS handshake, then call tls_started().
struct StartTls {};
// The messages of a running APPEND will not be completed.
struct AbandonAppend {};
struct Close {};

using Action = std::variant<Execute, FetchVerifier, Authenticate, BeginAppend, AppendContent, Announce, Send, StartTls,
                            AbandonAppend, Close>;

// How a command ended.
struct Outcome {
  enum class Word : std::uint8_t { ok, no, bad };
  enum class Move : std::uint8_t { stay, select, unselect };
  Word word = Word::ok;
  std::string code;  // RFC 5530 and others, without brackets; may be empty.
  std::string text;
  Move move = Move::stay;  // SELECT leads to `select`; a failed SELECT, CLOSE, UNSELECT to `unselect`.
};

class ServerSession {
 public:
  ServerSession(ServerParameters parameters, Instant now);
  ~ServerSession();
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  // ---- what happened
  Room room();  // Where to read into: at least one octet; allocated only here, so that idle sessions hold none.
  void received(std::size_t count, Instant now);
  void expired(Instant now);  // deadline() has passed.
  void ended();               // The peer is gone, or writing failed.
  void tls_started(Instant now);
  void news();   // The selected mailbox has changed.
  void drain();  // The server stops: BYE at the end of the running command.
  void sent();

  void executed(const Outcome& outcome);
  void verifier(std::optional<sasl::Verifier> found);
  void logged_in();
  void login_refused(bool temporary, Bytes text);  // Temporary: [UNAVAILABLE], not counted as a wrong password.
  void append_accepted();
  void append_refused(Bytes code, Bytes text);  // In place of append_accepted() or content_taken().
  void content_taken();
  void announced();

  // ---- what to do
  std::optional<Action> next();  // nullopt: wait for octets, news or deadline().
  Instant deadline() const;
  bool closed() const;
  bool idling() const;

  ResponseWriter& responses();
  Features& features();
  bool authenticated() const;
  bool selected() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace facteur::imap
