// The questions of a SASL exchange, answered from the directory: for SMTP, IMAP and POP3 alike.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "directory/authenticator.hpp"
#include "sasl/mechanism.hpp"

namespace facteur::server {

// What may be offered: PLAIN, LOGIN, SCRAM-SHA-256, and CRAM-MD5 where an account has opted in.
std::vector<sasl::Mechanism> offered_mechanisms(const directory::Authenticator& authenticator);

// One for each connection; one exchange at a time.
class Login {
 public:
  Login(directory::Authenticator& authenticator, IpAddress from) : authenticator_(authenticator), from_(from) {}

  // What the exchange asks for by sasl::FetchVerifier. When this address has to wait, the exchange goes on with nothing
  // and check() says why.
  Task<std::optional<sasl::Verifier>> verifier(sasl::Mechanism mechanism, std::string login);

  // What it asks for by sasl::CheckCredentials: the account; nullopt when it is not to come in (after the delay of the
  // brake); a failure when the outcome is not known (try again later).
  Task<Result<std::optional<store::AccountId>>> check(sasl::Credentials credentials);

 private:
  directory::Authenticator& authenticator_;
  IpAddress from_;
  std::optional<store::AccountId> expected_;  // Whose verifier was given out.
  directory::GuessCost cost_;                 // Of the exchange.
  std::unique_ptr<Failure> must_wait_;        // Seldom there, and a login stays as long as its connection.
};

}  // namespace facteur::server
