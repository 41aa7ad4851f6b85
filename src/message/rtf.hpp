// Rich Text Format, as Outlook wraps its texts in (TNEF), to plain text.
#pragma once

#include <cstddef>
#include <string>

#include "base/bytes.hpp"

namespace facteur::message {

// The text of the document in UTF-8, paragraphs as lines; nothing of fonts, colours, pictures, fields' instructions and
// other destinations that are not shown. Of HTML wrapped in RTF the words come out, and no tags. Damage is passed over;
// linear, no recursion; at most about `most` octets come out.
std::string rtf_to_text(Bytes rtf, std::size_t most);

}  // namespace facteur::message
