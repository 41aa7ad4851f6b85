// The server's side of one SMTP or LMTP connection (RFC 5321, RFC 2033): no socket, no clock, no lock, no thread.
//
// Bytes and times go in, actions come out (DESIGN.md section 5). The driver is server/smtp_service.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "message/address.hpp"
#include "sasl/server.hpp"
#include "smtp/parameters.hpp"
#include "smtp/reply.hpp"

namespace facteur::smtp {

struct ServerParameters {
  std::string hostname;                  // In the greeting, EHLO and CRAM-MD5.
  std::string banner = "ESMTP Facteur";  // Behind it in the greeting.
  bool lmtp = false;                     // RFC 2033: LHLO, and one reply for each recipient.

  bool starttls = false;                    // Offered while not under TLS (RFC 3207).
  bool tls = false;                         // Under TLS from the first octet (RFC 8314).
  bool authentication_required = false;     // Submission (RFC 6409 §4.3): 530 before AUTH.
  std::vector<sasl::Mechanism> mechanisms;  // Empty: AUTH is not offered.
  bool plaintext_login = false;             // AUTH without TLS: loopback only (DECISIONS.md 27).
  std::string random;                       // At least 16 octets, drawn for this session: nonces.

  bool vrfy = false;  // Answer VRFY by asking; else 252.
  bool etrn = false;  // RFC 1985: offered.

  std::uint64_t message_size = 50 * 1024 * 1024;
  std::size_t recipients = 1000;        // 452 4.5.3 beyond (RFC 5321 §4.5.3.1.10).
  std::size_t command_line = 2048;      // CRLF included; AUTH and its responses may take 12,288 (RFC 4954 §4).
  std::size_t errors = 20;              // Wrong commands before 421 and the end.
  std::size_t recipients_refused = 50;  // Of one session before 421 and the end (RELIABILITY S8).
  std::size_t failed_logins = 3;
  std::size_t messages = 1000;              // Of one connection.
  Duration command_timeout = 5min;          // RFC 5321 §4.5.3.2.7.
  Duration data_timeout = 5min;             // Between two blocks of content.
  std::uint64_t least_rate = 500;           // Octets a second that content must come at, after data_timeout; 0: any.
  Duration greet_delay = Duration::zero();  // Who talks before the greeting is refused; 0: greet at once.
};

// Facts about the TLS connection under the session.
struct TlsSummary {
  std::string protocol;  // "TLSv1.3".
  std::string cipher;
  std::string peer_name;  // Of a verified client certificate; empty: none.
};

// Questions: the session waits for one answer() before it reads the next command, so replies keep the order of commands
// (RFC 2920 §3.2). Positive replies may have an empty text: the session has words of its own.
struct AcceptClient {};  // Before the greeting: 220, or 554/421.
struct Greeted {         // EHLO, HELO, LHLO: 250 or a refusal.
  std::string name;
  bool extended = false;
};
struct Authenticate {  // 235, 535 or 454.
  sasl::Credentials credentials;
};
struct FetchVerifier {  // Answered by verifier().
  sasl::Mechanism mechanism;
  std::string login;
};
struct AcceptSender {
  std::optional<message::Address> sender;  // nullopt: the null reverse-path (RFC 5321 §4.5.5).
  MailParameters parameters;
};
struct AcceptRecipient {
  message::Address recipient;  // Empty domain: "postmaster" (RFC 5321 §4.1.1.3).
  RcptParameters parameters;
};
struct Verify {  // VRFY: 250 with the mailbox, 550, 553, 252 (RFC 5321 §3.5.3). Asked only if `vrfy`.
  std::string name;
};
struct StartQueue {  // ETRN: 250 to 253, 458 or 459 (RFC 1985 §5.3). Asked only if `etrn`.
  std::string node;
};
struct AppendContent {
  Bytes content;  // Dot-unstuffed; borrowed until answer().
};
struct AcceptContent {};  // The final dot: do we take responsibility? LMTP: answer() with one reply a recipient.
using Question = std::variant<AcceptClient, Greeted, Authenticate, FetchVerifier, AcceptSender, AcceptRecipient,
                              AppendContent, AcceptContent, Verify, StartQueue>;

// Orders: to be carried out, nothing to answer.
struct Send {
  Bytes replies;  // Borrowed until the next call.
};
struct StartTls {};  // Then tls_started(), or ended() if it failed.
struct ForgetMail {
};  // The transaction is over without content: RSET, EHLO, STARTTLS, a lost connection, a bad message.
struct Close {};
using Action = std::variant<Question, Send, StartTls, ForgetMail, Close>;

class ServerSession {
 public:
  ServerSession(ServerParameters parameters, Instant now);
  ~ServerSession();
  ServerSession(ServerSession&&) noexcept;

  // What happened.
  Room room();  // Where to read into, never empty: bounds what a peer makes us hold. Valid until the next call.
  void received(std::size_t count, Instant now);  // That many octets are in room() now.
  void expired(Instant now);                      // deadline() has passed: 421, RFC 5321 §3.8.
  void ended();                                   // The peer is gone, or a write failed.
  void drain();                                   // The server stops: 421 at the next boundary (RFC 5321 §3.8).
  void tls_started(const TlsSummary& tls);        // Forgets what was learnt in clear (RFC 3207 §4.2).
  void answer(const Reply& reply);
  void answer(std::span<const Reply> for_each_recipient);  // To AcceptContent over LMTP.
  void verifier(std::optional<sasl::Verifier> found);      // To FetchVerifier.

  // What to do now; nullopt: wait for bytes or for deadline(). Not to be called with a question open.
  std::optional<Action> next();
  Instant deadline() const;  // Differs per state (RFC 5321 §4.5.3.2); also for writes.
  bool closed() const;

  // The last commands and replies, for the event of a Bug: at most 4 KiB, no content, no credentials.
  std::string_view transcript() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace facteur::smtp
