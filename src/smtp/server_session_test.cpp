#include "smtp/server_session.hpp"

#include <random>

#include "base/base64.hpp"
#include "rfc_test.hpp"
#include "sasl/client.hpp"
#include "smtp/session_test.hpp"

namespace facteur::smtp {
namespace {

using test::TestServer;

}  // namespace

TEST_RFC("5321 §4.3.1", "the server greets; EHLO lists the extensions") {
  TestServer server(test::exchanger());
  CHECK(server.take() == "220 mx.example.org ESMTP Facteur\r\n");
  CHECK(server.say("EHLO client.example\r\n") ==
        "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
        "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n250-STARTTLS\r\n250 HELP\r\n");
  CHECK(server.say("HELO client.example\r\n") == "250 mx.example.org\r\n");
}

TEST_RFC("5321 §3.3", "a message from greeting to goodbye") {
  TestServer server(test::exchanger());
  server.take();
  CHECK(server.code("EHLO c\r\n") == "250");
  CHECK(server.say("MAIL FROM:<a@example.com>\r\n") == "250 2.1.0 Ok\r\n");
  CHECK(server.say("RCPT TO:<b@example.org>\r\n") == "250 2.1.5 Ok\r\n");
  CHECK(server.say("DATA\r\n") == "354 End with <CRLF>.<CRLF>\r\n");
  CHECK(server.say("Subject: x\r\n\r\n..dot\r\n.\r\n") == "250 2.0.0 Ok\r\n");
  CHECK(server.say("QUIT\r\n") == "221 2.0.0 Goodbye\r\n");
  CHECK(server.session.closed());
  CHECK(server.log == "EHLO c;MAIL a@example.com;RCPT b@example.org;ACCEPT;CLOSE;");
  CHECK(server.messages == std::vector<std::string>{"Subject: x\r\n\r\n.dot\r\n"});
}

TEST_RFC("5321 §4.1.1", "one command, one reply: syntax") {
  struct Case {
    const char* before;  // Commands that must succeed first.
    std::string command;
    const char* codes;
  };
  const char* hello = "EHLO c\r\n";
  const char* mail = "EHLO c\r\nMAIL FROM:<a@b.example>\r\n";
  using namespace std::string_literals;
  const std::vector<Case> cases{
      {"", "EHLO", "501"},
      {"", "EHLO ", "501"},
      {"", "EHLO a b", "501"},
      {"", "HELO", "501"},
      {"", "EHLO [192.0.2.1]", "250"},
      {"", "EHLO my_host", "250"},
      {"", "ehlo c", "250"},
      {"", "EHLO " + std::string(300, 'a'), "501"},
      {"", "LHLO c", "500"},
      {"", "NOOP", "250"},
      {"", "NOOP with words", "250"},
      {"", "RSET", "250"},
      {"", "RSET x", "501"},
      {"", "QUIT x", "501"},
      {"", "QUIT", "221"},
      {"", "HELP", "214"},
      {"", "HELP MAIL", "214"},
      {"", "HELP WHAT", "504"},
      {"", "VRFY", "501"},
      {"", "VRFY anne", "252"},
      {"", "EXPN list", "502"},
      {hello, "ETRN example.org", "502"},
      {"", "WHATISTHIS", "500"},
      {"", "", "500"},
      {"", "DATA", "503"},
      {"", "MAIL FROM:<a@b.example>", "503"},
      {"", "STARTTLS", "503"},
      {"", "NOOP\tx", "501"},
      {"", "EHLO a\0b"s, "501"},
      {"", "NOOP \x7f", "501"},
      {"", "\r", "501"},
      {hello, "AUTH PLAIN", "502"},
      {hello, "STARTTLS now", "501"},
      {hello, "RCPT TO:<a@b.example>", "503"},
      {hello, "DATA", "503"},
      {hello, "MAIL", "501"},
      {hello, "MAIL FROM:", "501"},
      {hello, "MAIL FROM:<>", "250"},
      {hello, "MAIL FROM: <>", "250"},
      {hello, "mail from:<A@B.example>", "250"},
      {hello, "MAIL FROM: a@b.example", "250"},
      {hello, "MAIL FROM:<a@b.example", "501"},
      {hello, "MAIL FROM:<a@b.example>x", "501"},
      {hello, "MAIL FROM:<(any@victim.example>", "501"},
      {hello, "MAIL FROM:<a>", "501"},
      {hello, "MAIL FROM:<a@b@c.example>", "501"},
      {hello, "MAIL FROM:<@relay.example:a@b.example>", "250"},
      {hello, "MAIL FROM:<postmaster>", "501"},
      {hello, "MAIL TO:<a@b.example>", "501"},
      {hello, "MAIL FROM:<a@b.example> SIZE=1000", "250"},
      {hello, "MAIL FROM:<a@b.example> size=1000 body=8bitmime", "250"},
      {hello, "MAIL FROM:<a@b.example> SIZE=52428801", "552"},
      {hello, "MAIL FROM:<a@b.example> SIZE=-1", "501"},
      {hello, "MAIL FROM:<a@b.example> SIZE=", "501"},
      {hello, "MAIL FROM:<a@b.example> SIZE=99999999999999999999", "552"},
      {hello, "MAIL FROM:<a@b.example> SIZE=999999999999999999999", "501"},
      {hello, "MAIL FROM:<a@b.example> SIZE=1 SIZE=1", "501"},
      {hello, "MAIL FROM:<a@b.example> BODY=BINARYMIME", "501"},
      {hello, "MAIL FROM:<a@b.example> BODY=7BIT BODY=7BIT", "501"},
      {hello, "MAIL FROM:<a@b.example> SMTPUTF8", "250"},
      {hello, "MAIL FROM:<a@b.example> SMTPUTF8=1", "501"},
      {hello, "MAIL FROM:<é@b.example>", "553"},
      {hello, "MAIL FROM:<é@b.example> SMTPUTF8", "250"},
      {hello, "MAIL FROM:<\xff@b.example> SMTPUTF8", "501"},
      {hello, "MAIL FROM:<a@b.example> TRANSID=yyyyy", "555"},
      {hello, "MAIL FROM:<a@b.example> =x", "501"},
      {hello, "MAIL FROM:<a@b.example> RET=HDRS ENVID=toto", "250"},
      {hello, "MAIL FROM:<a@b.example> RET=ALL", "501"},
      {hello, "MAIL FROM:<a@b.example> ENVID=a+0Ab", "501"},
      {hello, "MAIL FROM:<a@b.example> AUTH=<>", "250"},
      {hello, "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com", "250"},
      {mail, "MAIL FROM:<a@b.example>", "503"},
      {mail, "RCPT", "501"},
      {mail, "RCPT TO:", "501"},
      {mail, "RCPT TO:<>", "501"},
      {mail, "RCPT TO:<b@example.org>", "250"},
      {mail, "RCPT TO: b@example.org", "250"},
      {mail, "RCPT TO:<postmaster>", "250"},
      {mail, "RCPT TO:<Postmaster>", "250"},
      {mail, "RCPT TO:<unknown@example.org>", "550"},
      {mail, "RCPT TO:<b@example.org> NOTIFY=NEVER", "250"},
      {mail, "RCPT TO:<b@example.org> NOTIFY=SUCCESS,FAILURE,DELAY", "250"},
      {mail, "RCPT TO:<b@example.org> NOTIFY=NEVER,SUCCESS", "501"},
      {mail, "RCPT TO:<b@example.org> NOTIFY=SUCCESS,SUCCESS", "501"},
      {mail, "RCPT TO:<b@example.org> NOTIFY=", "501"},
      {mail, "RCPT TO:<b@example.org> NOTIFY=NEVER NOTIFY=NEVER", "501"},
      {mail, "RCPT TO:<b@example.org> ORCPT=rfc822;b+40example.org", "250"},
      {mail, "RCPT TO:<b@example.org> ORCPT=rfc822;a+0Ab", "501"},
      {mail, "RCPT TO:<b@example.org> ORCPT=rfc822", "501"},
      {mail, "RCPT TO:<b@example.org> SIZE=3", "555"},
      {mail, "RCPT TO:<é@example.org>", "553"},
      {mail, "DATA", "554"},
      {mail, "DATA now", "501"},
      {mail, "EHLO again", "250"},
      {mail, "BDAT", "501"},
      {mail, "BDAT x", "501"},
      {mail, "BDAT -1", "501"},
      {mail, "BDAT 5 FIRST", "501"},
      {mail, "BDAT 18446744073709551615", "552"},
      {mail, "BDAT 18446744073709551616", "501"},
      {mail, "BDAT 0 LAST", "554"},
  };
  for (const auto& [before, command, codes] : cases) {
    CAPTURE(command);
    TestServer server(test::exchanger());
    server.take();
    server.say(before);
    CHECK(server.code(command + "\r\n") == codes);
  }
}

TEST_RFC("5321 §4.1.4", "order of commands: EHLO and RSET forget the message, replies keep their order") {
  TestServer server(test::exchanger());
  server.take();
  test::envelope(server);
  CHECK(server.code("RSET\r\n") == "250");
  CHECK(server.code("RCPT TO:<b@example.org>\r\n") == "503");
  CHECK(server.log == "EHLO client.example;MAIL a@example.com;RCPT b@example.org;FORGET;");
  server.say("MAIL FROM:<a@example.com>\r\n");
  CHECK(server.code("EHLO other\r\n") == "250");
  CHECK(server.code("RCPT TO:<b@example.org>\r\n") == "503");
  // RFC 2920 §3.1: all of it in one packet.
  CHECK(server.code(
            "MAIL FROM:<a@x.example>\r\nRCPT TO:<unknown@y.example>\r\nRCPT TO:<b@y.example>\r\nNOOP\r\nDATA\r\n") ==
        "250 550 250 250 354");
  CHECK(server.code("x\r\n.\r\n") == "250");
  CHECK(server.code("DATA\r\n") == "503");
}

TEST_RFC("1985 §5.3", "ETRN and VRFY are asked of others where they are switched on, and have a limit") {
  auto parameters = test::exchanger();
  parameters.etrn = parameters.vrfy = true;
  TestServer server(parameters);
  server.override = [](const Question& q) -> std::optional<Reply> {
    if (std::holds_alternative<Verify>(q)) return Reply{250, "2.1.5", "<" + std::get<Verify>(q).name + "@example.org>"};
    if (std::holds_alternative<StartQueue>(q)) return Reply{253, "2.0.0", std::get<StartQueue>(q).node};
    return std::nullopt;
  };
  server.take();
  CHECK(server.code("ETRN example.org\r\n") == "503");
  CHECK(server.say("EHLO c\r\n").contains("250-ETRN\r\n"));
  CHECK(server.say("VRFY anne\r\n") == "250 2.1.5 <anne@example.org>\r\n");
  CHECK(server.code("ETRN\r\n") == "501");
  CHECK(server.code("ETRN a b\r\n") == "501");
  for (int i = 0; i < 10; ++i) CHECK(server.say("ETRN @example.org\r\n") == "253 2.0.0 @example.org\r\n");
  CHECK(server.code("ETRN example.org\r\n") == "458");
  server.say("MAIL FROM:<>\r\n");
  CHECK(server.code("ETRN example.org\r\n") == "503");
}

TEST_RFC("5321 §4.5.3.1.10", "too many recipients get 452; the others stay") {
  auto parameters = test::exchanger();
  parameters.recipients = 2;
  TestServer server(parameters);
  server.take();
  test::greet(server);
  CHECK(server.code("MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\n") ==
        "250 250 250 452");
  CHECK(server.code("DATA\r\n") == "354");
}

TEST_RFC("5321 §7.3", "who guesses addresses, and who makes too many mistakes, is cut off") {
  auto parameters = test::exchanger();
  parameters.recipients_refused = 10;
  TestServer server(parameters);
  server.take();
  test::greet(server);
  server.say("MAIL FROM:<>\r\n");
  std::string codes;
  for (int i = 0; i < 1000 && !server.session.closed(); ++i) codes = server.code("RCPT TO:<unknown@x.example>\r\n");
  CHECK(std::ranges::count(server.log, 'R') == 10 + 1);  // Ten RCPT, one FORGET.
  TestServer wrong(test::exchanger());
  wrong.take();
  for (int i = 0; i < 19; ++i) CHECK(wrong.code("XYZZY\r\n") == "500");
  CHECK(wrong.code("XYZZY\r\n") == "500 421");
  CHECK(wrong.say("NOOP\r\n").empty());
}

TEST_RFC("5321 §4.5.3.2", "each state has its deadline; slow octets do not move it") {
  TestServer server(test::exchanger());
  server.take();
  CHECK(server.session.deadline() == test::start + 5min);
  server.now = test::start + 60s;
  server.say("NOOP\r\n");
  CHECK(server.session.deadline() == test::start + 6min);
  server.now = test::start + 120s;
  server.say("NO");  // Half a command.
  CHECK(server.session.deadline() == test::start + 6min);
  server.session.expired(test::start + 6min);
  server.pump();
  CHECK(server.take() == "421 4.4.2 Nothing came for too long: closing\r\n");
  CHECK(server.session.closed());

  auto patient = test::exchanger();
  patient.least_rate = 0;
  TestServer slow(patient);
  test::envelope(slow);
  slow.say("DATA\r\n");
  // One octet each four minutes: each block has its time, all of them an hour.
  while (slow.session.deadline() > slow.now + 4min) {
    slow.now = slow.now + 4min;
    slow.say("x");
  }
  CHECK(slow.now - test::start >= 50min);
  CHECK(slow.now - test::start <= 60min);
  slow.session.expired(slow.session.deadline());
  slow.pump();
  CHECK(slow.log.ends_with("FORGET;CLOSE;"));
}

TEST_CASE("RELIABILITY R7: a message has to come at the least rate, by DATA and by BDAT") {
  struct Case {
    std::string_view begin;
    std::size_t octets;  // Each second.
    Duration ended_at;   // When the session gives up; an hour is the end of every message.
  };
  for (const auto& [begin, octets, ended_at] :
       {Case{"DATA\r\n", 1, 300s}, Case{"DATA\r\n", 250, 600s}, Case{"DATA\r\n", 501, 3600s},
        Case{"BDAT 10000000\r\n", 1, 300s}, Case{"BDAT 10000000\r\n", 250, 600s}}) {
    TestServer server(test::exchanger());
    test::envelope(server);
    server.say(begin);
    const std::string second(octets, 'x');
    while (server.session.deadline() > server.now + 1s) {
      server.now = server.now + 1s;
      server.say(second);
    }
    const auto lasted = server.session.deadline() - test::start;
    CHECK(lasted >= ended_at - 2s);
    CHECK(lasted <= ended_at + 2s);
  }
  // Pieces of BDAT count together, and the client's pauses between them too.
  TestServer pieces(test::exchanger());
  test::envelope(pieces);
  while (pieces.now < test::start + 298s) {
    pieces.now = pieces.now + 2s;
    CHECK(pieces.code("BDAT 1\r\nx") == "250");
  }
  pieces.say("BDAT 1000\r\n");
  CHECK(pieces.session.deadline() <= test::start + 302s);  // The first piece came after two seconds.
}

TEST_RFC("5321 §3.8", "a server that stops says 421, but finishes the message that is coming in") {
  TestServer idle(test::exchanger());
  idle.take();
  idle.session.drain();
  idle.pump();
  CHECK(TestServer::codes(idle.take()) == "421");

  TestServer busy(test::exchanger());
  test::envelope(busy);
  busy.say("DATA\r\n");
  busy.session.drain();
  busy.pump();
  CHECK(busy.take().empty());
  CHECK(busy.code("x\r\n.\r\n") == "250 421");
  CHECK(busy.messages.size() == 1);
}

TEST_RFC("5321 §3.1", "a client that may not come in hears so; one that speaks first is refused") {
  class Refusing {
   public:
    static Reply no() { return {554, "5.7.1", "Not you"}; }
  };
  ServerSession session(test::exchanger(), test::start);
  auto first = session.next();
  REQUIRE(first);
  CHECK(std::holds_alternative<AcceptClient>(std::get<Question>(*first)));
  session.answer(Refusing::no());
  auto second = session.next();
  CHECK(std::get<Send>(*second).replies == "554 5.7.1 Not you\r\n");

  auto parameters = test::exchanger();
  parameters.greet_delay = 2s;
  TestServer early(parameters);
  CHECK(early.take().empty());
  CHECK(early.code("EHLO c\r\n") == "554");
  TestServer patient(parameters);
  CHECK(patient.session.deadline() == test::start + 2s);
  patient.session.expired(test::start + 2s);
  patient.pump();
  CHECK(TestServer::codes(patient.take()) == "220");
  CHECK(patient.code("EHLO c\r\n") == "250");
}

TEST_RFC("5321 §4.5.3.1.4", "lines have a limit, floods an end, whatever the segments") {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
    TestServer server(test::exchanger(), {cut});
    server.take();
    CHECK(server.code("NOOP " + std::string(2041, 'x') + "\r\n") == "250");  // 2,048 octets with CRLF.
    CHECK(server.code("NOOP " + std::string(2042, 'x') + "\r\n") == "500");
    CHECK(server.code("NOOP " + std::string(40000, 'x') + "\r\nNOOP\r\n") == "500 250");
    CHECK(server.code(std::string(100000, 'x')) == "500");
    CHECK(server.say("\r\nNOOP\r\n").empty());
  }
}

