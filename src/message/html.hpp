// HTML (RFC 2854, and as mail programs write it) to plain text. No scripts, styles, comments or addresses of links come
// out; one pass, no recursion, no tree.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace facteur::message {

// `html` is UTF-8. Blocks become lines, cells are set apart by a TAB, items begin with "- ", images give their
// alternative text. At most about `most` octets come out. The same whatever is damaged: nothing is refused.
std::string html_to_text(std::string_view html, std::size_t most);

// The characters of the entity at the start of `text` ("&eacute;", "&#233;", "&#xe9;", "&amp"), and how many octets of
// `text` it took; 0: it is none. Characters no text may hold (controls, surrogates) become U+FFFD.
struct Entity {
  std::string characters;
  std::size_t length = 0;
};
Entity read_entity(std::string_view text);

}  // namespace facteur::message
