#include "imap/server_session.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "rfc_test.hpp"

namespace facteur::imap {
namespace {

constexpr Instant start{1'000'000'000};

// Plays a driver with canned answers; collects what goes to the client and what was asked, in one transcript.
struct Play {
  ServerSession session;
  std::string wire;              // What the client got.
  std::vector<std::string> log;  // What the driver was asked.
  std::string appended;
  bool refuse_append = false;
  bool news_on_announce = false;
  Instant now = start;

  explicit Play(ServerParameters parameters = plain()) : session(std::move(parameters), start) { run(); }

  static ServerParameters plain() {
    ServerParameters p;
    p.hostname = "mx.example.org";
    p.plaintext_login = true;
    p.nonce_seed = "0123456789abcdef";
    return p;
  }

  void on(const Execute& execute) {
    const auto& body = execute.command->body;
    log.push_back("execute " + std::to_string(body.index()));
    Outcome outcome{Outcome::Word::ok, {}, "Done", Outcome::Move::stay};
    if (std::holds_alternative<SelectCommand>(body)) outcome.move = Outcome::Move::select;
    if (std::holds_alternative<CloseCommand>(body)) outcome.move = Outcome::Move::unselect;
    if (const auto* append = std::get_if<AppendCommand>(&body)) log.back() += " " + append->mailbox + " " + appended;
    session.executed(outcome);
  }
  void on(const FetchVerifier&) { session.verifier(std::nullopt); }
  void on(const Authenticate& ask) {
    log.push_back("login " + ask.credentials.login);
    if (ask.credentials.password == "secret") {
      session.logged_in();
    } else {
      session.login_refused(false, "no");
    }
  }
  void on(const BeginAppend& begin) {
    log.push_back("begin " + begin.parameters.mailbox + " " + std::to_string(begin.parameters.size));
    if (begin.first) appended.clear();
    if (refuse_append) {
      session.append_refused("TRYCREATE", "No such mailbox");
    } else {
      session.append_accepted();
    }
  }
  void on(const AppendContent& content) {
    appended += content.content;
    session.content_taken();
  }
  void on(const Announce&) {
    if (news_on_announce) session.responses().raw("* 1 EXISTS\r\n");
    session.announced();
  }
  void on(const Send&) {
    for (const auto piece : session.responses().pieces()) wire += piece;
    session.sent();
  }
  void on(const StartTls&) {
    log.emplace_back("tls");
    session.tls_started(now);
  }
  void on(const AbandonAppend&) { log.emplace_back("abandon"); }
  void on(const Close&) { log.emplace_back("close"); }

  void run() {
    while (auto action = session.next()) {
      std::visit([this](const auto& what) { on(what); }, *action);
    }
  }
  void put(Bytes octets) {
    while (!octets.empty() && !session.closed()) {
      const auto room = session.room();
      const auto count = std::min(room.size(), octets.size());
      std::ranges::copy(octets.substr(0, count), room.begin());
      octets.remove_prefix(count);
      session.received(count, now);
      run();
    }
  }
  std::string say(Bytes octets) {
    wire.clear();
    put(octets);
    return wire;
  }
};

TEST_RFC("9051 §7.1.4", "the greeting names the capabilities") {
  Play play;
  CHECK(play.wire.starts_with("* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL- "));
  CHECK(play.wire.ends_with("] mx.example.org ready\r\n"));
}

TEST_RFC("9051 §6.2.3", "LOGIN and its refusal") {
  Play play;
  CHECK(play.say("a LOGIN anne wrong\r\n") == "a NO [AUTHENTICATIONFAILED] Wrong login or password\r\n");
  CHECK(play.say("b LOGIN anne \"secret\"\r\n").starts_with("b OK [CAPABILITY IMAP4rev1 "));
  CHECK(play.session.authenticated());
  CHECK(play.say("c LOGIN anne secret\r\n").starts_with("c BAD "));
}

TEST_RFC("3501 §6.2.3", "no password over plaintext") {
  auto parameters = Play::plain();
  parameters.plaintext_login = false;
  parameters.starttls = true;
  Play play(parameters);
  CHECK(play.wire.find("LOGINDISABLED") != std::string::npos);
  CHECK(play.wire.find("AUTH=PLAIN") == std::string::npos);
  CHECK(play.say("a LOGIN anne secret\r\n").starts_with("a NO [PRIVACYREQUIRED] "));
  CHECK(play.say("a AUTHENTICATE PLAIN AGFubmUAc2VjcmV0\r\n").starts_with("a NO [PRIVACYREQUIRED] "));
  CHECK(play.log.empty());
  CHECK(play.say("b STARTTLS\r\n") == "b OK Begin TLS now\r\n");
  CHECK(play.log == std::vector<std::string>{"tls"});
  CHECK(play.say("c LOGIN anne secret\r\n").starts_with("c OK "));
}

TEST_RFC("8314 §4.1", "no login in the clear, whatever the mechanism shows of the password") {
  auto parameters = Play::plain();
  parameters.plaintext_login = false;
  parameters.starttls = true;
  parameters.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::scram_sha_256, sasl::Mechanism::cram_md5};
  Play play(parameters);
  CHECK_FALSE(play.wire.contains("AUTH="));
  for (const auto* mechanism : {"SCRAM-SHA-256", "CRAM-MD5", "SCRAM-SHA-256 biwsbj1hbm5lLHI9eA==", "WHAT"}) {
    CHECK(play.say(std::string("a AUTHENTICATE ") + mechanism + "\r\n").starts_with("a NO [PRIVACYREQUIRED] "));
  }
  CHECK(play.log.empty());
  play.say("b STARTTLS\r\n");
  CHECK(play.say("c CAPABILITY\r\n").contains(" AUTH=PLAIN AUTH=SCRAM-SHA-256 AUTH=CRAM-MD5"));
  CHECK(play.say("d AUTHENTICATE SCRAM-SHA-256\r\n") == "+ \r\n");
}

TEST_RFC("9051 §6.2.1", "octets behind STARTTLS are never looked at (CVE-2011-0411)") {
  auto parameters = Play::plain();
  parameters.starttls = true;
  Play play(parameters);
  CHECK(play.say("a STARTTLS\r\nb LOGIN anne secret\r\n").starts_with("a BAD "));
  CHECK(play.log == std::vector<std::string>{"close"});
}

TEST_RFC("4959 §3", "AUTHENTICATE PLAIN with and without initial response, and cancelled") {
  Play play;
  CHECK(play.say("a AUTHENTICATE PLAIN\r\n") == "+ \r\n");
  CHECK(play.say("*\r\n").starts_with("a BAD "));
  CHECK(play.say("b AUTHENTICATE PLAIN\r\n") == "+ \r\n");
  CHECK(play.say("AGFubmUAc2VjcmV0\r\n").starts_with("b OK [CAPABILITY "));
  Play other;
  CHECK(other.say("c AUTHENTICATE PLAIN AGFubmUAc2VjcmV0\r\n").starts_with("c OK [CAPABILITY "));
  Play unknown;
  CHECK(unknown.say("d AUTHENTICATE GSSAPI\r\n").starts_with("d NO "));
}

TEST_RFC("9051 §4.3", "synchronizing and other literals in a command") {
  Play play;
  CHECK(play.say("a LOGIN {4}\r\n") == "+ Go on\r\n");
  CHECK(play.say("anne {6+}\r\nsecret\r\n").starts_with("a OK "));
  CHECK(play.log == std::vector<std::string>{"login anne"});
}

TEST_RFC("7888 §4", "literals over the limit end the connection or are refused before they are sent") {
  Play before;
  CHECK(before.say("a LOGIN {4294967295+}\r\n").starts_with("* BYE "));
  CHECK(before.session.closed());
  Play huge;
  CHECK(huge.say("a LOGIN {9999999999999999999999}\r\n").starts_with("a BAD "));
  Play after;
  after.say("a LOGIN anne secret\r\n");
  CHECK(after.say("b CREATE {70000}\r\n").starts_with("b NO [TOOBIG] "));
  CHECK(after.say("c CREATE {70000+}\r\n").empty());
  CHECK(after.say(std::string(70000, 'x') + " {3+}\r\nabc\r\n").starts_with("c NO [TOOBIG] "));
  CHECK(after.say("d NOOP\r\n") == "d OK Done\r\n");
}

TEST_RFC("9051 §6.3.12", "APPEND streams its literal") {
  Play play;
  play.say("a LOGIN anne secret\r\n");
  CHECK(play.say("b APPEND Sent (\\Seen) \" 1-Feb-2024 10:00:00 +0000\" {5}\r\n") == "+ Go on\r\n");
  CHECK(play.say("hel") == "");
  CHECK(play.say("lo\r\n") == "b OK Done\r\n");
  CHECK(play.log.back() == "execute 20 Sent hello");
  CHECK(play.say("c APPEND {4+}\r\nSent {3+}\r\nabc (\\Flagged) {2+}\r\nde\r\n") == "c OK Done\r\n");
  CHECK(play.log.back() == "execute 20 Sent abcde");
  CHECK(play.say("d APPEND Sent {3+}\r\nabc nonsense\r\n").starts_with("d BAD "));
  CHECK(play.log.back() == "abandon");
  play.refuse_append = true;
  CHECK(play.say("e APPEND Nowhere {3}\r\n") == "e NO [TRYCREATE] No such mailbox\r\n");
  CHECK(play.say("f APPEND Nowhere {3+}\r\nabc (\\Seen) {2+}\r\nde\r\n") == "f NO [TRYCREATE] No such mailbox\r\n");
  CHECK(play.say("g APPEND Sent {0}\r\n").starts_with("g NO "));
  CHECK(play.say("h APPEND Sent {99999999999}\r\n").starts_with("h NO [TOOBIG] "));
}

TEST_RFC("9051 §6.3.13", "IDLE announces, says it is here, and ends with DONE") {
  Play play;
  play.say("a LOGIN anne secret\r\n");
  play.say("b SELECT INBOX\r\n");
  CHECK(play.say("c IDLE\r\n") == "+ Idling\r\n");
  play.news_on_announce = true;
  play.wire.clear();
  play.session.news();
  play.run();
  CHECK(play.wire == "* 1 EXISTS\r\n");
  CHECK(play.session.deadline() == start + 2min);
  play.wire.clear();
  play.session.expired(start + 2min);
  play.run();
  CHECK(play.wire == "* OK Still here\r\n");
  CHECK(play.say("DONE\r\n") == "c OK IDLE completed\r\n");
  CHECK(play.session.deadline() == start + 30min);
}

TEST_RFC("9051 §5.4", "autologout") {
  Play play;
  CHECK(play.session.deadline() == start + 2min);
  play.wire.clear();
  play.session.expired(start + 2min);
  play.run();
  CHECK(play.wire.starts_with("* BYE "));
  CHECK(play.session.closed());
}

TEST_RFC("9051 §7.1.5", "drain says BYE between two commands") {
  Play play;
  play.say("a LOGIN anne secret\r\n");
  play.session.drain();
  play.wire.clear();
  play.run();
  CHECK(play.wire == "* BYE [UNAVAILABLE] Closing this connection: come again later\r\n");
}

TEST_RFC("9051 §2.2.1", "wrong commands get BAD, too many of them the door") {
  Play play;
  CHECK(play.say("GET / HTTP/1.1\r\n").starts_with("GET BAD "));
  CHECK(play.say("Host: x\r\n").starts_with("Host: BAD "));
  CHECK(play.say("x\r\n").ends_with("* BYE Too many errors\r\n"));
  CHECK(play.session.closed());
}

TEST_RFC("9051 §3", "commands in the wrong state") {
  Play play;
  CHECK(play.say("a SELECT INBOX\r\n").starts_with("a BAD "));
  play.say("b LOGIN anne secret\r\n");
  CHECK(play.say("c FETCH 1 FLAGS\r\n").starts_with("c BAD "));
  CHECK(play.say("d STARTTLS\r\n").starts_with("d BAD "));
  play.say("e SELECT INBOX\r\n");
  CHECK(play.say("f FETCH 1 FLAGS\r\n") == "f OK Done\r\n");
  CHECK(play.say("g CLOSE\r\n") == "g OK Done\r\n");
  CHECK(play.say("h FETCH 1 FLAGS\r\n").starts_with("h BAD "));
}

TEST_RFC("9051 §2.2", "NUL and endless lines") {
  Play play;
  play.say("a LOGIN anne secret\r\n");
  CHECK(play.say(Bytes("b NO\0OP\r\n", 9)).starts_with("b BAD "));
  CHECK(play.say("c " + std::string(70000, 'x')).starts_with("* BYE [TOOBIG] "));
}

constexpr Bytes dialogue =
    "a CAPABILITY\r\nb LOGIN {4+}\r\nanne {6}\r\nsecret\r\nc SELECT inbox\r\nd FETCH 1:* (FLAGS BODY.PEEK[HEADER])\r\n"
    "e APPEND {4+}\r\nSent (\\Seen) {11}\r\nhello world {3+}\r\nabc\r\nf BOGUS {3+}\r\nabc\r\ng IDLE\r\nDONE\r\n"
    "h CREATE {70000+}\r\n";
constexpr Bytes dialogue_end =
    " x\r\ni UID SEARCH TEXT {5}\r\nhello\r\nk CLOSE\r\nj ENABLE IMAP4rev2\r\nl AUTHENTICATE PLAIN\r\nm LOGOUT\r\n";

TEST_CASE("the same octets give the same output however they are cut") {
  const std::string all = std::string(dialogue) + std::string(70000, 'z') + std::string(dialogue_end);
  const auto play_in = [&all](std::size_t step, unsigned seed) {
    Play play;
    std::size_t at = 0;
    while (at < all.size()) {
      seed = seed * 1664525 + 1013904223;
      const auto count = std::min(all.size() - at, step == 0 ? 1 + (seed >> 16) % 97 : step);
      play.put(Bytes(all).substr(at, count));
      at += count;
    }
    std::string transcript = play.wire;
    for (const auto& line : play.log) transcript += line + "\n";
    return transcript;
  };
  const auto whole = play_in(all.size(), 0);
  CHECK(whole.find("* BYE Logging out\r\nm OK LOGOUT completed\r\n") != std::string::npos);
  CHECK(whole.find("h NO [TOOBIG] ") != std::string::npos);
  for (std::size_t step = 1; step < 40; ++step) CHECK(play_in(step, 0) == whole);
  for (unsigned seed = 1; seed < 40; ++seed) CHECK(play_in(0, seed) == whole);
}

TEST_CASE("a dialogue cut off anywhere ends well") {
  for (std::size_t length = 0; length < dialogue.size(); ++length) {
    Play play;
    play.put(dialogue.substr(0, length));
    play.session.ended();
    CHECK(play.session.closed());
    CHECK_FALSE(play.session.next());
  }
}

}  // namespace
}  // namespace facteur::imap