TEST_RFC("5321 §2.3.8", "command lines end with CRLF only") {
  TestServer server(test::exchanger());
  server.take();
  CHECK(server.code("EHLO c\nMAIL FROM:<a@b.example>\r\n") == "500 503");
  CHECK(server.code("NOOP\rNOOP\r\n") == "501");
}

TEST_CASE("another protocol hears one error and is cut off, and nothing of it is done") {
  using namespace std::string_literals;
  for (const auto& text : {"GET /evil HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b.example>\r\n"s,
                           "POST / HTTP/1.1\r\n\r\nEHLO c\r\nMAIL FROM:<a@b.example>\r\n"s,
                           "CONNECT www.evil.com:80 HTTP/1.1\r\n"s, "a1 LOGIN user pass\r\nNOOP\r\n"s,
                           "a CAPABILITY\r\n"s, "Host: mx.example.org\r\n"s, "\x16\x03\x01\x02\x00\x01\x00"s}) {
    CAPTURE(text);
    TestServer server(test::exchanger());
    server.take();
    CHECK(server.code(text) == "554");
    CHECK(server.log.empty());
    server.session.expired(test::start + 10s);
    server.pump();
    CHECK(server.session.closed());
    CHECK(server.take().empty());
  }
}

TEST_RFC("3207 §4.2", "STARTTLS forgets everything, and what follows it in the clear ends the session") {
  TestServer server(test::exchanger());
  server.take();
  test::envelope(server);
  CHECK(server.code("STARTTLS\r\n") == "220");
  CHECK(server.log.ends_with("FORGET;TLS;"));
  CHECK(server.code("RCPT TO:<b@example.org>\r\n") == "503");
  CHECK(server.code("MAIL FROM:<a@example.com>\r\n") == "503");
  const auto hello = server.say("EHLO c\r\n");
  CHECK_FALSE(hello.contains("STARTTLS"));
  CHECK(server.code("STARTTLS\r\n") == "503");

  // CVE-2011-0411: no reply to MAIL, no TLS.
  TestServer injected(test::exchanger());
  injected.take();
  test::greet(injected);
  injected.log.clear();
  CHECK(injected.code("STARTTLS\r\nMAIL FROM:<x@example.com>\r\n") == "554");
  CHECK(injected.log.empty());
  CHECK(injected.say("RCPT TO:<x@example.com>\r\n").empty());
}

