// What a person reads of a message: its text for search and display, and the preview of RFC 8970. Always valid UTF-8
// with LF line ends, without control characters but LF and TAB; linear in the message, bounded by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "message/mime.hpp"

namespace facteur::message {

// The text of one text/* leaf: transfer encoding and charset decoded, HTML made plain, format=flowed joined to
// paragraphs. Empty for other leaves. At most about `most` octets (cut at a character).
std::string leaf_text(Bytes message, const Part& part, std::size_t most);

// Indices in `tree` of the leaves that a mail program shows as the message's text, in order: of alternatives the last
// one of text/plain, or else text/html (RFC 2046 §5.1.4: the best one we can show as text), of related ones the root
// (RFC 2387 §3.2), of signed ones what is signed (RFC 1847 §2.1); no attachments, nothing of messages inside.
std::vector<std::uint32_t> shown_leaves(Bytes message, const PartTree& tree);

// What raw octets in the header of a message are most likely written in (decoded_text): what its text is, by the first
// text/* part that says so, or else by the octets of the first one. Empty if the header has no octets that need it.
std::string charset_of_header(Bytes message, const PartTree& tree);

// These leaves as one text, a blank line between two, and of files written into them (uuencode...) the names in
// brackets; if they say nothing, the text in a winmail.dat (TNEF).
std::string display_text(Bytes message, const PartTree& tree, std::size_t most = 1u << 20);

// For search: all text leaves of whatever disposition, also of messages inside, the fields of reports (message/...),
// the texts of both alternatives, names of attached files, subject and addresses of messages inside, and what is
// wrapped in TNEF or written into texts (uuencode, yEnc...): names, and the words of files of text.
std::string searchable_text(Bytes message, const PartTree& tree, std::size_t most = 8u << 20);

// What searchable_text() has of one leaf but the name of its file, from its body alone. `leaf`: type, parameters and
// encoding count (part_header.hpp); `name`: file_name() of its header.
std::string searchable_leaf(const Part& leaf, std::string_view name, Bytes body, std::size_t most);

// Whether that is `body` itself, but for CRs at line ends and `most`: plain text of ASCII without anything to decode.
bool searchable_as_it_is(const Part& leaf, Bytes body);

// RFC 8970 §3.1: at most 200 characters of the shown text, one line, blanks squeezed, quoted lines and what follows the
// signature mark passed over. Empty if there is no text. Reads no more than some 32 KiB of a part.
std::string preview(Bytes message, const PartTree& tree);

// Without control characters except LF and TAB, CRLF and CR made LF. For terminals and JSON.
std::string without_controls(std::string_view utf8);

// The longest beginning of at most `octets` that does not cut a character.
std::string_view cut_at_character(std::string_view utf8, std::size_t octets);

// The name of the file in a leaf: filename of Content-Disposition, or else name of Content-Type, RFC 2231 and RFC 2047
// decoded, without any path, control characters made '_'; empty if there is none. `header`: the part's header.
std::string file_name(Bytes header);

}  // namespace facteur::message
