#include "smtp/reply_parser.hpp"

#include <utility>

#include "base/ascii.hpp"

namespace facteur::smtp {
namespace {

constexpr std::size_t longest_line = 4096;  // RFC 5321 §4.5.3.1.5 says 512; some servers write more.
constexpr std::size_t most_lines = 256;
constexpr std::size_t longest_text = 8192;  // What we keep of it.

// RFC 3463 §2: class "." subject "." detail at the start of `text`; its length, 0 if there is none.
std::size_t enhanced_length(std::string_view text, int code) {
  if (text.size() < 5 || text[0] != static_cast<char>('0' + code / 100) || text[1] != '.') return 0;
  std::size_t at = 2;
  for (int part = 0; part < 2; ++part) {
    const std::size_t start = at;
    while (at < text.size() && ascii::is_digit(text[at]) && at - start < 3) ++at;
    if (at == start) return 0;
    if (part == 0 && (at >= text.size() || text[at++] != '.')) return 0;
  }
  return at == text.size() || text[at] == ' ' ? at : 0;
}

}  // namespace

ReplyParser::Outcome ReplyParser::read(Bytes octets) {
  Outcome outcome;
  while (!outcome.reply && !outcome.broken) {
    const Bytes rest = octets.substr(outcome.consumed);
    const auto end = rest.find('\n');
    if (end == Bytes::npos) {
      outcome.broken = rest.size() > longest_line;
      break;
    }
    Bytes text = rest.substr(0, end);
    if (text.ends_with('\r')) text.remove_suffix(1);
    outcome.consumed += end + 1;
    if (!line(text, outcome)) outcome.broken = true;
  }
  return outcome;
}

// False: this is not a line of a reply.
bool ReplyParser::line(Bytes text, Outcome& outcome) {
  if (text.size() < 3 || text.size() > longest_line || ++lines_ > most_lines) return false;
  const auto code = ascii::number<int>(text.substr(0, 3));
  if (!code || *code < 200 || *code > 599) return false;
  const char separator = text.size() > 3 ? text[3] : ' ';
  if (separator != ' ' && separator != '-') return false;
  if (lines_ > 1 && *code != reply_.code) return false;  // RFC 5321 §4.2.1: the same code on each line.
  Bytes words = text.size() > 4 ? text.substr(4) : Bytes();
  if (lines_ == 1) reply_ = Reply{.code = *code, .enhanced = {}, .text = {}};
  if (const auto length = enhanced_length(words, *code); length > 0) {
    if (lines_ == 1) reply_.enhanced = words.substr(0, length);
    if (words.substr(0, length) == reply_.enhanced) words.remove_prefix(length);
    while (words.starts_with(' ')) words.remove_prefix(1);
  }
  if (lines_ > 1 && reply_.text.size() < longest_text) reply_.text += '\n';
  if (reply_.text.size() + words.size() <= longest_text) reply_.text += words;
  if (separator == ' ') {
    outcome.reply = std::exchange(reply_, {});
    lines_ = 0;
  }
  return true;
}

}  // namespace facteur::smtp
