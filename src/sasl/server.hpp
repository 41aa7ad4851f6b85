// The server's side of one SASL exchange (RFC 4422), as a sub-engine of SMTP, IMAP and POP3: no I/O, no clock, no
// chance.
//
//   ServerExchange exchange({.hostname = ..., .nonce = ...});
//   Step step = exchange.start(mechanism, initial_response);
//   each Step says what to do; then call response(), verifier() or checked() for the next one, until Done.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/bytes.hpp"
#include "sasl/mechanism.hpp"

namespace facteur::sasl {

// Send these octets (base64 is the protocol's), then give the client's answer to response().
struct Challenge {
  std::string octets;
};
// Look up what is stored for this login; give it to verifier(). For an unknown login too: what is made up for it, or
// nullopt, so that the exchange fails at the end like one with a wrong password (RELIABILITY S15).
struct FetchVerifier {
  Mechanism mechanism;
  std::string login;
};
// Are these good, may this login come in (and act as `authorization`)? Give the outcome to checked().
struct CheckCredentials {
  Credentials credentials;
};
// The end. `accepted` is what checked() said; false also for malformed responses.
struct Done {
  bool accepted = false;
  bool malformed = false;  // Not a wrong password but a wrong client: 501, BAD.
  std::string why;         // For the log; no secret.
};
using Step = std::variant<Challenge, FetchVerifier, CheckCredentials, Done>;

class ServerExchange {
 public:
  struct Parameters {
    std::string hostname;  // For CRAM-MD5's challenge.
    std::string nonce;     // Fresh and unpredictable, printable without ',' (fresh_nonce): for one exchange.
  };
  explicit ServerExchange(Parameters parameters);
  ~ServerExchange();
  ServerExchange(ServerExchange&&) noexcept;
  ServerExchange& operator=(ServerExchange&&) noexcept;

  // `initial`: what came with the command (RFC 4954 §4, RFC 4959, RFC 5034), decoded; nullopt if nothing came.
  Step start(Mechanism mechanism, std::optional<Bytes> initial);
  Step response(Bytes decoded);                  // After Challenge.
  Step verifier(std::optional<Verifier> found);  // After FetchVerifier.
  Step checked(bool accepted);                   // After CheckCredentials.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A nonce for exchange number `counter` of a session whose driver has drawn `seed` (at least 16 octets) at random.
std::string fresh_nonce(Bytes seed, std::uint64_t counter);

}  // namespace facteur::sasl
