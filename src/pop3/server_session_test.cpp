#include "pop3/server_session.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "rfc_test.hpp"

namespace facteur::pop3 {
namespace {

struct TestMessage {
  std::string prefix;
  std::string content;
  std::uint64_t id;
};

class TestMaildrop : public Maildrop {
 public:
  explicit TestMaildrop(const std::vector<TestMessage>& messages) : messages_(messages) {}
  std::size_t count() const override { return messages_.size(); }
  std::uint64_t octets() const override {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < count(); ++i) sum += size(i);
    return sum;
  }
  std::uint64_t size(std::size_t i) const override { return messages_[i].prefix.size() + messages_[i].content.size(); }
  std::uint64_t unique(std::size_t i) const override { return messages_[i].id; }

 private:
  const std::vector<TestMessage>& messages_;
};

// A driver with one user (marie / a b c), that keeps what was said.
struct Driver {
  std::vector<TestMessage> messages = {
      {"Return-Path: <a@b>\r\n", "Subject: 1\r\n\r\nline 1\r\n.dot\r\n..two\r\nend\r\n", 1},
      {"", "Subject: 2\r\n\r\n.\r\n", 33},
      {"", "Subject: 3\nno line end", 1 << 20}};
  ServerParameters parameters = [] {
    ServerParameters p;
    p.hostname = "pop.example.org";
    p.plaintext_login = true;
    p.nonce_seed = "0123456789abcdef";
    return p;
  }();
  std::string said;
  std::string log;  // What was asked and ordered, but Send.
  int sends = 0;
  bool in_use = false;
  bool update_fails = false;
  bool temporary = false;
  Instant now{0};
  std::unique_ptr<ServerSession> session;

  void act(const Authenticate& q) {
    log += "login " + q.credentials.login + ";";
    if (temporary) return session->login_refused(true);
    const bool good = q.credentials.login == "marie" && q.credentials.password == "a b c";
    good ? session->logged_in() : session->login_refused(false);
  }
  void act(const FetchVerifier& q) {
    session->verifier(sasl::make_scram_verifier(q.mechanism, "pencil", "salt-of-16-octets", 4096));
  }
  void act(const CheckApop& q) {
    log += "apop " + q.login + " " + q.challenge + " " + q.digest + ";";
    q.digest.starts_with("c4c9") ? session->logged_in() : session->login_refused(false);
  }
  void act(const OpenMaildrop&) {
    if (in_use) return session->open_refused("IN-USE");
    session->opened(std::make_shared<TestMaildrop>(messages));
  }
  void act(const FetchMessage& q) {
    if (messages[q.index].content == "gone") return session->message_missing(false);
    const Bytes content = messages[q.index].content;
    session->message(
        {messages[q.index].prefix, content.substr(0, content.size() / 2), content.substr(content.size() / 2)});
  }
  void act(const Update& q) {
    for (const auto i : *q.deleted) log += "delete " + std::to_string(i) + ";";
    for (const auto i : *q.retrieved) log += "seen " + std::to_string(i) + ";";
    session->updated(!update_fails);
  }
  void act(const Send& send) {
    CHECK(send.pieces.size() <= 800);
    ++sends;
    for (const Bytes piece : send.pieces) said += piece;
    session->sent(now);
  }
  void act(const ForgetMessage&) {}
  void act(const StartTls&) {
    log += "tls;";
    session->tls_started(now);
  }
  void act(const Close&) { log += "close;"; }

