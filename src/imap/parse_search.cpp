// SEARCH (RFC 9051 §6.4.4; RFC 4731; RFC 5182; RFC 7162 §3.1.5; RFC 8474 §5.3).
#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "imap/date.hpp"
#include "imap/grammar.hpp"
#include "imap/mailbox_name.hpp"

namespace facteur::imap {
namespace {

using Kind = SearchKey::Kind;

// What follows the name of a key.
enum class Argument : std::uint8_t { none, text, date, number, flag_bit, no_flag_bit, keyword, header_field };
struct NamedKey {
  Bytes name;
  Kind kind;
  Argument argument = Argument::none;
  std::uint8_t bit = 0;
  Bytes field = {};  // For header keys with a name of their own.
};
constexpr std::uint8_t seen = 1, answered = 2, flagged = 4, draft = 8, deleted = 16;
constexpr std::array named_keys{
    NamedKey{"ALL", Kind::all},
    NamedKey{"ANSWERED", Kind::flag, Argument::flag_bit, answered},
    NamedKey{"DELETED", Kind::flag, Argument::flag_bit, deleted},
    NamedKey{"DRAFT", Kind::flag, Argument::flag_bit, draft},
    NamedKey{"FLAGGED", Kind::flag, Argument::flag_bit, flagged},
    NamedKey{"SEEN", Kind::flag, Argument::flag_bit, seen},
    NamedKey{"UNANSWERED", Kind::flag, Argument::no_flag_bit, answered},
    NamedKey{"UNDELETED", Kind::flag, Argument::no_flag_bit, deleted},
    NamedKey{"UNDRAFT", Kind::flag, Argument::no_flag_bit, draft},
    NamedKey{"UNFLAGGED", Kind::flag, Argument::no_flag_bit, flagged},
    NamedKey{"UNSEEN", Kind::flag, Argument::no_flag_bit, seen},
    NamedKey{"NEW", Kind::fresh},
    NamedKey{"RECENT", Kind::recent},
    NamedKey{"BCC", Kind::header, Argument::text, 0, "Bcc"},
    NamedKey{"CC", Kind::header, Argument::text, 0, "Cc"},
    NamedKey{"FROM", Kind::header, Argument::text, 0, "From"},
    NamedKey{"SUBJECT", Kind::header, Argument::text, 0, "Subject"},
    NamedKey{"TO", Kind::header, Argument::text, 0, "To"},
    NamedKey{"HEADER", Kind::header, Argument::header_field},
    NamedKey{"BODY", Kind::body, Argument::text},
    NamedKey{"TEXT", Kind::text, Argument::text},
    NamedKey{"BEFORE", Kind::before, Argument::date},
    NamedKey{"ON", Kind::on, Argument::date},
    NamedKey{"SINCE", Kind::since, Argument::date},
    NamedKey{"SENTBEFORE", Kind::sent_before, Argument::date},
    NamedKey{"SENTON", Kind::sent_on, Argument::date},
    NamedKey{"SENTSINCE", Kind::sent_since, Argument::date},
    NamedKey{"LARGER", Kind::larger, Argument::number},
    NamedKey{"SMALLER", Kind::smaller, Argument::number},
    NamedKey{"KEYWORD", Kind::keyword, Argument::keyword},
    NamedKey{"EMAILID", Kind::emailid, Argument::text},
    NamedKey{"THREADID", Kind::threadid, Argument::text},
};

SearchKey negation(SearchKey key) {
  SearchKey out;
  out.kind = Kind::negation;
  out.children.push_back(std::move(key));
  return out;
}

bool parse_day(Tokens& in, std::int32_t& day) {
  const bool quoted = in.skip('"');
  const auto value = parse_date(in.run([](char c) { return ascii::is_alnum(c) || c == '-'; }));
  if (!value) return in.fail("Wrong date");
  day = *value;
  return !quoted || in.expect('"');
}

bool parse_text(Tokens& in, std::string& value) {
  if (!in.astring(value)) return false;
  return is_valid_utf8(value) || in.fail("Search text is not in the charset");
}

bool parse_argument(Tokens& in, const NamedKey& named, SearchKey& out) {
  if (named.argument == Argument::none || named.argument == Argument::flag_bit ||
      named.argument == Argument::no_flag_bit) {
    return true;
  }
  if (!in.space()) return false;
  switch (named.argument) {
    case Argument::text:
      return parse_text(in, out.value);
    case Argument::header_field:
      return in.astring(out.field) && in.space() && parse_text(in, out.value);
    case Argument::date:
      return parse_day(in, out.day);
    case Argument::number:
      return in.number64(out.number);
    case Argument::keyword:
      return in.atom(out.value);
    default:
      return true;
  }
}

// RFC 7162 §3.1.5: MODSEQ ["/flags/..." all|priv|shared] n.
bool parse_modseq(Tokens& in, SearchKey& out) {
  out.kind = Kind::modseq;
  if (!in.space()) return false;
  if (in.next_is('"')) {
    std::string entry;
    std::string type;
    // All flags of a message share one mod-sequence here, so which entry is meant makes no difference.
    if (!in.string(entry) || !in.space() || !in.word(type) || !in.space()) return false;
    if (!ascii::starts_with_ignoring_case(entry, "/flags/") || (type != "ALL" && type != "PRIV" && type != "SHARED")) {
      return in.fail("Wrong MODSEQ entry");
    }
  }
  return in.number64(out.number);
}

bool parse_key(Tokens& in, SearchCommand& command, SearchKey& out);

bool parse_key_list(Tokens& in, SearchCommand& command, SearchKey& out) {
  out.kind = Kind::both;
  do {
    SearchKey key;
    if (!parse_key(in, command, key)) return false;
    out.children.push_back(std::move(key));
  } while (in.skip(' '));
  return true;
}

bool parse_named_key(Tokens& in, SearchCommand& command, SearchKey& out) {
  std::string name;
  if (!in.word(name)) return false;
  if (name == "NOT") {
    SearchKey inner;
    if (!in.space() || !parse_key(in, command, inner)) return false;
    out = negation(std::move(inner));
    return true;
  }
  if (name == "OR") {
    out.kind = Kind::either;
    out.children.resize(2);
    return in.space() && parse_key(in, command, out.children[0]) && in.space() &&
           parse_key(in, command, out.children[1]);
  }
  if (name == "UID") {
    out.kind = Kind::uid;
    return in.space() && parse_set(in, out.set);
  }
  if (name == "MODSEQ") {
    command.uses_modseq = true;
    return parse_modseq(in, out);
  }
  if (name == "OLD") {  // RFC 3501 §6.4.4: OLD is NOT RECENT.
    out.kind = Kind::recent;
    out = negation(std::move(out));
    return true;
  }
  const bool negated = name == "UNKEYWORD";
  if (negated) name = "KEYWORD";
  const auto* const found = std::ranges::find(named_keys, Bytes(name), &NamedKey::name);
  if (found == named_keys.end()) return in.fail("Unknown search key");
  out.kind = found->kind;
  out.bit = found->bit;
  out.field = found->field;
  if (!parse_argument(in, *found, out)) return false;
  if (negated || found->argument == Argument::no_flag_bit) out = negation(std::move(out));
  return true;
}

bool parse_key(Tokens& in, SearchCommand& command, SearchKey& out) {
  if (!in.descend()) return false;
  bool good = false;
  if (in.skip('(')) {
    good = parse_key_list(in, command, out) && in.expect(')');
  } else if (!in.at_end() && (ascii::is_digit(in.rest()[0]) || in.next_is('*') || in.next_is('$'))) {
    out.kind = Kind::sequence;
    good = parse_set(in, out.set);
  } else {
    good = parse_named_key(in, command, out);
  }
  in.ascend();
  return good;
}

// RFC 9051 §6.4.4: RETURN (MIN MAX ALL COUNT SAVE); () is ALL.
bool parse_return(Tokens& in, SearchCommand& out) {
  out.extended = true;
  if (!in.space() || !in.expect('(')) return false;
  while (!in.next_is(')')) {
    std::string option;
    if (!in.word(option)) return false;
    if (option == "MIN") {
      out.minimum = true;
    } else if (option == "MAX") {
      out.maximum = true;
    } else if (option == "ALL") {
      out.all = true;
    } else if (option == "COUNT") {
      out.count = true;
    } else if (option == "SAVE") {
      out.save = true;
    } else {
      return in.fail("Unknown search return option");
    }
    if (!in.skip(' ')) break;
  }
  if (!out.minimum && !out.maximum && !out.all && !out.count && !out.save) out.all = true;
  return in.expect(')');
}

bool next_word_is(const Tokens& in, Bytes word) {
  const Bytes rest = in.rest();
  return in.ok() && ascii::starts_with_ignoring_case(rest, word) && rest.size() > word.size() &&
         rest[word.size()] == ' ';
}

}  // namespace

bool parse_search(Tokens& in, SearchCommand& out, bool& badcharset) {
  if (!in.space()) return false;
  std::string word;
  if (next_word_is(in, "RETURN")) {
    if (!in.word(word) || !parse_return(in, out) || !in.space()) return false;
  }
  if (next_word_is(in, "CHARSET")) {
    std::string charset;
    if (!in.word(word) || !in.space() || !in.astring(charset) || !in.space()) return false;
    if (!ascii::equal_ignoring_case(charset, "UTF-8") && !ascii::equal_ignoring_case(charset, "US-ASCII")) {
      badcharset = true;
      return in.fail("Charset not known");
    }
  }
  return parse_key_list(in, out, out.key);
}

}  // namespace facteur::imap