TEST_RFC("4954 §4", "AUTH PLAIN and LOGIN, with and without initial response; lecture 001 shows them") {
  TestServer plain(test::submission());
  plain.take();
  CHECK(plain.say("EHLO c\r\n").contains("250-AUTH PLAIN LOGIN SCRAM-SHA-256\r\n"));
  CHECK(plain.code("MAIL FROM:<a@example.org>\r\n") == "530");
  CHECK(plain.say("AUTH PLAIN\r\n") == "334 \r\n");
  CHECK(plain.say(to_base64(std::string("\0anne\0secret", 12)) + "\r\n") == "235 2.7.0 Authentication succeeded\r\n");
  CHECK(plain.code("AUTH PLAIN\r\n") == "503");
  CHECK(plain.code("MAIL FROM:<a@example.org>\r\n") == "250");
  CHECK(plain.log == "EHLO c;AUTH anne;MAIL a@example.org;");
  CHECK_FALSE(plain.session.transcript().contains("c2VjcmV0"));

  TestServer login(test::submission());
  login.take();
  test::greet(login);
  CHECK(login.say("AUTH LOGIN\r\n") == "334 VXNlcm5hbWU6\r\n");
  CHECK(login.say("Ym9iQG15ZG9tYWluLnRsZA==\r\n") == "334 UGFzc3dvcmQ6\r\n");
  CHECK(login.code("c2VjcmV0\r\n") == "235");
  CHECK(login.log == "EHLO client.example;AUTH bob@mydomain.tld;");

  TestServer initial(test::submission());
  initial.take();
  test::greet(initial);
  CHECK(initial.code("AUTH PLAIN " + to_base64(std::string("\0anne\0secret", 12)) + "\r\n") == "235");
}

