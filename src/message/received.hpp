// Trace fields: Received read as values from any mailer, and ours written (RFC 5321 §4.4, RFC 3848, RFC 8314 §4.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "message/address.hpp"
#include "message/date.hpp"

namespace facteur::message {

// What one Received field says. Each part is empty if it is not there. Nothing is checked for truth.
struct Received {
  std::string from;          // The name the client gave in EHLO/HELO, or an address literal.
  std::string from_reverse;  // The name in the comment, which the server looked up itself.
  std::optional<IpAddress> from_ip;
  std::string from_comment;  // The whole comment behind from.
  std::string by;
  std::optional<IpAddress> by_ip;
  std::string by_comment;  // Often the program's name.
  std::string via;
  std::string with;  // As written: "ESMTPS", "HTTP", "local"...
  std::string with_comment;
  std::string id;
  std::string for_address;  // Without angle brackets.
  std::string tls_version;  // "TLS1_3", "TLSv1.2"...: from a tls clause or a comment.
  std::string tls_cipher;
  std::string invoked;  // "(qmail 1234 invoked by uid 0)", "(Postfix, from userid 1000)": mail handed over locally.
  std::optional<ZonedTime> date;
};

// Reads the raw value of a Received field; nullopt if there is neither a clause nor a date in it.
std::optional<Received> parse_received(Bytes value);

// What is known of a transaction, to write our own field.
struct ReceivedBy {
  std::string helo;  // EHLO argument, checked by the SMTP parser; may be empty for local submission.
  std::optional<IpAddress> peer;
  std::string reverse_name;  // PTR that was verified, or empty.
  std::string by;            // Our host name.
  bool extended = true;      // EHLO, not HELO.
  bool lmtp = false;
  bool tls = false;
  bool authenticated = false;
  bool utf8 = false;        // SMTPUTF8 was asked for (RFC 6531 §4.3).
  std::string tls_version;  // "TLSv1.3"; empty: not told.
  std::string tls_cipher;   // "TLS_AES_256_GCM_SHA384".
  std::string id;           // Trace id.
  std::string for_address;  // Only if there is exactly one recipient (RFC 5321 §7.2), else empty. Wire form.
  UtcTime at;
  int offset_minutes = 0;
};

// RFC 3848 and RFC 6531 §4.3: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, LMTP..., UTF8SMTP...
std::string with_keyword(const ReceivedBy& by);

// The whole field, folded, lines of at most 998 octets, ended by CRLF. What a peer said is cleaned of controls, blanks
// and parentheses.
std::string write_received(const ReceivedBy& by);

// "Return-Path: <user@example.org>\r\n", "<>" for the null path (RFC 5321 §4.4).
std::string write_return_path(const std::optional<Address>& sender);

}  // namespace facteur::message
