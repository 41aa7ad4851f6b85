// Delivery status notifications: multipart/report (RFC 6522) of message/delivery-status (RFC 3464)
// or message/global-delivery-status (RFC 6533).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "message/builder.hpp"

namespace facteur::message {

enum class Language : std::uint8_t { english, french };
std::optional<Language> language_of(std::string_view tag);  // "fr", "fr-CA", "en"...

enum class ReportAction : std::uint8_t { failed, delayed, delivered, relayed, expanded };  // RFC 3464 §2.3.3.

struct RecipientReport {
  std::string final_recipient;     // "user@example.org": where it was to go at last.
  std::string original_recipient;  // ORCPT as given, xtext decoded: "rfc822;user@example.org"; empty: none.
  ReportAction action = ReportAction::failed;
  std::string status;      // RFC 3463: "5.1.1".
  std::string remote_mta;  // Host name that answered; empty: we decided ourselves.
  std::string diagnostic;  // What it said: "550 5.1.1 no such user"; one line or several.
  std::optional<UtcTime> last_attempt;
  std::optional<UtcTime> will_retry_until;  // For delayed.
};

struct Report {
  std::string reporting_mta;  // Our host name.
  Address from;               // "MAILER-DAEMON@mx.example.org"; with a domain, as `to`.
  Address to;                 // The sender of the message reported on.
  Origin origin;              // Of the report.
  std::string envelope_id{};  // ENVID, xtext decoded; empty: none.
  std::optional<UtcTime> arrived{};
  Language language = Language::english;
  std::vector<RecipientReport> recipients{};  // All with the same action, or mixed.
  Bytes original{};                           // The message: its header if `headers_only`, or all of it.
  bool headers_only = true;                   // RET=HDRS; RFC 3461 §4.3.
  bool eight_bit = false;                     // Bodies may be 8bit, as `original` is.
};

// The whole message, to be sent from the null reverse-path (RFC 3464 §2). Whatever the strings hold, it can be written:
// they are cleaned. Addresses beyond ASCII make the status message/global-delivery-status (RFC 6533 §4.1); the header
// of the report is ASCII unless `to` or `from` is not, so that it reaches senders whose servers know no SMTPUTF8
// (§4.5).
Built build_report(const Report& report);

}  // namespace facteur::message