TEST_RFC("4954 §4", "AUTH refuses what it must, and ends guessing") {
  TestServer server(test::submission());
  server.take();
  CHECK(server.code("AUTH PLAIN\r\n") == "503");
  CHECK(server.code("HELO c\r\nAUTH PLAIN\r\n") == "250 503");
  test::greet(server);
  CHECK(server.code("AUTH\r\n") == "501");
  CHECK(server.code("AUTH GSSAPI\r\n") == "504");
  CHECK(server.code("AUTH CRAM-MD5\r\n") == "504");  // Known, but not offered here.
  CHECK(server.code("AUTH PLAIN !!!\r\n") == "501");
  CHECK(server.code("AUTH PLAIN\r\n*\r\n") == "334 501");
  CHECK(server.code("AUTH PLAIN\r\nnot base64!\r\n") == "334 501");
  CHECK(server.code("AUTH PLAIN =\r\n") == "501");
  const auto wrong = "AUTH PLAIN " + to_base64(std::string("\0anne\0guess", 11)) + "\r\n";
  CHECK(server.code(wrong) == "535");
  CHECK(server.code(wrong) == "535");
  CHECK(server.code(wrong) == "535 421");
  CHECK(server.say(wrong).empty());

  TestServer clear(test::submission(false));
  clear.take();
  CHECK_FALSE(clear.say("EHLO c\r\n").contains("AUTH"));
  CHECK(clear.code("AUTH PLAIN " + to_base64(std::string("\0anne\0secret", 12)) + "\r\n") == "538");
  CHECK(clear.code("MAIL FROM:<a@example.org>\r\n") == "530");
  CHECK(clear.log == "EHLO c;");

  TestServer later(test::submission());
  later.override = [](const Question& q) -> std::optional<Reply> {
    if (std::holds_alternative<Authenticate>(q)) return Reply{454, "4.7.0", "Later"};
    return std::nullopt;
  };
  later.take();
  test::greet(later);
  CHECK(later.say(wrong) == "454 4.7.0 Later\r\n");
}

