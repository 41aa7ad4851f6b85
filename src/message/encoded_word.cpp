#include "message/encoded_word.hpp"

#include <algorithm>
#include <optional>

#include "base/ascii.hpp"
#include "base/base64.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/transfer.hpp"
#include "message/value_cursor.hpp"

namespace facteur::message {
namespace {

struct EncodedWord {
  std::string_view charset;
  bool base64 = false;
  Bytes text;
  std::size_t length = 0;  // Of the whole word.
};

// RFC 2047 §2: =?charset?encoding?text?= at the start of `from`. Longer ones than 75 characters are read too.
std::optional<EncodedWord> encoded_word(Bytes from) {
  if (!from.starts_with("=?")) return std::nullopt;
  EncodedWord word;
  std::size_t i = 2;
  const auto token = [&](std::size_t most) {
    const std::size_t start = i;
    while (i < from.size() && i - start < most && from[i] != '?' && !ascii::is_space(from[i])) ++i;
    return from.substr(start, i - start);
  };
  word.charset = token(80);
  if (word.charset.empty() || i >= from.size() || from[i] != '?') return std::nullopt;
  word.charset = word.charset.substr(0, word.charset.find('*'));  // RFC 2231 §5: *language.
  ++i;
  const Bytes encoding = token(2);
  if (encoding.size() != 1 || i >= from.size() || from[i] != '?') return std::nullopt;
  word.base64 = ascii::to_lower(encoding[0]) == 'b';
  if (!word.base64 && ascii::to_lower(encoding[0]) != 'q') return std::nullopt;
  const std::size_t start = ++i;
  // Blanks inside are wrong but common (§2 note); a second "=?" is not: it bounds the search, which keeps it linear.
  while (i < from.size() && from[i] != '?' && i - start < 8192) ++i;
  if (i + 1 >= from.size() || from[i] != '?' || from[i + 1] != '=') return std::nullopt;
  word.text = from.substr(start, i - start);
  word.length = i + 2;
  return word;
}

std::string word_octets(const EncodedWord& word) {
  if (word.base64) return decode_base64(word.text);
  std::string text(word.text);
  std::ranges::replace(text, '_', ' ');  // RFC 2047 §4.2 (2).
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '=' && i + 2 < text.size() && ascii::is_hex(text[i + 1]) && ascii::is_hex(text[i + 2])) {
      out += *from_hex(std::string_view(text).substr(i + 1, 2));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// A decoded word may hold line ends or NUL: they must not get into header lines or responses.
void clean(std::string& text) {
  for (char& c : text) {
    if (ascii::is_control(c)) c = ' ';
  }
}

bool blank(Bytes text) { return std::ranges::all_of(text, ascii::is_space); }

}  // namespace

std::string decoded_text(Bytes value, std::string_view raw_charset) {
  std::string line = unfolded(value);
  const Bytes text = line;
  if (text.find("=?") == Bytes::npos && is_utf8(text) && text.find('\x1b') == Bytes::npos) {
    clean(line);
    return line;
  }
  std::string out;
  std::string pending;  // Octets of a run of words in one charset: characters are split between words, against §5.
  std::string_view charset;
  std::size_t plain = 0;  // Start of the text that is not encoded.
  std::size_t i = 0;
  bool after_word = false;
  const auto flush = [&] {
    if (!pending.empty()) out.append(to_utf8(pending, charset));
    pending.clear();
  };
  while ((i = text.find("=?", i)) != Bytes::npos) {
    const auto word = encoded_word(text.substr(i));
    if (!word) {
      i += 2;
      continue;
    }
    const Bytes between = text.substr(plain, i - plain);
    // RFC 2047 §6.2: blanks between two encoded words are not shown.
    const bool joined = after_word && blank(between);
    if (!joined || !ascii::equal_ignoring_case(charset, word->charset)) flush();
    if (!joined) out += field_to_utf8(between, raw_charset);
    charset = word->charset;
    pending += word_octets(*word);
    after_word = true;
    i += word->length;
    plain = i;
  }
  flush();
  out += field_to_utf8(text.substr(plain), raw_charset);
  clean(out);
  return out;
}

std::size_t encoded_word_length(Bytes text) {
  const auto word = encoded_word(text);
  if (!word) return 0;
  const Bytes behind = text.substr(word->length);
  const bool ends = behind.empty() || ascii::is_space(behind[0]) || Bytes("\r\n<(:").contains(behind[0]);
  const Bytes charset = text.substr(2, text.find('?', 2) - 2);
  const bool named =
      std::ranges::all_of(charset, [](char c) { return ascii::is_alnum(c) || Bytes("-_.*").contains(c); });
  const bool sound = std::ranges::all_of(
      word->text, [](char c) { return c != ' ' && ascii::is_printable(c) && !Bytes("<>@\"\\").contains(c); });
  return ends && named && sound ? word->length : 0;
}

std::vector<std::string> decoded_list(Bytes value) {
  std::vector<std::string> out;
  std::string raw;  // Of one text: without comments and quotes, folds kept.
  const auto take = [&] {
    if (std::string text = decoded_text(raw); !text.empty()) out.push_back(std::move(text));
    raw.clear();
  };
  ValueCursor cursor(value);
  while (!cursor.done() && out.size() < 1'000) {
    const char c = cursor.peek();
    if (c == '(') {
      (void)cursor.skip_blanks();
      raw += ' ';
    } else if (c == '"') {
      raw += cursor.quoted();
    } else {
      cursor.skip();
      if (c == ',') {
        take();
      } else {
        raw += c;
      }
    }
  }
  if (out.size() < 1'000) take();
  return out;
}

}  // namespace facteur::message
