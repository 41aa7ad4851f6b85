// The limits of everything a peer can make us hold or do (DESIGN.md section 7). Table [limits] of the configuration.
//
// Each has a safe default; config/describe.cpp says for each its unit, its range and why it is there.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace facteur::config {

struct Limits {
  // One size for everything: SIZE, APPENDLIMIT and delivery derive from it (RFC 1870).
  std::uint64_t message_size = 50 * 1024 * 1024;
  std::uint64_t recipients = 1000;               // RCPT of one transaction; RFC 5321 §4.5.3.1.8 asks for 100 at least.
  std::uint64_t recipients_refused = 50;         // RCPT refused in one session before it is ended with 421.
  std::uint64_t messages_per_connection = 1000;  // Transactions of one SMTP session before it is ended with 421.
  std::uint64_t errors_per_connection = 20;      // Wrong commands of one session before it is ended.
  std::uint64_t received_fields = 100;           // Received fields before a message is taken to loop: RFC 5321 §6.3.
  std::uint64_t smtp_line = 2048;                // Command line, CRLF included; RFC 5321 §4.5.3.1.4 and extensions.
  std::uint64_t imap_line_before_login = 8 * 1024;
  std::uint64_t imap_line = 64 * 1024;  // Command without its literals; RFC 7162 §4 asks for 8192 at least.

  std::uint64_t connections = 20000;            // Open at once, all listeners together.
  std::uint64_t connections_per_address = 100;  // Loopback is not counted.
  std::uint64_t connections_per_network = 500;  // IPv4: /24, IPv6: /56. Loopback is not counted.

  std::uint64_t guesses_per_login = 100;    // Wrong passwords an hour that are looked at, for one login...
  std::uint64_t guesses_per_network = 200;  // ...and from one network. IPv4: /24, IPv6: /64. Not loopback.

  Duration smtp_command_timeout = 5min;  // RFC 5321 §4.5.3.2.7.
  Duration smtp_data_timeout = 5min;     // Between two blocks of content: RFC 5321 §4.5.3.2.5 is 3 minutes for clients.
  std::uint64_t smtp_least_rate = 500;   // Octets a second that a message must come at; 0: any.
  Duration imap_idle_timeout = 30min;    // RFC 9051 §5.4: at least 30 minutes after login.
  Duration imap_login_timeout = 2min;    // Before login.
  Duration pop3_timeout = 10min;         // RFC 1939 §3: at least 10 minutes.
  Duration tls_handshake_timeout = 30s;
  Duration drain_timeout = 20s;  // What sessions get to end when the server stops.
};

}  // namespace facteur::config
