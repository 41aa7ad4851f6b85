// The client's side of one SMTP or LMTP connection: greeting, EHLO, STARTTLS, AUTH, and any number of transactions.
//
// The same shape as ServerSession: bytes and times go in, actions come out.
//   Ready -> begin(transaction) or quit();   Finished -> take result(), then Ready or Close comes.
// A recipient counts as delivered only when the final positive reply was read whole (RELIABILITY R29).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "message/address.hpp"
#include "smtp/parameters.hpp"
#include "smtp/reply.hpp"
#include "smtp/server_session.hpp"

namespace facteur::smtp {

struct ClientParameters {
  std::string hostname;  // Our name in EHLO.
  bool lmtp = false;
  enum class Tls : std::uint8_t { never, opportunistic, required };
  Tls tls = Tls::opportunistic;
  bool tls_active = false;  // Under TLS from the first octet.

  std::string login;  // Not empty: AUTH before the first transaction; failure if it is not possible.
  std::string password;
  bool plaintext_login = false;  // Show the password without TLS (loopback tests).
  std::string random;            // At least 16 octets drawn for this session; needed with `login`.

  // RFC 5321 §4.5.3.2.
  Duration greeting_timeout = 5min;
  Duration command_timeout = 5min;
  Duration data_timeout = 2min;
  Duration block_timeout = 3min;
  Duration final_timeout = 10min;
  Duration quit_timeout = 5s;
};

// What EHLO told.
struct Extensions {
  bool esmtp = false;
  bool pipelining = false, body_8bit = false, smtputf8 = false, starttls = false, dsn = false, chunking = false;
  bool enhanced_codes = false;
  std::optional<std::uint64_t> size;  // 0: no limit is told.
  std::vector<sasl::Mechanism> mechanisms;
};

struct Transaction {
  struct To {
    message::Address address;
    RcptParameters parameters;  // Passed on if the peer has DSN (RFC 3461).
  };
  std::optional<message::Address> sender;  // nullopt: the null reverse-path.
  MailParameters parameters;               // `size` is set by the session.
  std::vector<To> recipients;              // At least one.
  std::vector<Bytes> content;  // In order; borrowed until the transaction has finished. Only CRLF line ends.
  // Asked when all of it has been sent, before the dot that ends it: false breaks off, and nothing was delivered.
  std::function<bool()> intact;
};

struct RecipientResult {
  enum class Outcome : std::uint8_t { delivered, temporary, permanent };
  Outcome outcome = Outcome::temporary;
  Reply reply;  // The peer's, or ours if there was none (code 421 or 554 then, `ours` set).
  bool ours = false;
};
struct TransactionResult {
  std::vector<RecipientResult> recipients;  // As in the transaction.
  bool untouched = false;                   // The connection ended before the peer had accepted even the sender.
};

struct Ready {};  // Call begin() or quit().
struct Finished {
  TransactionResult result;
};
// The connection is useless; nothing of an open transaction was delivered (Finished with that came before).
struct Failed {
  Failure why;
  Reply reply;  // The peer's refusal, if it was one; else code 0.
};
// Send, StartTls and Close are those of the server's side.
using ClientAction = std::variant<Send, StartTls, Ready, Finished, Failed, Close>;

class ClientSession {
 public:
  ClientSession(ClientParameters parameters, Instant now);
  ~ClientSession();
  ClientSession(ClientSession&&) noexcept;

  Room room();
  void received(std::size_t count, Instant now);
  void expired(Instant now);
  void ended();
  void tls_started(const TlsSummary& tls, Instant now);
  void begin(Transaction transaction, Instant now);  // After Ready.
  void quit(Instant now);                            // After Ready.

  std::optional<ClientAction> next(Instant now);  // nullopt: wait for bytes or for deadline().
  Instant deadline() const;
  bool closed() const;

  const Extensions& extensions() const;
  std::string_view greeting() const;  // First line of the 220.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace facteur::smtp