  void start() { session = std::make_unique<ServerSession>(parameters, now), run(); }
  void run() {
    while (auto action = session->next()) std::visit([&](const auto& a) { act(a); }, *action);
  }
  // Gives octets in portions of `cut`; what was said meanwhile.
  std::string give(std::string_view octets, std::size_t cut = SIZE_MAX) {
    if (!session) start();
    said.clear();
    while (!octets.empty() && !session->closed()) {
      const Room room = session->room();
      const std::size_t count = std::min({room.size(), octets.size(), cut});
      std::copy_n(octets.data(), count, room.data());
      octets.remove_prefix(count);
      session->received(count, now);
      run();
    }
    return said;
  }
  void login() { give("USER marie\r\nPASS a b c\r\n"); }
};

TEST_RFC("1939 §4", "greeting, USER and PASS, blanks in the password") {
  Driver d;
  d.start();
  CHECK(d.said == "+OK pop.example.org POP3 ready\r\n");
  CHECK(d.give("STAT\r\n") == "-ERR not in this state\r\n");
  CHECK(d.give("PASS x\r\n") == "-ERR USER first\r\n");
  CHECK(d.give("USER marie\r\nPASS wrong\r\n") == "+OK now the password\r\n-ERR [AUTH] wrong login or password\r\n");
  CHECK(d.give("user marie\r\npass a b c\r\n") == "+OK now the password\r\n+OK 3 messages (99 octets)\r\n");
  CHECK(d.give("USER marie\r\n") == "-ERR not in this state\r\n");
  CHECK(d.session->authenticated());
}

TEST_RFC("1939 §5", "STAT, LIST and exact octet counts, deleted messages do not count") {
  Driver d;
  d.login();
  CHECK(d.give("STAT\r\n") == "+OK 3 99\r\n");
  CHECK(d.give("LIST\r\n") == "+OK 3 messages (99 octets)\r\n1 60\r\n2 17\r\n3 22\r\n.\r\n");
  CHECK(d.give("LIST 2\r\n") == "+OK 2 17\r\n");
  CHECK(d.give("DELE 1\r\nSTAT\r\nLIST\r\n") ==
        "+OK message 1 deleted\r\n+OK 2 39\r\n+OK 2 messages (39 octets)\r\n2 17\r\n3 22\r\n.\r\n");
  CHECK(d.give("LIST 1\r\nRETR 1\r\nDELE 1\r\n") ==
        "-ERR message 1 is deleted already\r\n-ERR message 1 is deleted already\r\n"
        "-ERR message 1 is deleted already\r\n");
  CHECK(d.give("RSET\r\nSTAT\r\n") == "+OK 3 messages (99 octets)\r\n+OK 3 99\r\n");
  for (const auto* number :
       {"LIST 0\r\n", "LIST 4\r\n", "LIST x\r\n", "DELE -1\r\n", "RETR\r\n", "RETR 99999999999999999999\r\n"}) {
    CHECK(d.give(number) == "-ERR no such message\r\n");
    CHECK(d.give("NOOP\r\n") == "+OK nothing done\r\n");
  }
}

TEST_RFC("1939 §3", "RETR stuffs dots and ends with a dot on its own line") {
  Driver d;
  d.login();
  CHECK(d.give("RETR 1\r\n") ==
        "+OK 60 octets\r\nReturn-Path: <a@b>\r\nSubject: 1\r\n\r\nline 1\r\n..dot\r\n...two\r\nend\r\n.\r\n");
  CHECK(d.give("RETR 2\r\n") == "+OK 17 octets\r\nSubject: 2\r\n\r\n..\r\n.\r\n");
  CHECK(d.give("RETR 3\r\n") == "+OK 22 octets\r\nSubject: 3\nno line end\r\n.\r\n");
  d.messages[1].content.clear();
  CHECK(d.give("RETR 2\r\n") == "+OK 0 octets\r\n.\r\n");
  d.messages[1].content = "gone";
  CHECK(d.give("RETR 2\r\n") == "-ERR [SYS/PERM] the message is gone\r\n");
}

TEST_RFC("1939 §7", "TOP, UIDL, and LAST of RFC 1460") {
  Driver d;
  d.login();
  CHECK(d.give("TOP 1 0\r\n") == "+OK header and lines follow\r\nReturn-Path: <a@b>\r\nSubject: 1\r\n\r\n.\r\n");
  CHECK(d.give("TOP 1 2\r\n").ends_with("\r\n\r\nline 1\r\n..dot\r\n.\r\n"));
  CHECK(d.give("TOP 1 99\r\n").ends_with("...two\r\nend\r\n.\r\n"));
  CHECK(d.give("TOP 1\r\n") == "-ERR wrong arguments\r\n");
  CHECK(d.give("TOP 3 5\r\n") == "+OK header and lines follow\r\nSubject: 3\nno line end\r\n.\r\n");
  CHECK(d.give("UIDL\r\n") == "+OK unique ids\r\n1 b\r\n2 bb\r\n3 baaaa\r\n.\r\n");
  CHECK(d.give("UIDL 2\r\n") == "+OK 2 bb\r\n");
  CHECK(d.give("LAST\r\nRETR 2\r\nLAST\r\nRETR 1\r\nLAST\r\n").find("+OK 0\r\n+OK 17 octets") == 0);
  CHECK(d.give("LAST\r\nRSET\r\nLAST\r\n") == "+OK 2\r\n+OK 3 messages (99 octets)\r\n+OK 0\r\n");
}

TEST_RFC("1939 §6", "only QUIT removes, a lost connection does not") {
  Driver d;
  d.login();
  CHECK(d.give("RETR 1\r\nRETR 3\r\nDELE 3\r\nDELE 2\r\nQUIT\r\n").ends_with("+OK bye, deleted messages are gone\r\n"));
  CHECK(d.log == "login marie;delete 1;delete 2;seen 0;close;");
  CHECK(d.session->closed());
  Driver lost;
  lost.login();
  lost.give("DELE 1\r\n");
  lost.session->ended();
  lost.run();
  CHECK(lost.log == "login marie;");
  Driver fails;
  fails.update_fails = true;
  fails.login();
  CHECK(fails.give("DELE 1\r\nQUIT\r\nNOOP\r\n").ends_with("-ERR [SYS/TEMP] some messages could not be deleted\r\n"));
  CHECK(fails.session->closed());
  Driver early;
  CHECK(early.give("QUIT\r\n") == "+OK bye\r\n");
  CHECK(early.log == "close;");
}

TEST_RFC("1939 §3", "after ten minutes of silence the session closes without a word") {
  Driver d;
  d.login();
  d.give("DELE 1\r\n");
  CHECK(d.session->deadline() == Instant{0} + 10min);
  d.said.clear();
  d.session->expired(d.session->deadline());
  d.run();
  CHECK(d.session->closed());
  CHECK(d.said.empty());
  CHECK(d.log.find("delete") == std::string::npos);
}

TEST_RFC("2449 §5", "CAPA says what there is, in each state") {
  Driver d;
  CHECK(d.give("CAPA\r\n") ==
        "+OK what this server can do\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
        "USER\r\nSASL PLAIN\r\nEXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\n.\r\n");
  d.login();
  CHECK(d.give("CAPA\r\n").ends_with("IMPLEMENTATION Facteur\r\n.\r\n"));
}

TEST_RFC("2595 §4", "no password in the clear, STLS, and what was pipelined behind it is forgotten") {
  Driver d;
  d.parameters.plaintext_login = false;
  d.parameters.stls = true;
  d.parameters.login_delay_seconds = 60;
  CHECK(d.give("USER marie\r\n") == "-ERR use TLS first (STLS)\r\n");
  CHECK(d.give("AUTH PLAIN\r\n") == "-ERR use TLS first (STLS)\r\n");
  const auto capa = d.give("CAPA\r\n");
  CHECK(capa.find("USER\r\nSASL") == std::string::npos);
  CHECK(capa.find("STLS\r\nEXPIRE NEVER\r\nLOGIN-DELAY 60\r\n") != std::string::npos);
  CHECK(d.give("STLS\r\nUSER evil\r\n") == "+OK begin TLS\r\n");
  CHECK(d.log == "tls;");
  CHECK(d.give("PASS x\r\n") == "-ERR USER first\r\n");
  CHECK(d.give("STLS\r\n") == "-ERR TLS is in use already\r\n");
  CHECK(d.give("CAPA\r\n").find("STLS") == std::string::npos);
  d.login();
  CHECK(d.session->authenticated());
  Driver none;
  CHECK(none.give("STLS\r\n") == "-ERR no TLS here\r\n");
}

TEST_RFC("8314 §4.1", "no login in the clear, whatever the mechanism shows of the password") {
  Driver d;
  d.parameters.plaintext_login = false;
  d.parameters.stls = true;
  d.parameters.mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::scram_sha_256, sasl::Mechanism::cram_md5};
  d.parameters.apop_challenge = "<1@pop.example.org>";
  for (const auto* line :
       {"AUTH\r\n", "AUTH SCRAM-SHA-256\r\n", "AUTH CRAM-MD5\r\n", "AUTH SCRAM-SHA-256 biwsbj1tYXJpZSxyPXg=\r\n",
        "AUTH WHAT\r\n", "APOP marie c4c9334bac560ecc979e58001b3e22fb\r\n"}) {
    CHECK(d.give(line) == "-ERR use TLS first (STLS)\r\n");
  }
  CHECK_FALSE(d.give("CAPA\r\n").contains("SASL"));
  CHECK(d.give("STLS\r\n").starts_with("+OK"));
  CHECK(d.give("CAPA\r\n").contains("SASL PLAIN SCRAM-SHA-256 CRAM-MD5\r\n"));
  CHECK(d.give("AUTH SCRAM-SHA-256\r\n") == "+ \r\n");
  CHECK(d.log == "tls;");
}

