// Text of strangers made harmless for a terminal or a log: nothing in it moves the cursor, changes colours, the title
// or the direction of what is written around it, and nothing is invisible.
#pragma once

#include <string>
#include <string_view>

namespace facteur::message {

// Valid UTF-8. Control characters show as their pictures (ESC is U+241B), C1 controls and what is not UTF-8 as U+FFFD,
// marks of direction (UAX 9), invisible and line-breaking characters and tags as their number, "[U+202E]". Line feeds
// and tabs stay if `lines`, else they are pictures, too.
std::string inert_text(std::string_view text, bool lines = false);

}  // namespace facteur::message
