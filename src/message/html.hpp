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

// A character reference of HTML, and not what MIME calls an entity (entity.hpp): two types of one name in a namespace
// corrupt memory and no linker says so.
//
// The characters of the one at the start of `text` ("&eacute;", "&#233;", "&#xe9;", "&amp"), and how many octets of
// `text` it took; 0: it is none. Characters no text may hold (controls, surrogates) become U+FFFD.
struct CharacterReference {
  std::string characters;
  std::size_t length = 0;
};
CharacterReference read_character_reference(std::string_view text);

}  // namespace facteur::message
