// What CAPABILITY says (RFC 9051 §7.2.2), by state. Only what works completely stands here.
#pragma once

#include <string>

#include "imap/server_session.hpp"

namespace facteur::imap {

// Separated by spaces, without "CAPABILITY".
std::string capabilities(const ServerParameters& parameters, bool tls, bool authenticated);

// RFC 3501 §6.2.3 LOGINDISABLED: whether passwords may be sent now.
inline bool passwords_allowed(const ServerParameters& parameters, bool tls) {
  return tls || parameters.plaintext_login;
}

}  // namespace facteur::imap
