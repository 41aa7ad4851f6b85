#include "message/field_writer.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/charset.hpp"
#include "message/date.hpp"

namespace facteur::message {
namespace {

constexpr std::string_view atom_marks = "!#$%&'*+-/=?^_`{|}~";
constexpr std::string_view word_open = "=?UTF-8?Q?";
constexpr std::size_t around_word = 12;    // "=?UTF-8?Q?" and "?=".
constexpr std::size_t longest_run = 8;     // More blanks than these are not left to folding and other programs.
constexpr std::size_t smallest_word = 12;  // Room for any one character (RFC 2047 §2: no word is empty), or a fold.

bool eight_bit(char c) { return static_cast<unsigned char>(c) >= 0x80; }

// RFC 2047 §5 (3): what may stand for itself in an encoded word wherever it is.
bool stands_for_itself(char c) {
  return ascii::is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

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

// A word of free text that cannot stand as it is.
bool needs_word(std::string_view word, bool utf8, std::size_t room) {
  return word.size() > room || word.find("=?") != std::string_view::npos ||
         (!utf8 && std::ranges::any_of(word, eight_bit));
}

struct TextPiece {
  std::string_view blanks;
  std::string_view word;
  bool coded = false;
};

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

// Which pieces become encoded words: besides those that must, what blanks at the ends and long runs of them hang on.
void mark_pieces(std::vector<TextPiece>& pieces, bool utf8, std::size_t first_room) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto& piece = pieces[i];
    const std::size_t room = i == 0 ? first_room : FieldWriter::wanted - 1;
    const bool blanks_matter =
        (i == 0 && !piece.blanks.empty()) || piece.word.empty() || piece.blanks.size() > longest_run;
    piece.coded = piece.coded || blanks_matter || needs_word(piece.word, utf8, room);
    if (blanks_matter && i > 0) pieces[i - 1].coded = true;
  }
}

bool all_atoms(std::string_view text, bool utf8) {
  return std::ranges::all_of(text, [&](char c) {
    return ascii::is_alnum(c) || c == ' ' || atom_marks.find(c) != std::string_view::npos || (utf8 && eight_bit(c));
  });
}

bool has_odd_blanks(std::string_view text) {
  return text.starts_with(' ') || text.ends_with(' ') || text.find("  ") != std::string_view::npos;
}

std::size_t longest_word(std::string_view text) {
  std::size_t longest = 0;
  for (const auto& piece : pieces_of(text)) longest = std::max(longest, piece.word.size());
  return longest;
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
  });
}

bool is_field_name(std::string_view text) {
  return !text.empty() && text.size() <= 60 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

bool is_message_id(std::string_view id, bool utf8) {
  if (id.empty() || id.size() > 900 || (utf8 && !is_utf8(id))) return false;
  return std::ranges::all_of(
      id, [&](char c) { return (c > ' ' && c < 0x7f && c != '<' && c != '>') || (utf8 && eight_bit(c)); });
}

std::string cleaned(std::string_view text, bool utf8, std::size_t most) {
  const bool kept = utf8 && is_utf8(text);
  std::string out;
  std::size_t word = 0;
  while (!text.empty()) {
    const std::size_t length = kept ? character_length(text) : 1;
    if (out.size() + length > most) break;
    const char c = text.front();
    if (ascii::is_control(c) || c == ' ') {
      if (!out.ends_with(' ')) out += ' ';
      word = 0;
    } else {
      if (word + length > 900) break;  // Nobody's name or reply: not worth a line that cannot be folded.
      word += length;
      if (!kept && eight_bit(c)) {
        out += '?';
      } else {
        out.append(text.substr(0, length));
      }
    }
    text.remove_prefix(length);
  }
  return std::string(ascii::trimmed(out));
}

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
    mark_pieces(pieces, utf8_, wanted - 1 - std::min(column_, wanted - 1));
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

// A display name: atoms, a quoted string (RFC 5322 §3.2.4, §3.2.5) or encoded words in place of both (RFC 2047 §5 (3)).
void FieldWriter::put_phrase(std::string_view text) {
  const bool words = (!utf8_ && std::ranges::any_of(text, eight_bit)) || has_odd_blanks(text) ||
                     text.find("=?") != std::string_view::npos || longest_word(text) > wanted / 2;
  if (words) return put_words(text);
  if (!all_atoms(text, utf8_)) return put_quoted(text);
  for (const auto& piece : pieces_of(text)) put(piece.word);
}

void FieldWriter::put_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  quoted += '"';
  for (const auto& piece : pieces_of(quoted)) put(piece.word, piece.blanks.empty() ? " " : piece.blanks);
}

