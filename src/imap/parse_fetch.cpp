// FETCH and STORE (RFC 9051 §6.4.5, §6.4.6; RFC 7162 §3.1; RFC 8474 §5).
#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "imap/grammar.hpp"

namespace facteur::imap {
namespace {

using Kind = FetchItem::Kind;

struct NamedItem {
  Bytes name;
  Kind kind;
};
constexpr std::array simple_items{
    NamedItem{"FLAGS", Kind::flags},
    NamedItem{"UID", Kind::uid},
    NamedItem{"INTERNALDATE", Kind::internaldate},
    NamedItem{"RFC822.SIZE", Kind::rfc822_size},
    NamedItem{"ENVELOPE", Kind::envelope},
    NamedItem{"BODYSTRUCTURE", Kind::bodystructure},
    NamedItem{"MODSEQ", Kind::modseq},
    NamedItem{"EMAILID", Kind::emailid},
    NamedItem{"THREADID", Kind::threadid},
    NamedItem{"RFC822", Kind::rfc822},
    NamedItem{"RFC822.HEADER", Kind::rfc822_header},
    NamedItem{"RFC822.TEXT", Kind::rfc822_text},
    NamedItem{"PREVIEW", Kind::preview},
};

bool is_item_char(char c) { return ascii::is_alnum(c) || c == '.'; }

// section-part and section-text, between the brackets.
bool parse_section(Tokens& in, Section& out, bool text_allowed) {
  bool text_next = true;
  while (!in.at_end() && ascii::is_digit(in.rest().front())) {
    std::uint32_t number = 0;
    if (!in.nz_number(number)) return false;
    if (out.part.size() == 100) return in.fail("Too deep a part");
    out.part.push_back(number);
    text_next = in.skip('.');
    if (!text_next) break;
  }
  if (in.next_is(']')) return (out.part.empty() || !text_next) || in.fail("Unfinished section");
  if (!text_next || !text_allowed) return in.fail("Wrong section");
  const auto name = ascii::upper(in.run(is_item_char));
  if (name == "HEADER") {
    out.text = Section::Text::header;
  } else if (name == "TEXT") {
    out.text = Section::Text::text;
  } else if (name == "MIME" && !out.part.empty()) {  // RFC 9051 §6.4.5: MIME only of a part.
    out.text = Section::Text::mime;
  } else if (name == "HEADER.FIELDS" || name == "HEADER.FIELDS.NOT") {
    out.text = name.size() == 13 ? Section::Text::header_fields : Section::Text::header_fields_not;
    if (!in.space() || !in.expect('(')) return false;
    do {
      std::string field;
      if (!in.astring(field)) return false;
      out.fields.push_back(std::move(field));
    } while (in.skip(' '));
    return in.expect(')');
  } else {
    return in.fail("Unknown section");
  }
  return true;
}

bool parse_partial(Tokens& in, FetchItem& item) {
  if (!in.skip('<')) return true;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  if (!in.number(offset) || !in.expect('.') || !in.nz_number(length) || !in.expect('>')) return false;
  item.partial = std::pair(offset, length);
  return true;
}

bool parse_bracketed(Tokens& in, FetchItem& item) {
  const bool text_allowed = item.kind == Kind::section;
  if (!in.expect('[') || !parse_section(in, item.section, text_allowed) || !in.expect(']')) return false;
  return item.kind == Kind::binary_size || parse_partial(in, item);
}

// RFC 8970 §6: PREVIEW may be followed by a list of modifiers, of which there is one. Where it stands alone, a list
// behind it may also be that of FETCH (RFC 7162 §3.1.4): the first word tells.
bool parse_preview(Tokens& in, FetchItem& item, bool alone) {
  if (!in.next_is_space_then('(')) return true;
  const Bytes list = in.rest().substr(2);
  const Bytes first = list.substr(0, list.find_first_of(" )"));
  if (alone && !ascii::equal_ignoring_case(first, "LAZY")) return true;
  in.skip(' ');
  in.skip('(');
  do {
    std::string name;
    if (!in.word(name)) return false;
    if (name != "LAZY") return in.fail("Unknown PREVIEW modifier");
    item.lazy = true;
  } while (in.skip(' '));
  return in.expect(')');
}

// `alone`: not in a parenthesised list.
bool parse_item(Tokens& in, std::vector<FetchItem>& out, bool alone) {
  const auto name = ascii::upper(in.run(is_item_char));
  if (!in.ok() || name.empty()) return in.fail("Expected a FETCH item");
  if (out.size() == 200) return in.fail("Too many FETCH items");
  FetchItem item;
  if (in.next_is('[')) {
    if (name == "BODY" || name == "BODY.PEEK") {
      item.kind = Kind::section;
    } else if (name == "BINARY" || name == "BINARY.PEEK") {
      item.kind = Kind::binary;
    } else if (name == "BINARY.SIZE") {
      item.kind = Kind::binary_size;
    } else {
      return in.fail("Unknown FETCH item");
    }
    item.peek = name.ends_with(".PEEK");
    if (!parse_bracketed(in, item)) return false;
  } else if (name == "BODY") {
    item.kind = Kind::body;
  } else {
    const auto* const found = std::ranges::find(simple_items, Bytes(name), &NamedItem::name);
    if (found == simple_items.end()) return in.fail("Unknown FETCH item");
    item.kind = found->kind;
    if (item.kind == Kind::preview && !parse_preview(in, item, alone)) return false;
  }
  out.push_back(std::move(item));
  return true;
}

// RFC 9051 §6.4.5: the macros stand alone, never in a list.
bool parse_macro(Tokens& in, std::vector<FetchItem>& out) {
  const Bytes rest = in.rest();
  const auto word = ascii::upper(rest.substr(0, std::min(rest.find(' '), rest.size())));
  std::vector<Kind> kinds{Kind::flags, Kind::internaldate, Kind::rfc822_size};
  if (word == "ALL" || word == "FULL") kinds.push_back(Kind::envelope);
  if (word == "FULL") kinds.push_back(Kind::body);
  if (word != "ALL" && word != "FULL" && word != "FAST") return false;
  in.run(ascii::is_alpha);
  for (const auto kind : kinds) {
    FetchItem item;
    item.kind = kind;
    out.push_back(item);
  }
  return true;
}

// RFC 7162 §3.1.4: (CHANGEDSINCE n [VANISHED]).
bool parse_fetch_modifiers(Tokens& in, FetchCommand& out) {
  if (!in.next_is_space_then('(')) return true;
  in.skip(' ');
  in.skip('(');
  do {
    std::string name;
    if (!in.word(name)) return false;
    if (name == "CHANGEDSINCE" && !out.changed_since) {
      std::uint64_t since = 0;
      if (!in.space() || !in.number64(since)) return false;
      out.changed_since = since;
    } else if (name == "VANISHED") {
      out.vanished = true;
    } else {
      return in.fail("Unknown FETCH modifier");
    }
  } while (in.skip(' '));
  // RFC 7162 §3.2.6: VANISHED only with UID FETCH and CHANGEDSINCE.
  if (out.vanished && (!out.uid || !out.changed_since)) return in.fail("VANISHED needs UID FETCH and CHANGEDSINCE");
  return in.expect(')');
}

}  // namespace

bool parse_fetch(Tokens& in, FetchCommand& out) {
  if (!in.space() || !parse_set(in, out.set) || !in.space()) return false;
  if (in.skip('(')) {
    do {
      if (!parse_item(in, out.items, false)) return false;
    } while (in.skip(' '));
    if (!in.expect(')')) return false;
  } else if (!parse_macro(in, out.items) && !parse_item(in, out.items, true)) {
    return false;
  }
  return parse_fetch_modifiers(in, out);
}

bool parse_store(Tokens& in, StoreCommand& out) {
  if (!in.space() || !parse_set(in, out.set) || !in.space()) return false;
  if (in.skip('(')) {  // RFC 7162 §3.1.3.
    std::string name;
    std::uint64_t since = 0;
    if (!in.word(name)) return false;
    if (name != "UNCHANGEDSINCE") return in.fail("Unknown STORE modifier");
    if (!in.space() || !in.number64(since) || !in.expect(')') || !in.space()) return false;
    out.unchanged_since = since;
  }
  if (in.skip('+')) {
    out.mode = StoreCommand::Mode::add;
  } else if (in.skip('-')) {
    out.mode = StoreCommand::Mode::remove;
  }
  std::string name;
  if (!in.word(name)) return false;
  out.silent = name == "FLAGS.SILENT";
  if (!out.silent && name != "FLAGS") return in.fail("Unknown STORE item");
  if (!in.space()) return false;
  if (in.next_is('(')) return parse_flag_list(in, out.flags);
  do {  // RFC 9051 §9 store-att-flags: also without parentheses.
    if (!parse_flag(in, out.flags)) return false;
  } while (in.skip(' '));
  return true;
}

}  // namespace facteur::imap
