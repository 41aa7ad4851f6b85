// Builds messages of people and programs: text, HTML with its images, files, forwarded messages, replies.
//
// The caller gives time and chance; the same draft with the same of both gives the same octets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "message/entity.hpp"
#include "message/field_writer.hpp"

namespace facteur::message {

// Where and when a message begins.
struct Origin {
  UtcTime at;
  int offset_minutes = 0;
  std::string host;  // Behind the '@' of the Message-ID: a domain of ours.
  Chance chance{};   // From world::Random, new for each message.
};

struct DraftFile {
  std::string type = "application/octet-stream";
  std::string name{};  // UTF-8.
  std::string octets{};
  std::string content_id{};  // Of a file shown in the HTML by "cid:..." (RFC 2392).
  std::string description{};
};

struct Draft {
  std::vector<Correspondent> from{};      // At least one.
  std::optional<Correspondent> sender{};  // RFC 5322 §3.6.2: needed if there are several; else the first one is taken.
  std::vector<Correspondent> reply_to{};
  std::vector<Destination> to{};
  std::vector<Destination> cc{};
  std::vector<Destination> bcc{};          // Never written: RFC 5322 §3.6.3, first way.
  std::string subject{};                   // UTF-8.
  std::vector<std::string> in_reply_to{};  // Identifiers without angle brackets.
  std::vector<std::string> references{};
  std::vector<Correspondent> notify_reading{};                // Disposition-Notification-To (RFC 8098 §2.1).
  std::vector<std::pair<std::string, std::string>> fields{};  // More fields of free text; none that is written here.

  std::optional<std::string> text{};  // UTF-8; lines ended by LF or CRLF.
  bool flowed = false;                // format=flowed (RFC 3676), with DelSp where the text's script needs it.
  std::optional<std::string> html{};  // UTF-8.
  std::vector<DraftFile> inlined{};   // What the HTML refers to; each needs a content_id.
  std::vector<DraftFile> attached{};
  std::vector<std::string> forwarded{};  // Whole messages: kept as they are, as message/rfc822.
  Transport transport{};
};

struct Built {
  std::string octets;
  std::string message_id;           // Without angle brackets.
  std::vector<Address> recipients;  // Of To, Cc and Bcc, each once: the envelope.
  bool eight_bit = false;           // There are octets above 127 in it: it needs 8BITMIME.
  bool utf8 = false;                // In its headers too: it needs SMTPUTF8.
};

// CRLF lines of at most 998 octets (76 where folding can do it), ASCII as far as draft.transport does not allow more.
// Refused, with a text for whoever wrote the draft: what cannot be in a message (field_writer.hpp, entity.hpp), text or
// HTML that is not UTF-8, no sender, an inlined file without HTML or content_id, two with the same.
Result<Built> build_message(const Draft& draft, const Origin& origin);

// `begun`, which has its identifier and recipients, with the octets of `header` and `body` (joined(), which may refuse)
// and what they need of the transport.
Result<Built> completed(Built begun, std::string header, const Entity& body, const Transport& transport,
                        const Origin& origin);

// A new identifier: what stands in Message-ID (RFC 5322 §3.6.4), without angle brackets. `use` tells several of one
// chance apart.
std::string new_message_id(const Origin& origin, std::string_view use = {});

}  // namespace facteur::message
