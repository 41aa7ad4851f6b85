// LIST, LSUB, STATUS, SELECT, sets and flags (RFC 9051 §6.3; RFC 5258; RFC 5819; RFC 6154; RFC 7162).
#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "imap/grammar.hpp"

namespace facteur::imap {
namespace {

struct NamedStatus {
  Bytes name;
  StatusItem item;
};
constexpr std::array status_names{
    NamedStatus{"MESSAGES", StatusItem::messages},   NamedStatus{"RECENT", StatusItem::recent},
    NamedStatus{"UIDNEXT", StatusItem::uidnext},     NamedStatus{"UIDVALIDITY", StatusItem::uidvalidity},
    NamedStatus{"UNSEEN", StatusItem::unseen},       NamedStatus{"DELETED", StatusItem::deleted},
    NamedStatus{"SIZE", StatusItem::size},           NamedStatus{"HIGHESTMODSEQ", StatusItem::highestmodseq},
    NamedStatus{"MAILBOXID", StatusItem::mailboxid},
};

struct NamedBit {
  Bytes name;
  std::uint8_t bit;
};
constexpr std::array system_flags{
    NamedBit{"\\Seen", 1},  NamedBit{"\\Answered", 2}, NamedBit{"\\Flagged", 4},
    NamedBit{"\\Draft", 8}, NamedBit{"\\Deleted", 16},
};

bool is_set_char(char c) { return ascii::is_digit(c) || c == ':' || c == ',' || c == '*' || c == '$'; }

// list-select-opts: "(" ... ")" before the reference (RFC 9051 §6.3.9.1).
bool parse_select_options(Tokens& in, ListCommand& out) {
  out.extended = true;
  if (!in.expect('(')) return false;
  while (!in.next_is(')')) {
    std::string option;
    if (!in.word(option)) return false;
    if (option == "SUBSCRIBED") {
      out.select_subscribed = true;
    } else if (option == "REMOTE") {
      out.select_remote = true;
    } else if (option == "RECURSIVEMATCH") {
      out.select_recursive_match = true;
    } else if (option == "SPECIAL-USE") {
      out.select_special_use = true;
    } else {
      return in.fail("Unknown LIST selection option");
    }
    if (!in.skip(' ')) break;
  }
  // RFC 9051 §6.3.9.1: RECURSIVEMATCH needs another option to recurse on.
  if (out.select_recursive_match && !out.select_subscribed && !out.select_special_use) {
    return in.fail("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE");
  }
  return in.expect(')');
}

bool parse_return_options(Tokens& in, ListCommand& out) {
  std::string word;
  if (!in.word(word)) return false;
  if (word != "RETURN") return in.fail("Unexpected argument");
  out.extended = true;
  if (!in.space() || !in.expect('(')) return false;
  while (!in.next_is(')')) {
    if (!in.word(word)) return false;
    if (word == "SUBSCRIBED") {
      out.return_subscribed = true;
    } else if (word == "CHILDREN") {
      out.return_children = true;
    } else if (word == "SPECIAL-USE") {
      out.return_special_use = true;
    } else if (word == "STATUS") {
      if (!in.space() || !parse_status_items(in, out.return_status)) return false;
    } else {
      return in.fail("Unknown LIST return option");
    }
    if (!in.skip(' ')) break;
  }
  return in.expect(')');
}

bool parse_patterns(Tokens& in, ListCommand& out) {
  std::string pattern;
  if (!in.skip('(')) {
    if (!in.list_mailbox(pattern)) return false;
    out.patterns.push_back(std::move(pattern));
    return true;
  }
  out.extended = true;
  do {
    if (!in.list_mailbox(pattern)) return false;
    out.patterns.push_back(std::move(pattern));
    if (out.patterns.size() > 100) return in.fail("Too many patterns");
  } while (in.skip(' '));
  return in.expect(')');
}

// RFC 7162 §3.2.5: QRESYNC (uidvalidity modseq [known-uids] [(numbers uids)]).
bool parse_resync(Tokens& in, SelectCommand& out) {
  SelectCommand::Resync resync;
  if (!in.space() || !in.expect('(') || !in.nz_number(resync.uidvalidity) || !in.space() ||
      !in.number64(resync.modseq)) {
    return false;
  }
  if (in.next_is(' ') && !in.next_is_space_then('(')) {
    SequenceSet known;
    if (!in.space() || !parse_set(in, known)) return false;
    resync.known_uids = std::move(known);
  }
  if (in.skip(' ')) {
    SequenceSet numbers;
    SequenceSet uids;
    if (!in.expect('(') || !parse_set(in, numbers) || !in.space() || !parse_set(in, uids) || !in.expect(')')) {
      return false;
    }
    resync.match_numbers = std::move(numbers);
    resync.match_uids = std::move(uids);
  }
  out.resync = std::move(resync);
  return in.expect(')');
}

}  // namespace

bool parse_set(Tokens& in, SequenceSet& out) {
  const Bytes text = in.run(is_set_char);
  if (!in.ok()) return false;
  auto set = parse_sequence_set(text);
  if (!set) return in.fail("Wrong message set");
  out = std::move(*set);
  return true;
}

bool parse_flag(Tokens& in, FlagList& out) {
  std::string name;
  if (in.skip('\\')) {
    if (!in.atom(name)) return false;
    name.insert(name.begin(), '\\');
    for (const auto& flag : system_flags) {
      if (ascii::equal_ignoring_case(name, flag.name)) {
        out.bits |= flag.bit;
        return true;
      }
    }
    // RFC 9051 §9 flag: \Recent cannot be set; RFC 9051 §2.3.2: other names with '\' are reserved.
    return in.fail("Unknown system flag");
  }
  if (!in.atom(name)) return false;
  if (name.size() > 255) return in.fail("Too long a keyword");
  for (const auto& other : out.keywords) {
    if (ascii::equal_ignoring_case(other, name)) return true;
  }
  if (out.keywords.size() == 100) return in.fail("Too many keywords");
  out.keywords.push_back(std::move(name));
  return true;
}

bool parse_flag_list(Tokens& in, FlagList& out) {
  if (!in.expect('(')) return false;
  if (in.skip(')')) return true;
  do {
    if (!parse_flag(in, out)) return false;
  } while (in.skip(' '));
  return in.expect(')');
}

bool parse_status_items(Tokens& in, std::vector<StatusItem>& out) {
  if (!in.expect('(')) return false;
  do {
    std::string name;
    if (!in.word(name)) return false;
    const auto* const found = std::ranges::find(status_names, Bytes(name), &NamedStatus::name);
    if (found == status_names.end()) return in.fail("Unknown STATUS item");
    if (std::ranges::find(out, found->item) == out.end()) out.push_back(found->item);
  } while (in.skip(' '));
  return in.expect(')');
}

bool parse_status(Tokens& in, StatusCommand& out) {
  return in.space() && in.mailbox(out.mailbox) && in.space() && parse_status_items(in, out.items);
}

bool parse_list(Tokens& in, ListCommand& out) {
  if (!in.space()) return false;
  if (in.next_is('(') && (!parse_select_options(in, out) || !in.space())) return false;
  if (in.next_is('"') || in.next_is('{')) {
    if (!in.list_mailbox(out.reference)) return false;
  } else if (!in.astring(out.reference)) {
    return false;
  }
  if (!in.space() || !parse_patterns(in, out)) return false;
  if (in.skip(' ')) return parse_return_options(in, out);
  return in.ok();
}

bool parse_lsub(Tokens& in, ListCommand& out) {
  out.lsub = true;
  std::string pattern;
  if (!in.space() || !in.astring(out.reference) || !in.space() || !in.list_mailbox(pattern)) return false;
  out.patterns.push_back(std::move(pattern));
  return true;
}

bool parse_select(Tokens& in, SelectCommand& out) {
  if (!in.space() || !in.mailbox(out.mailbox)) return false;
  if (!in.skip(' ')) return in.ok();
  if (!in.expect('(')) return false;
  do {
    std::string name;
    if (!in.word(name)) return false;
    if (name == "CONDSTORE") {
      out.condstore = true;
    } else if (name == "QRESYNC" && !out.resync) {
      if (!parse_resync(in, out)) return false;
    } else {
      return in.fail("Unknown SELECT parameter");
    }
  } while (in.skip(' '));
  return in.expect(')');
}

}  // namespace facteur::imap
