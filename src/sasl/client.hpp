// The client's side of one SASL exchange: for submission through a smarthost, for the tools and for tests.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "sasl/mechanism.hpp"

namespace facteur::sasl {

// The best mechanism among those offered: SCRAM first, then CRAM-MD5; those that show the password only if `secure`
// (TLS, or a loopback connection the configuration trusts). nullopt: none will do.
std::optional<Mechanism> choose(std::span<const Mechanism> offered, bool secure);

class ClientExchange {
 public:
  struct Parameters {
    std::string login;
    std::string password;
    std::string authorization;  // Empty: the login.
    std::string nonce;          // Fresh: sasl::fresh_nonce.
  };
  ClientExchange(Mechanism mechanism, Parameters parameters);
  ~ClientExchange();
  ClientExchange(ClientExchange&&) noexcept;
  ClientExchange& operator=(ClientExchange&&) noexcept;

  // The initial response, where the mechanism has one (PLAIN, SCRAM).
  std::optional<std::string> initial();

  // Answers a challenge (decoded). Permanent failure if the server's part of the proof is wrong (RFC 5802 §7).
  Result<std::string> answer(Bytes challenge);

  // Whether the server may say "yes" now: false while a mutual proof (SCRAM) is still open.
  bool complete() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace facteur::sasl
