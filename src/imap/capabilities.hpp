// What CAPABILITY says (RFC 9051 §7.2.2), by state. Only what works completely stands here.
#pragma once

#include <string>

#include "imap/server_session.hpp"

namespace facteur::imap {

// Separated by spaces, without "CAPABILITY".
std::string capabilities(const ServerParameters& parameters, bool tls, bool authenticated);

// RFC 3501 §6.2.3 LOGINDISABLED: whether anybody may log in now. No mechanism is offered in clear (RFC 8314 §4.1): what
// SCRAM or CRAM-MD5 show lets a listener guess the password at leisure, and the session behind it could be taken over.
inline bool login_allowed(const ServerParameters& parameters, bool tls) { return tls || parameters.plaintext_login; }

}  // namespace facteur::imap
