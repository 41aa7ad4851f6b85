#include "message/field_writer.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/charset.hpp"
#include "message/date.hpp"
#include "message/field_words.hpp"

namespace facteur::message {

void FieldWriter::refuse(std::string_view code, std::string text) {
  if (!wrong_) wrong_ = Failure{Failure::Kind::refused, code, std::move(text), {}};
}

bool FieldWriter::sound(std::string_view text) {
  if (std::ranges::any_of(text, ascii::is_control)) {
    refuse("F-1601", "A value for a header field has a line end or another control character");
    return false;
  }
  if (!is_utf8(text)) {
    refuse("F-1602", "A value for a header field is not UTF-8");
    return false;
  }
  return true;
}

void FieldWriter::begin(std::string_view name) {
  if (!is_field_name(name)) {
    refuse("F-1603", "This is not the name of a header field");
    name = "X";
  }
  out_.append(name).append(":");
  column_ = name.size() + 1;
  first_ = true;
}

void FieldWriter::end() { out_.append("\r\n"); }

void FieldWriter::fold() {
  out_.append("\r\n");
  column_ = 0;
}

// One token that must not be broken, behind blanks of which a fold keeps all (RFC 5322 §2.2.3).
void FieldWriter::put(std::string_view token, std::string_view blanks) {
  const std::size_t need = blanks.size() + token.size();
  if (column_ + need > wanted && !blanks.empty() && (!first_ || need <= wanted)) {
    fold();
  }
  if (column_ + need > longest) {
    refuse("F-1604", "A value for a header field is too long for a line");
    return;
  }
  out_.append(blanks).append(token);
  column_ += need;
  first_ = false;
}

// Encoded words (RFC 2047 §2: at most 75 characters each, no line beyond 76). Each holds whole characters (§5).
void FieldWriter::put_words(std::string_view text, std::string_view blanks, std::size_t behind) {
  // RFC 2047 §4: the first encoding as long as a person can still read something of it.
  const bool base64 = by_q(text).size() > (text.size() + 2) / 3 * 8;
  while (!text.empty()) {
    std::size_t used = column_ + blanks.size() + around_word + behind;
    if (used + smallest_word > wanted) {
      fold();
      used = blanks.size() + around_word + behind;
    }
    const std::size_t room = wanted - used;
    std::size_t octets = 0;
    for (std::size_t cost = 0; octets < text.size();) {
      const std::size_t length = character_length(text.substr(octets));
      cost += base64 ? 0 : by_q(text.substr(octets, length)).size();
      if ((base64 ? (octets + length + 2) / 3 * 4 : cost) > room) break;
      octets += length;
    }
    std::string word(word_open);
    if (base64) word[8] = 'B';
    word.append(base64 ? to_base64(text.substr(0, octets)) : by_q(text.substr(0, octets))).append("?=");
    out_.append(blanks).append(word);
    column_ += blanks.size() + word.size();
    first_ = false;
    blanks = " ";
    text.remove_prefix(octets);
  }
}

void FieldWriter::text(std::string_view name, std::string_view given) {
  std::string line(given);
  std::ranges::replace(line, '\t', ' ');
  begin(name);
  if (sound(line)) {
    auto pieces = pieces_of(line);
    mark_pieces(pieces, utf8_, wanted - 1 - std::min(column_, wanted - 1), wanted - 1);
    for (std::size_t i = 0; i < pieces.size();) {
      if (!pieces[i].coded) {
        put(pieces[i].word, i == 0 ? " " : pieces[i].blanks);
        ++i;
        continue;
      }
      // RFC 2047 §6.2: blanks between two encoded words are not shown, so those inside a run go into the words.
      const std::size_t from = i == 0 ? 0 : 1;  // One blank separates the run from what stands before.
      const char* start = pieces[i].blanks.data() + std::min(from, pieces[i].blanks.size());
      while (i < pieces.size() && pieces[i].coded) ++i;
      const char* stop = pieces[i - 1].word.data() + pieces[i - 1].word.size();
      put_words(std::string_view(start, static_cast<std::size_t>(stop - start)));
    }
  }
  end();
}

void FieldWriter::plain(std::string_view name, std::string_view value) {
  begin(name);
  if (sound(value)) {
    if (!utf8_ && std::ranges::any_of(value, eight_bit)) {
      refuse("F-1605", "A value for this header field must be ASCII");
    } else {
      for (const auto& piece : pieces_of(value)) {
        if (!piece.word.empty()) put(piece.word);
      }
    }
  }
  end();
}

void FieldWriter::date(std::string_view name, UtcTime at, int offset_minutes) {
  plain(name, write_date(at, offset_minutes));
}

void FieldWriter::message_ids(std::string_view name, std::span<const std::string> ids) {
  begin(name);
  for (const auto& id : ids) {
    if (!is_message_id(id, utf8_)) {
      refuse("F-1609", "This is not a message identifier");
    } else {
      put("<" + id + ">");
    }
  }
  end();
}

Result<std::string> FieldWriter::finish() {
  if (wrong_) return std::unexpected(*wrong_);
  return std::move(out_);
}

}  // namespace facteur::message