TEST_RFC("1939 §3", "what is not quite a command is not obeyed") {
  for (const std::string line : {"QUIT now",
                                 "CAPA x",
                                 "STLS x",
                                 "UTF8 USER",
                                 "USER a b",
                                 "USER  a  b ",
                                 "USER a\tb",
                                 "USER",
                                 "USER ",
                                 "NOOP\t",
                                 "USER a\x7f",
                                 "APOP a b c4c9334bac560ecc979e58001b3e22fb",
                                 "AUTH PLAIN AG1hcmllAGEgYiBj x",
                                 "AUTH PLAIN\t",
                                 "LANG fr en",
                                 " QUIT",
                                 "QUIT\r",
                                 "\tQUIT",
                                 "QUIT,",
                                 "USER\tmarie"}) {
    CAPTURE(line);
    Driver d;
    d.parameters.stls = true;
    d.parameters.apop_challenge = "<1@pop.example.org>";
    CHECK(d.give(line + "\r\n").starts_with("-ERR"));
    CHECK_FALSE(d.session->closed());
    CHECK(d.log.empty());
  }
  for (const std::string line :
       {"QUIT now", "STAT x", "NOOP x", "RSET 1", "LAST 1", "LIST 1 2", "UIDL 1 2", "RETR 1 2", "RETR 1,2", "DELE 1 2",
        "DELE 1 ;", "TOP 1", "TOP 1 0 0", "TOP 1 0x", "RETR\t1", "CAPA x", "STAT\x01"}) {
    CAPTURE(line);
    Driver d;
    d.login();
    d.log.clear();
    CHECK(d.give(line + "\r\n").starts_with("-ERR"));
    CHECK(d.give("STAT\r\n") == "+OK 3 99\r\n");
    CHECK(d.log.empty());
  }
  // Blanks at the end hurt nobody, and a password may have any octet but NUL.
  Driver d;
  CHECK(d.give("USER marie \r\nPASS a\tb\r\n").ends_with("-ERR [AUTH] wrong login or password\r\n"));
  CHECK(d.log == "login marie;");
  CHECK(d.give("USER marie\r\n" + std::string("PASS a b c\0\r\n", 13)).ends_with("-ERR wrong arguments\r\n"));
  CHECK(d.log == "login marie;");
  CHECK(d.give("QUIT \r\n") == "+OK bye\r\n");
}

