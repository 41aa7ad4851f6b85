// RELIABILITY R20: several sessions on one mailbox do random things at once; each keeps what the untagged responses
// tell it, and that must be what a new session sees. Numbers never move while they are in use.
#include <algorithm>
#include <set>

#include "imap/sequence_set.hpp"
#include "rfc_test.hpp"
#include "server/imap_script_test.hpp"

namespace facteur::server::stage {
namespace {

// What a client knows of one message.
struct Known {
  std::optional<std::uint32_t> uid;
  std::optional<std::set<std::string>> flags;  // Without \Recent.
};

std::set<std::string> flag_set(const Argument& list) {
  std::set<std::string> flags;
  for (const auto& flag : list.list) {
    if (flag.text != "\\Recent") flags.insert(flag.text);
  }
  return flags;
}

std::string joined(const std::set<std::string>& flags) {
  std::string out;
  for (const auto& flag : flags) out += flag + " ";
  return out;
}

class Session {
 public:
  Session(Stage& stage, bool condstore) : client(stage) {
    client.log_in();
    replay(client.ask(condstore ? "SELECT INBOX (CONDSTORE)" : "SELECT INBOX"), true);
  }

  // Takes in what the server said; `may_expunge`: whether numbers may move now.
  void replay(const std::string& text, bool may_expunge) {
    transcript += text;
    for (const auto& one : split_responses(text)) {
      if (!one.starts_with("* ")) continue;
      const auto arguments = parse_arguments(Bytes(one).substr(2));
      if (arguments.size() < 2) continue;
      const auto number = ascii::number<std::uint32_t>(arguments[0].text).value_or(0);
      if (arguments[1].text == "EXISTS") {
        REQUIRE(number >= messages.size());  // RFC 9051 §7.4.1: only EXPUNGE makes it smaller.
        messages.resize(number);
      } else if (arguments[1].text == "EXPUNGE") {
        CAPTURE(text);
        REQUIRE(may_expunge);
        REQUIRE(number >= 1);
        REQUIRE(number <= messages.size());
        messages.erase(messages.begin() + number - 1);
      } else if (arguments[1].text == "FETCH") {
        CAPTURE(text);
        REQUIRE(number >= 1);
        REQUIRE(number <= messages.size());
        learn(messages[number - 1], arguments[2].list);
      }
    }
  }

  Client client;
  std::string transcript;
  std::vector<Known> messages;
  std::string pending;  // The tag of a command under way.
  bool expunge_allowed = true;

 private:
  static void learn(Known& known, const std::vector<Argument>& items) {
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i].text == "UID") {
        const auto uid = ascii::number<std::uint32_t>(items[i + 1].text);
        if (known.uid) REQUIRE(known.uid == uid);  // A number that moved unannounced shows here.
        known.uid = uid;
      }
      if (items[i].text == "FLAGS") known.flags = flag_set(items[i + 1]);
    }
  }
};

struct Command {
  std::string text;
  bool may_expunge = true;
  // Of a STORE .SILENT: what the client itself makes of it.
  std::size_t silent_from = 0;
  bool silent_adds = false;
  std::string silent_flag = {};
};

