// Reports of others about mail: delivery status (RFC 3464, RFC 6533), disposition (RFC 8098), abuse (RFC 5965), and
// bounces of programs that know none of these, by what they have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

enum class ReportKind : std::uint8_t {
  none,         // Not a report.
  delivery,     // A delivery status, with its fields.
  disposition,  // Read, deleted... (RFC 8098).
  feedback,     // A complaint (RFC 5965).
  bounce,       // Mail that could not be delivered, told in prose only.
  reply,        // An automatic reply: vacation and the like (RFC 3834).
};
std::string_view name_of(ReportKind kind);

// One recipient of a delivery status.
struct ReadRecipient {
  std::string final_recipient;     // Without its type.
  std::string original_recipient;  // Without its type.
  std::string action;              // Lower case: "failed", "delayed"... as it stands.
  std::string status;              // "5.1.1"; empty if it is none.
  std::string remote_mta;
  std::string diagnostic;
};

struct ReadReport {
  ReportKind kind = ReportKind::none;
  std::vector<ReadRecipient> recipients;  // Of delivery; of bounce: addresses found beside the reason.
  std::vector<std::pair<std::string, std::string>> fields;  // Of the message as a whole: names in lower case, unfolded.
  std::string original_message_id;                          // Of the message reported on, if any part tells it.

  std::string_view field(std::string_view name) const;  // The first one of that name; empty if there is none.
};

// Never fails; linear. Texts are as they came: not inert.
ReadReport read_report(Bytes message);

}  // namespace facteur::message