TEST_RFC("5034 §4", "AUTH with and without initial response, cancelled, damaged") {
  const std::string plain = to_base64(std::string("\0marie\0a b c", 12));
  Driver d;
  CHECK(d.give("AUTH\r\n") == "+OK mechanisms\r\nPLAIN\r\n.\r\n");
  CHECK(d.give("AUTH PLAIN\r\n") == "+ \r\n");
  CHECK(d.give("*\r\n") == "-ERR cancelled\r\n");
  CHECK(d.give("AUTH PLAIN !\r\n") == "-ERR not base64\r\n");
  CHECK(d.give("AUTH CRAM-MD5\r\n") == "-ERR no such mechanism\r\n");
  CHECK(d.give("AUTH PLAIN " + to_base64(std::string("\0marie\0no", 9)) + "\r\n") ==
        "-ERR [AUTH] wrong login or password\r\n");
  CHECK(d.give("AUTH PLAIN " + plain + "\r\n") == "+OK 3 messages (99 octets)\r\n");
  Driver two;
  CHECK(two.give("AUTH plain\r\n" + plain + "\r\n") == "+ \r\n+OK 3 messages (99 octets)\r\n");
}

TEST_RFC("1939 §7", "APOP only where the greeting has a challenge") {
  Driver d;
  CHECK(d.give("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n") == "-ERR unknown command\r\n");
  Driver a;
  a.parameters.apop_challenge = "<1896.697170952@dbc.mtview.ca.us>";
  a.start();
  CHECK(a.said == "+OK pop.example.org POP3 ready <1896.697170952@dbc.mtview.ca.us>\r\n");
  CHECK(a.give("APOP mrose short\r\n") == "-ERR wrong arguments\r\n");
  CHECK(a.give("APOP mrose 00c9334bac560ecc979e58001b3e22fb\r\n") == "-ERR [AUTH] wrong login or password\r\n");
  CHECK(a.give("APOP mrose C4C9334BAC560ECC979E58001B3E22FB\r\n") == "+OK 3 messages (99 octets)\r\n");
  CHECK(a.log.ends_with("apop mrose <1896.697170952@dbc.mtview.ca.us> c4c9334bac560ecc979e58001b3e22fb;"));
}