TEST_RFC("7677 §4", "AUTH SCRAM-SHA-256 with a real client") {
  for (const bool right : {true, false}) {
    TestServer server(test::submission());
    server.take();
    test::greet(server);
    sasl::ClientExchange client(
        sasl::Mechanism::scram_sha_256,
        {.login = "anne", .password = right ? "secret" : "guess", .authorization = "", .nonce = "abcdef"});
    auto reply = server.say("AUTH SCRAM-SHA-256 " + to_base64(*client.initial()) + "\r\n");
    REQUIRE(reply.starts_with("334 "));
    auto challenge = from_base64(reply.substr(4, reply.size() - 6)).value();
    reply = server.say(to_base64(client.answer(challenge).value()) + "\r\n");
    if (!right) {
      CHECK(TestServer::codes(reply) == "535");
      continue;
    }
    challenge = from_base64(reply.substr(4, reply.size() - 6)).value();
    CHECK(server.code(to_base64(client.answer(challenge).value()) + "\r\n") == "235");
    CHECK(client.complete());
  }
}

TEST_RFC("4954 §4", "an exchange line has at most 12,288 octets, whatever the segments") {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{1000}, std::size_t{1 << 20}}) {
    TestServer server(test::submission(), {cut});
    server.take();
    test::greet(server);
    CHECK(server.code("AUTH PLAIN " + std::string(20000, 'A') + "\r\n") == "500");
    CHECK(server.code("AUTH PLAIN\r\n") == "334");
    CHECK(server.code(std::string(20000, 'A') + "\r\n") == "500");
    CHECK(server.code("NOOP\r\n") == "250");
  }
}

