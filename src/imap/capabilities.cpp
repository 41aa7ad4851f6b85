#include "imap/capabilities.hpp"

namespace facteur::imap {

std::string capabilities(const ServerParameters& parameters, bool tls, bool authenticated) {
  std::string out = "IMAP4rev1 IMAP4rev2";
  if (!authenticated) {
    // RFC 7888 §5: before login literals without waiting are small; afterwards the budget of a command holds.
    out += " LITERAL- SASL-IR ID ENABLE";
    if (!tls && parameters.starttls) out += " STARTTLS";
    const bool login = login_allowed(parameters, tls);
    if (!login) out += " LOGINDISABLED";
    for (const auto mechanism : parameters.mechanisms) {
      if (!login) break;
      out += " AUTH=";
      out += sasl::name(mechanism);
    }
    return out;
  }
  out +=
      " LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MULTIAPPEND UNSELECT CHILDREN MOVE ESEARCH SEARCHRES"
      " CONDSTORE QRESYNC LIST-EXTENDED LIST-STATUS SPECIAL-USE CREATE-SPECIAL-USE STATUS=SIZE UTF8=ACCEPT OBJECTID"
      " PREVIEW"
      " APPENDLIMIT=";
  out += std::to_string(parameters.message_size);
  return out;
}

}  // namespace facteur::imap
