// Writers of IMAP's forms of a message's parts (RFC 9051 §7.5.2), used when a structure record is made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"

namespace facteur::message {

// The fields of one header that ENVELOPE, BODYSTRUCTURE and the record need; raw values. The first one of a name
// counts, except To, Cc and Bcc, which are joined (RFC 5322 §4.5.3) and References.
struct HeaderValues {
  std::optional<Bytes> date, subject, from, sender, reply_to, in_reply_to, message_id, references;
  std::vector<Bytes> to, cc, bcc;
  std::optional<Bytes> content_type, encoding, id, description, disposition, language, location, md5;

  void take(const Field& field);
  void read(Bytes header);
};

void append_envelope(std::string& out, const HeaderValues& header);

// BODY into `basic` and BODYSTRUCTURE into `extended`, in one walk. `root`: the message's header with our prefix.
// `attachment` is set if some part is one.
void append_structures(std::string& basic, std::string& extended, Bytes content, const PartTree& tree,
                       const HeaderValues& root, bool& attachment);

}  // namespace facteur::message