TEST_RFC("2033 §4.2", "LMTP: LHLO, and one reply for each accepted recipient") {
  auto parameters = test::exchanger();
  parameters.lmtp = true;
  TestServer server(parameters);
  server.take();
  CHECK(server.code("EHLO c\r\n") == "500");
  CHECK(server.code("LHLO c\r\n") == "250");
  const std::string envelope =
      "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<unknown@x.example>\r\nRCPT "
      "TO:<c@x.example>\r\nDATA\r\n";
  CHECK(server.code(envelope) == "250 250 550 250 354");
  server.lmtp_replies = {Reply{250, "2.0.0", "b"}, Reply{452, "4.2.2", "c"}};
  CHECK(server.say("x\r\n.\r\n") == "250 2.0.0 b\r\n452 4.2.2 c\r\n");
  server.lmtp_replies.clear();
  CHECK(server.code(envelope) == "250 250 550 250 354");
  CHECK(server.code("x\r\n.\r\n") == "250 250");
  CHECK(server.code(envelope) == "250 250 550 250 354");
  CHECK(server.code("x\ny\r\n.\r\n") == "554 554");
}

TEST_RFC("1870 §6.3", "a message that is too large is refused at its end, and the session goes on") {
  auto parameters = test::exchanger();
  parameters.message_size = 1000;
  for (const std::size_t size : {std::size_t{998}, std::size_t{999}, std::size_t{1600}}) {
    TestServer server(parameters, {13});
    test::envelope(server);
    server.say("DATA\r\n");
    CHECK(server.code(std::string(size, 'x') + "\r\n.\r\n") == (size == 998 ? "250" : "552"));
    CHECK(server.messages.size() == (size == 998 ? 1 : 0));
    CHECK(server.code("NOOP\r\n") == "250");
    if (size != 998) CHECK(server.log.ends_with("FORGET;"));
  }
  // Who goes on and on is cut off.
  TestServer endless(parameters);
  test::envelope(endless);
  endless.say("DATA\r\n");
  std::string codes;
  for (int i = 0; i < 40 && codes.empty(); ++i) codes = endless.code(std::string(60000, 'x'));
  CHECK(codes == "552");
}