Command random_command(sim::Random& chance, const Session& session) {
  const auto count = session.messages.size();
  const auto number = [&] { return std::to_string(chance.between(1, std::max<std::size_t>(count, 1))); };
  const auto uid = [&] { return std::to_string(chance.between(1, 60)); };
  const auto flag = [&] {
    static const std::vector<std::string> flags{"\\Seen", "\\Deleted", "\\Flagged", "\\Deleted", "$Work", "\\Answered"};
    return flags[chance.between(0, flags.size() - 1)];
  };
  const std::string sign = chance.between(0, 2) == 0 ? "-" : "+";
  const bool some = count > 0;
  switch (chance.between(0, 13)) {
    case 0:
    case 1: {
      const auto message = message_of("m" + uid());
      return {"APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message};
    }
    case 2:
      return some ? Command{"STORE " + number() + " " + sign + "FLAGS (" + flag() + ")", false} : Command{"NOOP"};
    case 3: {
      if (!some) return {"NOOP"};
      Command command{.text = {},
                      .may_expunge = false,
                      .silent_from = chance.between(1, count),
                      .silent_adds = sign == "+",
                      .silent_flag = flag()};
      command.text = "STORE " + std::to_string(command.silent_from) + ":" + std::to_string(count) + " " + sign +
                     "FLAGS.SILENT (" + command.silent_flag + ")";
      return command;
    }
    case 4:
      return {"UID STORE " + uid() + ":* " + sign + "FLAGS (" + flag() + ")"};
    case 5:
      return {"EXPUNGE"};
    case 6:
      return {"UID EXPUNGE " + uid() + ":" + uid()};
    case 7:
      return {"UID MOVE " + uid() + " Archive"};
    case 8:
      return {"UID COPY " + uid() + ":* INBOX"};
    case 9:
      return some ? Command{"FETCH " + number() + ":* (UID FLAGS)", false} : Command{"NOOP"};
    case 10:
      return some ? Command{"FETCH " + number() + " (UID BODY[])", false} : Command{"NOOP"};
    case 11:
      return {"SEARCH NOT DELETED", false};
    case 12:
      return {"UID FETCH " + uid() + ":* (FLAGS)"};
    default:
      return {"NOOP"};
  }
}

void settle(Session& session) {
  session.replay(session.client.ask("NOOP"), true);
  if (session.messages.empty()) return;
}

void check_against_fresh(Stage& stage, std::vector<std::unique_ptr<Session>>& sessions) {
  Session fresh(stage, false);
  if (!fresh.messages.empty()) fresh.replay(fresh.client.ask("FETCH 1:* (UID FLAGS)"), false);
  for (auto& session : sessions) {
    settle(*session);
    REQUIRE(session->messages.size() == fresh.messages.size());
    for (std::size_t i = 0; i < fresh.messages.size(); ++i) {
      const auto& known = session->messages[i];
      if (known.uid) CHECK(known.uid == fresh.messages[i].uid);
      if (known.flags && known.flags != fresh.messages[i].flags) {
        INFO("message " << i + 1 << " of\n" << session->transcript);
        FAIL_CHECK("told " << joined(*known.flags) << " but it has " << joined(*fresh.messages[i].flags));
      }
    }
    if (!session->messages.empty()) session->replay(session->client.ask("FETCH 1:* (UID FLAGS)"), false);
  }
}

void play(std::uint64_t seed) {
  CAPTURE(seed);
  Stage stage(seed);
  sim::Random chance(seed);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int i = 0; i < 4; ++i) sessions.push_back(std::make_unique<Session>(stage, i % 2 == 1));
  int tags = 0;
  for (int step = 0; step < 60; ++step) {
    // Some sessions speak at the same time.
    for (auto& session : sessions) {
      if (chance.between(0, 2) == 0) continue;
      const auto command = random_command(chance, *session);
      session->pending = "r" + std::to_string(++tags);
      session->expunge_allowed = command.may_expunge;
      session->client.send(session->pending + " " + command.text + "\r\n");
      session->transcript += "> " + command.text.substr(0, command.text.find('\r')) + "\n";
      for (auto i = command.silent_from; i > 0 && i <= session->messages.size(); ++i) {
        auto& flags = session->messages[i - 1].flags;
        if (flags && command.silent_adds) flags->insert(command.silent_flag);
        if (flags && !command.silent_adds) flags->erase(command.silent_flag);
      }
    }
    for (auto& session : sessions) {
      if (session->pending.empty()) continue;
      session->replay(session->client.until(session->pending + " "), session->expunge_allowed);
      session->pending.clear();
    }
    if (step % 20 == 19) check_against_fresh(stage, sessions);
  }
}

// A client that is mostly away: it keeps UIDs, flags and where it stood, and asks only for what it missed.
struct Absent {
  std::string uidvalidity;
  std::string modseq;
  std::map<std::uint32_t, std::set<std::string>> messages;

  static std::string code_value(const std::string& text, const std::string& name) {
    const auto at = text.find("[" + name + " ");
    REQUIRE(at != std::string::npos);
    const auto begin = at + name.size() + 2;
    return text.substr(begin, text.find(']', begin) - begin);
  }
  void take(const std::string& text) {
    for (const auto& one : split_responses(text)) {
      if (!one.starts_with("* ")) continue;
      const auto arguments = parse_arguments(Bytes(one).substr(2));
      if (arguments.size() >= 2 && arguments[0].text == "VANISHED") {
        const auto set = imap::parse_sequence_set(arguments.back().text);
        REQUIRE(set);
        for (const auto& range : imap::resolve(*set, 0)) {
          messages.erase(messages.lower_bound(range.first), messages.upper_bound(range.last));
        }
      }
      if (arguments.size() < 3 || arguments[1].text != "FETCH") continue;
      std::uint32_t uid = 0;
      std::optional<std::set<std::string>> flags;
      for (std::size_t i = 0; i + 1 < arguments[2].list.size(); i += 2) {
        if (arguments[2].list[i].text == "UID") {
          uid = ascii::number<std::uint32_t>(arguments[2].list[i + 1].text).value_or(0);
        }
        if (arguments[2].list[i].text == "FLAGS") flags = flag_set(arguments[2].list[i + 1]);
      }
      REQUIRE(uid != 0);
      if (flags) messages[uid] = *flags;
    }
  }
  void visit(Stage& stage) {
    Client client(stage);
    client.log_in();
    CHECK(client.ask("ENABLE QRESYNC").find("* ENABLED QRESYNC\r\n") != std::string::npos);
    const auto since = modseq.empty() ? "" : " (QRESYNC (" + uidvalidity + " " + modseq + "))";
    const auto selected = client.ask("SELECT INBOX" + since);
    take(selected);
    if (modseq.empty()) take(client.ask("UID FETCH 1:* (FLAGS)"));
    uidvalidity = code_value(selected, "UIDVALIDITY");
    modseq = code_value(selected, "HIGHESTMODSEQ");
    Absent fresh;
    fresh.take(client.ask("UID FETCH 1:* (FLAGS)"));
    CHECK(messages == fresh.messages);
  }
};

TEST_RFC("7162 §3.2.5", "a client that comes back and asks for what it missed knows all") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Stage stage(seed);
    sim::Random chance(seed);
    Session actor(stage, false);
    Absent absent;
    for (int step = 0; step < 80; ++step) {
      const auto command = random_command(chance, actor);
      actor.replay(actor.client.ask(command.text), command.may_expunge);
      if (chance.between(0, 9) == 0) absent.visit(stage);
    }
    absent.visit(stage);
  }
}

TEST_RFC("9051 §5.5", "sessions that do random things at once all see what a new session sees") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) play(seed);
}

}  // namespace
}  // namespace facteur::server::stage
