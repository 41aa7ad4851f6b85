#include "message/field_words.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t longest_run = 8;  // More blanks than these are not left to folding and other programs.

// RFC 2047 §5 (3): what may stand for itself in an encoded word wherever it is.
bool stands_for_itself(char c) {
  return ascii::is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

// A word of free text that cannot stand as it is.
bool needs_word(std::string_view word, bool utf8, std::size_t room) {
  return word.size() > room || word.find("=?") != std::string_view::npos ||
         (!utf8 && std::ranges::any_of(word, eight_bit));
}

}  // namespace

std::size_t character_length(std::string_view text) {
  const auto c = static_cast<unsigned char>(text.front());
  const std::size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  return std::min(length, text.size());
}

void append_coded(std::string& out, char mark, char c) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  out += mark;
  out += digits[static_cast<unsigned char>(c) >> 4];
  out += digits[static_cast<unsigned char>(c) & 15];
}

std::string by_q(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '_';
    } else if (stands_for_itself(c)) {
      out += c;
    } else {
      append_coded(out, '=', c);
    }
  }
  return out;
}

std::vector<TextPiece> pieces_of(std::string_view text) {
  std::vector<TextPiece> out;
  while (!text.empty()) {
    const std::size_t word = std::min(text.find_first_not_of(' '), text.size());
    const std::size_t end = std::min(text.find(' ', word), text.size());
    out.push_back({text.substr(0, word), text.substr(word, end - word)});
    text.remove_prefix(end);
  }
  return out;
}

void mark_pieces(std::vector<TextPiece>& pieces, bool utf8, std::size_t first_room, std::size_t room) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto& piece = pieces[i];
    const std::size_t most = i == 0 ? first_room : room;
    const bool blanks_matter =
        (i == 0 && !piece.blanks.empty()) || piece.word.empty() || piece.blanks.size() > longest_run;
    piece.coded = piece.coded || blanks_matter || needs_word(piece.word, utf8, most);
    if (blanks_matter && i > 0) pieces[i - 1].coded = true;
  }
}

}  // namespace facteur::message
