// Text that lies wrapped in a part: Outlook's winmail.dat, and files written into a text as was done before MIME.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "message/mime.hpp"

namespace facteur::message {

// Whether the leaf says that it is TNEF, or is called winmail.dat; `name`: its file name.
bool says_tnef(const Part& part, std::string_view name);

// The text of the message inside: plain, else of its HTML, else of its RTF. UTF-8 with LF line ends, at most about
// `most` octets; empty if the octets are no TNEF.
std::string tnef_text(Bytes octets, std::size_t most);

// The same, with its subject and the names of its files, their text where they are text, and all this of messages
// inside it, down to the fifth.
std::string tnef_searchable(Bytes octets, std::size_t most);

// A text without the files written into it (uuencode, xxencode, yEnc, BinHex): for each a line with its name in
// brackets, and, if `contents`, what it says where it is text.
std::string without_embedded(std::string text, bool contents);

}  // namespace facteur::message
