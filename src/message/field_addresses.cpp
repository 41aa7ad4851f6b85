// FieldWriter: names and addresses (RFC 5322 §3.4).
#include <algorithm>

#include "base/ascii.hpp"
#include "message/field_words.hpp"
#include "message/field_writer.hpp"

namespace facteur::message {
namespace {

constexpr std::string_view atom_marks = "!#$%&'*+-/=?^_`{|}~";

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

}  // namespace facteur::message
