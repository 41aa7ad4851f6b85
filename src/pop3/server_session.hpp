// The server side of one POP3 connection (RFC 1939, RFC 2449): no socket, no clock, no lock, no thread.
//
// What happened goes in (received, expired, ended, answers), what to do comes out of next(), until when stands in
// deadline(). Commands are answered in the order they came; while a question is open nothing more is read from them.
// The same octets give the same replies however they are cut.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "pop3/maildrop.hpp"
#include "sasl/mechanism.hpp"

namespace facteur::pop3 {

struct ServerParameters {
  std::string hostname;
  bool tls = false;              // The connection is under TLS already (995).
  bool stls = false;             // STLS is offered while there is no TLS (RFC 2595 §4).
  bool plaintext_login = false;  // Passwords are taken without TLS (loopback only: DECISIONS.md 27).
  std::vector<sasl::Mechanism> mechanisms{sasl::Mechanism::plain};
  std::string nonce_seed;      // At least 16 random octets, for SASL challenges.
  std::string apop_challenge;  // "<1896.697170952@host>" (RFC 1939 §7), new for each session; empty: no APOP.
  std::uint32_t login_delay_seconds = 0;  // RFC 2449 §6.5; 0: none, not announced. The driver enforces it.
  Duration timeout = 10min;               // RFC 1939 §3: at least 10 minutes.
};

// ---- questions: next() gives nothing more until they are answered

// Are these good? answer with logged_in() or login_refused().
struct Authenticate {
  sasl::Credentials credentials;
};
// Look up what is stored for SASL; answer with verifier().
struct FetchVerifier {
  sasl::Mechanism mechanism;
  std::string login;
};
// RFC 1939 §7: is `digest` (32 hexadecimal digits, lower case) MD5(challenge + secret)? answer with logged_in() or
// login_refused().
struct CheckApop {
  std::string login;
  std::string challenge;
  std::string digest;
};
// Lock the mailbox of who has logged in, and show it; answer with opened() or open_refused().
struct OpenMaildrop {};
// Give the octets of a message; answer with message() or message_missing(). Several may be asked for before Send.
struct FetchMessage {
  std::size_t index;
};
// QUIT (RFC 1939 §6): remove these, mark those as read; answer with updated(). Indexes ascend. Borrowed until then.
struct Update {
  const std::vector<std::size_t>* deleted;
  const std::vector<std::size_t>* retrieved;  // By RETR, not deleted.
};

// ---- orders: nothing to answer but sent() and tls_started()

// Write these to the client, then call sent(). Borrowed until then.
struct Send {
  std::span<const Bytes> pieces;
};
// The octets given to message(), all so far, are not needed any more.
struct ForgetMessage {};
// Everything has been sent: begin the TLS handshake, then call tls_started() (or ended()).
struct StartTls {};
struct Close {};

using Action = std::variant<Authenticate, FetchVerifier, CheckApop, OpenMaildrop, FetchMessage, Update, Send,
                            ForgetMessage, StartTls, Close>;

class ServerSession {
 public:
  ServerSession(ServerParameters parameters, Instant now);
  ~ServerSession();
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  // ---- what happened
  Room room();  // Where to read into: at least one octet; allocated only here, so that idle sessions hold none.
  void received(std::size_t count, Instant now);
  void expired(Instant now);  // deadline() has passed: the session closes, nothing is deleted (RFC 1939 §3).
  void ended();               // The peer is gone, or writing failed. Nothing is deleted.
  void tls_started(Instant now);
  void drain();  // The server stops: said at the end of the running command.
  void sent(Instant now);

  void verifier(std::optional<sasl::Verifier> found);
  void logged_in();
  // Temporary: [SYS/TEMP] (RFC 3206 §4), not counted as a wrong password. `text` may be empty.
  void login_refused(bool temporary, Bytes text = {});
  void opened(std::shared_ptr<const Maildrop> maildrop);
  // `code`: "IN-USE", "LOGIN-DELAY" (RFC 2449 §8.1), "SYS/TEMP", "SYS/PERM" (RFC 3206 §4).
  void open_refused(Bytes code, Bytes text = {});
  void message(std::vector<Bytes> pieces);  // Borrowed until ForgetMessage, or until the session is closed.
  void message_missing(bool temporary);
  void updated(bool all);  // False: some could not be deleted (RFC 1939 §6).

  // ---- what to do
  std::optional<Action> next();  // nullopt: wait for octets or deadline().
  Instant deadline() const;
  bool closed() const;
  bool authenticated() const;

  struct State;  // Known inside this folder only.

 private:
  std::unique_ptr<State> state_;
};

}  // namespace facteur::pop3
