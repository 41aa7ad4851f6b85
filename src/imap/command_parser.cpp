#include "imap/command_parser.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "imap/date.hpp"
#include "imap/grammar.hpp"
#include "imap/tokens.hpp"

namespace facteur::imap {
namespace {

struct Context {
  bool uid = false;         // Behind "UID".
  bool badcharset = false;  // Set by SEARCH.
};
using Parse = bool (*)(Tokens&, Context&, CommandBody&);

template <class Plain>
bool no_arguments(Tokens& in, Context&, CommandBody& out) {
  out = Plain{};
  return in.ok();
}

bool id(Tokens& in, Context&, CommandBody& out) {
  IdCommand command;
  if (!in.space()) return false;
  std::string word;
  if (!in.skip('(')) {
    out = command;
    return in.word(word) && (word == "NIL" || in.fail("Expected a list or NIL"));
  }
  while (!in.next_is(')')) {
    std::string name;
    std::optional<std::string> value;
    if (!in.string(name) || !in.space() || !in.nstring(value)) return false;
    if (command.fields.size() == 30) return in.fail("Too many ID fields");  // RFC 2971 §3.3.
    command.fields.emplace_back(std::move(name), value.value_or(""));
    if (!in.skip(' ')) break;
  }
  out = std::move(command);
  return in.expect(')');
}

bool login(Tokens& in, Context&, CommandBody& out) {
  LoginCommand command;
  if (!in.space() || !in.astring(command.user) || !in.space() || !in.astring(command.password)) return false;
  out = std::move(command);
  return true;
}

bool authenticate(Tokens& in, Context&, CommandBody& out) {
  AuthenticateCommand command;
  if (!in.space() || !in.word(command.mechanism)) return false;
  if (in.skip(' ')) {  // RFC 4959 §3.
    std::string initial;
    if (!in.base64(initial)) return false;
    command.initial = std::move(initial);
  }
  out = std::move(command);
  return in.ok();
}

bool enable(Tokens& in, Context&, CommandBody& out) {
  EnableCommand command;
  while (in.next_is(' ')) {
    std::string name;
    if (!in.space() || !in.word(name)) return false;
    command.capabilities.push_back(std::move(name));
  }
  if (command.capabilities.empty()) return in.fail("Missing argument");
  out = std::move(command);
  return true;
}

template <bool read_only>
bool select(Tokens& in, Context&, CommandBody& out) {
  SelectCommand command;
  command.read_only = read_only;
  if (!parse_select(in, command)) return false;
  out = std::move(command);
  return true;
}

bool create(Tokens& in, Context&, CommandBody& out) {
  CreateCommand command;
  if (!in.space()) return false;
  const Bytes before = in.rest();
  if (!in.mailbox(command.mailbox)) return false;
  const Bytes name = before.substr(0, before.size() - in.rest().size());
  command.only_parent = name.ends_with("/") || name.ends_with("/\"");
  if (in.skip(' ')) {  // RFC 6154 §3: (USE (\Drafts)).
    std::string word;
    if (!in.expect('(') || !in.word(word)) return false;
    if (word != "USE") return in.fail("Unknown CREATE parameter");
    if (!in.space() || !in.expect('(')) return false;
    while (in.skip('\\')) {
      if (!in.word(word)) return false;
      command.uses.push_back(ascii::lower(word));
      if (!in.skip(' ')) break;
    }
    if (!in.expect(')') || !in.expect(')')) return false;
  }
  out = std::move(command);
  return true;
}

bool remove(Tokens& in, Context&, CommandBody& out) {
  DeleteCommand command;
  if (!in.space() || !in.mailbox(command.mailbox)) return false;
  out = std::move(command);
  return true;
}

bool rename(Tokens& in, Context&, CommandBody& out) {
  RenameCommand command;
  if (!in.space() || !in.mailbox(command.from) || !in.space() || !in.mailbox(command.to)) return false;
  out = std::move(command);
  return true;
}

template <bool on>
bool subscribe(Tokens& in, Context&, CommandBody& out) {
  SubscribeCommand command;
  command.on = on;
  if (!in.space() || !in.mailbox(command.mailbox)) return false;
  out = std::move(command);
  return true;
}

bool status(Tokens& in, Context&, CommandBody& out) {
  StatusCommand command;
  if (!parse_status(in, command)) return false;
  out = std::move(command);
  return true;
}

bool list(Tokens& in, Context&, CommandBody& out) {
  ListCommand command;
  if (!parse_list(in, command)) return false;
  out = std::move(command);
  return true;
}

bool lsub(Tokens& in, Context&, CommandBody& out) {
  ListCommand command;
  if (!parse_lsub(in, command)) return false;
  out = std::move(command);
  return true;
}

// A whole APPEND comes this way only if no message literal followed: parse_append takes those.
bool append(Tokens& in, Context&, CommandBody&) { return in.fail("APPEND needs a literal"); }

bool fetch(Tokens& in, Context& context, CommandBody& out) {
  FetchCommand command;
  command.uid = context.uid;
  if (!parse_fetch(in, command)) return false;
  out = std::move(command);
  return true;
}

bool store(Tokens& in, Context& context, CommandBody& out) {
  StoreCommand command;
  command.uid = context.uid;
  if (!parse_store(in, command)) return false;
  out = std::move(command);
  return true;
}

template <bool move>
bool copy(Tokens& in, Context& context, CommandBody& out) {
  CopyCommand command;
  command.uid = context.uid;
  command.move = move;
  if (!in.space() || !parse_set(in, command.set) || !in.space() || !in.mailbox(command.mailbox)) return false;
  out = std::move(command);
  return true;
}

bool search(Tokens& in, Context& context, CommandBody& out) {
  SearchCommand command;
  command.uid = context.uid;
  if (!parse_search(in, command, context.badcharset)) return false;
  out = std::move(command);
  return true;
}

bool expunge(Tokens& in, Context& context, CommandBody& out) {
  ExpungeCommand command;
  if (context.uid) {
    SequenceSet set;
    if (!in.space() || !parse_set(in, set)) return false;
    command.uids = std::move(set);
  }
  out = std::move(command);
  return true;
}

bool uid(Tokens& in, Context& context, CommandBody& out);

struct Verb {
  Bytes name;
  std::uint8_t legal_states;
  Parse parse;
};
constexpr std::array verbs{
    Verb{"CAPABILITY", legal::always, no_arguments<CapabilityCommand>},
    Verb{"NOOP", legal::always, no_arguments<NoopCommand>},
    Verb{"LOGOUT", legal::always, no_arguments<LogoutCommand>},
    Verb{"ID", legal::always, id},
    Verb{"STARTTLS", legal::greeted, no_arguments<StartTlsCommand>},
    Verb{"LOGIN", legal::greeted, login},
    Verb{"AUTHENTICATE", legal::greeted, authenticate},
    Verb{"ENABLE", legal::known, enable},  // RFC 5161 §3.1: before any mailbox is selected.
    Verb{"SELECT", legal::inside, select<false>},
    Verb{"EXAMINE", legal::inside, select<true>},
    Verb{"CREATE", legal::inside, create},
    Verb{"DELETE", legal::inside, remove},
    Verb{"RENAME", legal::inside, rename},
    Verb{"SUBSCRIBE", legal::inside, subscribe<true>},
    Verb{"UNSUBSCRIBE", legal::inside, subscribe<false>},
    Verb{"LIST", legal::inside, list},
    Verb{"LSUB", legal::inside, lsub},
    Verb{"NAMESPACE", legal::inside, no_arguments<NamespaceCommand>},
    Verb{"STATUS", legal::inside, status},
    Verb{"APPEND", legal::inside, append},
    Verb{"IDLE", legal::inside, no_arguments<IdleCommand>},
    Verb{"CHECK", legal::selected, no_arguments<CheckCommand>},
    Verb{"CLOSE", legal::selected, no_arguments<CloseCommand>},
    Verb{"UNSELECT", legal::selected, no_arguments<UnselectCommand>},
    Verb{"EXPUNGE", legal::selected, expunge},
    Verb{"SEARCH", legal::selected, search},
    Verb{"FETCH", legal::selected, fetch},
    Verb{"STORE", legal::selected, store},
    Verb{"COPY", legal::selected, copy<false>},
    Verb{"MOVE", legal::selected, copy<true>},
    Verb{"UID", legal::selected, uid},
};

const Verb* find_verb(Bytes name) {
  const auto* const found = std::ranges::find(verbs, name, &Verb::name);
  return found == verbs.end() ? nullptr : found;
}

// RFC 9051 §6.4.9.
bool uid(Tokens& in, Context& context, CommandBody& out) {
  std::string name;
  if (!in.space() || !in.word(name)) return false;
  const Verb* verb = find_verb(name);
  const bool has_uid_form =
      verb != nullptr && (verb->parse == fetch || verb->parse == store || verb->parse == copy<false> ||
                          verb->parse == copy<true> || verb->parse == search || verb->parse == expunge);
  if (!has_uid_form) return in.fail("Unknown UID command");
  context.uid = true;
  return verb->parse(in, context, out);
}

SyntaxError error_of(const Tokens& in, std::string tag) { return {std::move(tag), {}, in.error()}; }

bool append_options(Tokens& in, AppendParameters& out) {
  if (in.next_is('(')) {
    if (!parse_flag_list(in, out.flags) || !in.space()) return false;
  }
  if (in.next_is('"')) {
    std::string text;
    if (!in.string(text) || !in.space()) return false;
    const auto received = parse_date_time(text);
    if (!received) return in.fail("Wrong date-time");
    out.received = received;
  }
  if (!in.at_end()) {  // RFC 6855 §4: UTF8 (~{n}...).
    std::string word;
    if (!in.word(word)) return false;
    if (word != "UTF8") return in.fail("Wrong APPEND data");
    out.utf8 = true;
    return in.space() && in.expect('(') && in.end();
  }
  return in.ok();
}

}  // namespace

bool is_verb(Bytes verb) { return find_verb(verb) != nullptr; }

CommandStart parse_start(Bytes text) {
  Tokens in(text);
  CommandStart start;
  if (!in.tag(start.tag)) return {};
  if (!in.space() || !in.word(start.verb)) start.verb.clear();
  return start;
}

std::expected<ParsedCommand, SyntaxError> parse_command(Bytes text, bool utf8) {
  Tokens in(text, utf8);
  ParsedCommand parsed;
  std::string name;
  if (!in.tag(parsed.command.tag)) return std::unexpected(error_of(in, {}));
  if (!in.space() || !in.word(name)) return std::unexpected(error_of(in, parsed.command.tag));
  const Verb* verb = find_verb(name);
  if (verb == nullptr) return std::unexpected(SyntaxError{parsed.command.tag, {}, "Unknown command"});
  parsed.legal_states = verb->legal_states;
  Context context;
  if (!verb->parse(in, context, parsed.command.body) || !in.end()) {
    auto error = error_of(in, parsed.command.tag);
    if (context.badcharset) error.code = "BADCHARSET (US-ASCII UTF-8)";  // RFC 9051 §6.4.4.
    return std::unexpected(std::move(error));
  }
  return parsed;
}

std::expected<AppendStart, SyntaxError> parse_append(Bytes text, bool utf8) {
  Tokens in(text, utf8);
  std::string tag;
  std::string verb;
  AppendStart start;
  if (!in.tag(tag) || !in.space() || !in.word(verb) || !in.space()) return std::unexpected(error_of(in, tag));
  if (in.at_end()) return start;
  if (!in.mailbox(start.parameters.mailbox) || !in.space() || !append_options(in, start.parameters)) {
    return std::unexpected(error_of(in, tag));
  }
  start.kind = AppendStart::Kind::message;
  return start;
}

std::expected<std::optional<AppendParameters>, SyntaxError> parse_append_rest(Bytes text, bool behind_utf8,
                                                                              bool literal_follows) {
  Tokens in(text);
  if (behind_utf8 && !in.expect(')')) return std::unexpected(error_of(in, {}));
  if (!literal_follows) {
    if (!in.end()) return std::unexpected(error_of(in, {}));
    return std::nullopt;
  }
  AppendParameters parameters;
  if (!in.space() || !append_options(in, parameters)) return std::unexpected(error_of(in, {}));
  return parameters;
}

}  // namespace facteur::imap