TEST_CASE("content that cannot be stored is refused at its end with the reason given") {
  TestServer server(test::exchanger());
  server.override = [](const Question& q) -> std::optional<Reply> {
    if (std::holds_alternative<AppendContent>(q)) return Reply{452, "4.3.1", "Disk full"};
    return std::nullopt;
  };
  test::envelope(server);
  server.say("DATA\r\n");
  CHECK(server.say("x\r\n").empty());
  CHECK(server.say("y\r\n.\r\n") == "452 4.3.1 Disk full\r\n");
  CHECK(server.messages.empty());
  CHECK(server.log.ends_with("FORGET;"));
}

TEST_RFC("3030 §2", "BDAT: chunks of exact length, with commands right behind them") {
  for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, std::size_t{1 << 20}}) {
    TestServer server(test::exchanger(), {cut});
    server.take();
    test::envelope(server);
    CHECK(server.code("BDAT 5\r\nab\r\n.BDAT 5 LAST\r\n\r\n.\r\nNOOP\r\n") == "250 250 250");
    CHECK(server.messages == std::vector<std::string>{"ab\r\n.\r\n.\r\n"});
    test::envelope(server);
    CHECK(server.code("BDAT 3\r\na\r\nDATA\r\nBDAT 0 LAST\r\n") == "250 503 250");
    CHECK(server.messages.back() == "a\r\n");
    // Octets of a chunk nobody asked for are swallowed, never taken for commands.
    CHECK(server.code("BDAT 6 LAST\r\nRSET\r\nNOOP\r\n") == "503 250");
    test::envelope(server);
    CHECK(server.code("BDAT 3\r\na\r\nRSET\r\nBDAT 6 LAST\r\nNOOP\r\n") == "250 250 503");
    CHECK(server.messages.size() == 2);
    for (const auto* damaged : {"BDAT 2 LAST\r\na\rNOOP\r\n", "BDAT 3 LAST\r\na\nbNOOP\r\n"}) {
      TestServer another(test::exchanger());
      test::envelope(another);
      CHECK(another.code(damaged) == "554");
      CHECK(another.say("NOOP\r\n").empty());
      CHECK(another.messages.empty());
    }
  }
}