TEST_RFC("2449 §8.1.2",
         "[IN-USE] when another session has the mailbox, [SYS/TEMP] of RFC 3206 when it cannot be told") {
  Driver d;
  d.in_use = true;
  CHECK(d.give("USER marie\r\nPASS a b c\r\n")
            .ends_with("-ERR [IN-USE] the mailbox is in use by another POP3 session\r\n"));
  CHECK_FALSE(d.session->authenticated());
  d.in_use = false;
  d.temporary = true;
  CHECK(d.give("USER marie\r\nPASS a b c\r\n").ends_with("-ERR [SYS/TEMP] try again later\r\n"));
  d.temporary = false;
  d.login();
  CHECK(d.session->authenticated());
}

TEST_RFC("6856 §3", "UTF8 and LANG") {
  Driver d;
  CHECK(d.give("UTF8\r\n") == "+OK UTF-8 from now on\r\n");
  CHECK(d.give("LANG\r\n") == "+OK languages\r\nen English\r\nfr Français\r\n.\r\n");
  CHECK(d.give("LANG fr-CA\r\n") == "+OK fr textes en français\r\n");
  CHECK(d.give("XYZ\r\n") == "-ERR commande inconnue\r\n");
  CHECK(d.give("LANG de\r\n") == "-ERR langue inconnue\r\n");
  CHECK(d.give("LANG *\r\n") == "+OK en texts in English\r\n");
}

TEST_CASE("guessing, garbage and long lines end the session") {
  Driver guess;
  for (int i = 0; i < 4; ++i) guess.give("USER marie\r\nPASS x\r\n");
  CHECK_FALSE(guess.session->closed());
  guess.give("USER marie\r\nPASS x\r\n");
  CHECK(guess.session->closed());
  Driver http;
  http.give("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\n\r\n");
  CHECK(http.session->closed());
  Driver d;
  CHECK(d.give("USER " + std::string(10'000, 'x') + "\r\nCAPA\r\n").starts_with("-ERR line too long\r\n+OK what"));
  CHECK(d.give("USER " + std::string(300, 'x') + "\r\n") == "-ERR wrong arguments\r\n");
}

TEST_CASE("the server stops between two commands, not within one") {
  Driver d;
  d.login();
  d.session->drain();
  CHECK(d.give("RETR 2\r\n").ends_with("-ERR [SYS/TEMP] closing this connection: come again later\r\n"));
  CHECK(d.session->closed());
}

TEST_RFC("2449 §6.6", "pipelined commands give the same replies however the octets are cut") {
  const std::string script =
      "CAPA\r\nUSER marie\r\nPASS a b c\r\nSTAT\r\nLIST\nUIDL\r\nRETR 1\r\nTOP 1 1\r\nRETR 2\r\nDELE 2\r\nLANG fr\r\n" +
      std::string(5'000, 'y') + "\r\nSTAT\r\nRETR 3\r\nQUIT\r\n";
  Driver whole;
  const std::string expected = whole.give(script);
  for (const std::size_t cut : {1u, 2u, 3u, 5u, 7u, 64u, 4093u, 4094u, 4095u, 4096u}) {
    Driver d;
    CHECK(d.give(script, cut) == expected);
    CHECK(d.log == whole.log);
  }
}

TEST_RFC("2449 §6.6", "short messages asked for in one go are sent in one go") {
  Driver d;
  d.login();
  d.sends = 0;
  const std::string both = d.give("RETR 2\r\nRETR 3\r\nNOOP\r\nRETR 2\r\n");
  CHECK(d.sends == 1);
  CHECK(both == d.give("RETR 2\r\n") + d.give("RETR 3\r\n") + d.give("NOOP\r\n") + d.give("RETR 2\r\n"));
  d.messages[0].content.assign(200'000, 'x');
  d.sends = 0;
  d.give("RETR 1\r\nRETR 1\r\nRETR 1\r\n");
  CHECK(d.sends == 3);
}

TEST_CASE("large messages and listings are sent in portions, and no memory is held when idle") {
  Driver d;
  std::string dots;
  for (int i = 0; i < 100'000; ++i) dots += ".\r\n";
  d.messages[0] = {"", dots, 1};
  d.messages[1] = {"", std::string(3'000'000, 'x'), 2};
  for (std::uint64_t i = 0; i < 20'000; ++i) d.messages.push_back({"", "a\r\n", i + 10});
  d.login();
  std::string expected;
  for (int i = 0; i < 100'000; ++i) expected += "..\r\n";
  CHECK(d.give("RETR 1\r\n") == "+OK 300000 octets\r\n" + expected + ".\r\n");
  CHECK(d.give("RETR 2\r\n") == "+OK 3000000 octets\r\n" + d.messages[1].content + "\r\n.\r\n");
  const std::string list = d.give("LIST\r\n");
  CHECK(std::ranges::count(list, '\n') == 20'005);
}

}  // namespace
}  // namespace facteur::pop3
