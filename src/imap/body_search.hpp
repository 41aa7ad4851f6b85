// What BODY and TEXT of a SEARCH look through (RFC 9051 §6.4.4).
#pragma once

#include <cstdint>
#include <string_view>

#include "imap/message_pieces.hpp"
#include "imap/text_search.hpp"
#include "message/structure.hpp"

namespace facteur::imap {

// What is looked for in texts, whose lines end with LF.
Needle needle_of_text(std::string_view wanted);

enum class Searched : std::uint8_t {
  // The texts of all parts as a person reads them (message/text.hpp: searchable_text), and of messages inside also
  // their
  // headers, which are part of the body around them. No header of the message or of a part.
  body,
  // These, all headers, and the names of files.
  all,
};

// One part at a time; of each at most 16 MiB of text, unless it stands in the message as it is (plain ASCII). Time and
// memory linear in the message. `needle`: of needle_of_text, not empty.
bool message_has(const message::Structure& structure, const MessagePieces& octets, const Needle& needle,
                 Searched where);

}  // namespace facteur::imap