TEST_RFC("2920 §3.2", "any segmentation of a session gives the same replies, questions and messages") {
  const std::vector<std::string> steps{
      "EHLO c\r\nMAIL FROM:<a@x.example> SIZE=100\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<unknown@x.example>\r\nDATA\r\n",
      "Subject: x\r\n\r\n.. dots\r\n..\r\n" + std::string(5000, 'y') +
          "\r\n.\r\nRSET\r\nNOOP\r\nMAIL FROM:<>\r\nDATA\r\n",
      "XYZZY\r\nMAIL FROM:<\r\nVRFY x\r\nRCPT TO:<b@x.example>\r\nBDAT 10\r\n12345678\r\nBDAT 2 "
      "LAST\r\n\r\nHELP\r\nQUIT\r\n"};
  const auto run = [&](std::vector<std::size_t> cuts) {
    TestServer server(test::exchanger(), std::move(cuts));
    std::string all;
    for (const auto& step : steps) all += server.say(step);
    return std::tuple(all + server.take(), server.log, server.messages);
  };
  const auto whole = run({1 << 20});
  CHECK(
      std::get<1>(whole) ==
      "EHLO c;MAIL a@x.example;RCPT b@x.example;RCPT unknown@x.example;ACCEPT;MAIL <>;RCPT b@x.example;ACCEPT;CLOSE;");
  CHECK(run({1}) == whole);
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    CHECK(run({1 + random() % 50, 1 + random() % 5, 1 + random() % 3000}) == whole);
  }
}

TEST_CASE("a peer that goes away at any octet leaves no transaction behind") {
  const std::string text =
      "EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 5 LAST\r\nabc\r\nMAIL "
      "FROM:<a@x.example>\r\nQUIT\r\n";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    TestServer server(test::exchanger());
    server.say(std::string_view(text).substr(0, length));
    server.session.ended();
    server.pump();
    CHECK(server.session.closed());
    std::size_t begun = 0, over = 0;
    for (std::size_t at = 0; (at = server.log.find("MAIL", at)) != std::string::npos; ++at) ++begun;
    for (std::size_t at = 0; (at = server.log.find("FORGET", at)) != std::string::npos; ++at) ++over;
    CHECK(begun == over + server.messages.size());
  }
}

}  // namespace facteur::smtp
