// How text is cut into words for a header field, and encoded where it cannot stand as it is (RFC 2047, RFC 2231): what
// FieldWriter (field_writer.hpp) places on lines. Texts are UTF-8 without controls.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace facteur::message {

inline constexpr std::string_view word_open = "=?UTF-8?Q?";
inline constexpr std::size_t around_word = 12;    // "=?UTF-8?Q?" and "?=".
inline constexpr std::size_t smallest_word = 12;  // Room for any character (RFC 2047 §2: no word is empty), or a fold.

inline bool eight_bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }

// Octets of the character that `text`, which is not empty, begins with.
std::size_t character_length(std::string_view text);

// `mark` and the octet in two hexadecimal digits: "=C3" (RFC 2047 §4.2), "%C3" (RFC 2231 §4).
void append_coded(std::string& out, char mark, char c);

// RFC 2047 §4.2, safe wherever a word may stand (§5).
std::string by_q(std::string_view text);

// A word and the blanks in front of it; views of the text. The last word is empty if the text ends with blanks.
struct TextPiece {
  std::string_view blanks;
  std::string_view word;
  bool coded = false;
};
std::vector<TextPiece> pieces_of(std::string_view text);

// Which pieces become encoded words: besides those that must, what blanks at the ends and long runs of them hang on.
// `first_room`, `room`: octets that a word may have in the first line and in another.
void mark_pieces(std::vector<TextPiece>& pieces, bool utf8, std::size_t first_room, std::size_t room);

}  // namespace facteur::message