void FieldWriter::put_mailbox(const Correspondent& who, std::string_view behind) {
  if (!sound(who.name)) return;
  if (who.address.domain.empty() || who.address.local.empty()) {
    return refuse("F-1606", "An address without a domain cannot stand in a header field");
  }
  if (!utf8_ && !who.address.is_ascii()) {
    return refuse("F-1607", "An address that is not ASCII needs a message in UTF-8 (SMTPUTF8)");
  }
  std::string address = who.address.text();
  if (!who.name.empty()) {
    put_phrase(who.name);
    address = "<" + address + ">";
  }
  put(address.append(behind));
}

void FieldWriter::mailboxes(std::string_view name, std::span<const Correspondent> list) {
  begin(name);
  for (const auto& who : list) put_mailbox(who, &who == &list.back() ? "" : ",");
  end();
}

void FieldWriter::destinations(std::string_view name, std::span<const Destination> list) {
  begin(name);
  for (const auto& one : list) {
    const std::string_view comma = &one == &list.back() ? "" : ",";
    if (const auto* who = std::get_if<Correspondent>(&one)) {
      put_mailbox(*who, comma);
      continue;
    }
    const auto& group = std::get<Group>(one);
    if (group.name.empty()) refuse("F-1608", "A group of addresses needs a name");
    if (sound(group.name)) put_phrase(group.name);
    put(":", out_.ends_with('=') ? " " : "");  // RFC 2047 §5 (3): a blank behind an encoded word.
    for (const auto& who : group.members) put_mailbox(who, &who == &group.members.back() ? "" : ",");
    put(std::string(";").append(comma), "");
  }
  end();
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

void FieldWriter::parameters(std::string_view name, std::string_view value, std::span<const WrittenParameter> list) {
  begin(name);
  const std::size_t slash = value.find('/');
  const bool valid = slash == std::string_view::npos
                         ? is_token(value)
                         : is_token(value.substr(0, slash)) && is_token(value.substr(slash + 1));
  if (!valid || value.size() > 200) refuse("F-1610", "This is not a media type");
  put(std::string(valid ? value : "x").append(list.empty() ? "" : ";"));
  for (const auto& parameter : list) put_parameter(parameter, &parameter == &list.back());
  end();
}

void FieldWriter::put_parameter(const WrittenParameter& parameter, bool last) {
  const std::string_view behind = last ? "" : ";";
  const auto& [name, value, by_words] = parameter;
  if (!is_token(name) || name.size() > 30 || name.find('*') != std::string::npos) {
    return refuse("F-1611", "This is not the name of a parameter");
  }
  if (!sound(value)) return;
  if (is_token(value) && name.size() + value.size() + 3 <= wanted) {
    return put(name + "=" + value + std::string(behind));
  }
  const bool ascii_only = std::ranges::none_of(value, eight_bit);
  if (ascii_only || (utf8_ && !by_words)) {
    std::string quoted;
    for (const char c : value) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    // Words that others would decode where they must not are hidden from them by RFC 2231.
    if (name.size() + quoted.size() + 5 <= wanted && value.find("=?") == std::string::npos) {
      return put(name + "=\"" + quoted + "\"" + std::string(behind));
    }
  }
  if (by_words) {
    // The first word must begin on this line: a fold in front of it would be a blank of the value.
    if (column_ + name.size() + 5 + around_word + smallest_word > wanted) fold();
    put(name + "=\"");
    put_words(value, "", 2);  // A quote and a semicolon.
    return put(std::string("\"").append(behind), "");
  }
  put_continued(name, value, behind);
}

// RFC 2231 §3 and §4: "name*=utf-8''...", in pieces if one line is not enough; no piece ends inside a character.
void FieldWriter::put_continued(std::string_view name, std::string_view value, std::string_view behind) {
  std::vector<std::string> pieces(1, "utf-8''");
  const std::size_t room = wanted - name.size() - 10;  // For a blank, the marks, a number and ';'.
  while (!value.empty()) {
    const std::size_t length = character_length(value);
    std::string character;
    for (const char c : value.substr(0, length)) {
      if (ascii::is_alnum(c) || c == '.' || c == '-' || c == '_') {
        character += c;
      } else {
        append_coded(character, '%', c);
      }
    }
    if (pieces.back().size() + character.size() > room) pieces.emplace_back();
    pieces.back() += character;
    value.remove_prefix(length);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    std::string token(name);
    if (pieces.size() > 1) token.append("*").append(std::to_string(i));
    put(token.append("*=").append(pieces[i]).append(last ? behind : ";"));
  }
}

Result<std::string> FieldWriter::finish() {
  if (wrong_) return std::unexpected(*wrong_);
  return std::move(out_);
}

}  // namespace facteur::message
