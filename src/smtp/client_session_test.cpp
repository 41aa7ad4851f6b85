#include "smtp/client_session.hpp"

#include <random>
#include <string>
#include <vector>

#include "rfc_test.hpp"
#include "smtp/reply_parser.hpp"
#include "smtp/session_test.hpp"

namespace facteur::smtp {
namespace {

using Outcome = RecipientResult::Outcome;
using test::TestServer;

message::Address address(std::string_view text) { return message::Address::parse(text).value(); }

Transaction transaction(std::vector<std::string> to, std::string_view content) {
  Transaction t;
  t.sender = address("anne@example.org");
  for (const auto& one : to) t.recipients.push_back({address(one), {}});
  t.content = {content};
  return t;
}

ClientParameters plain() {
  ClientParameters p;
  p.hostname = "client.example";
  p.tls = ClientParameters::Tls::never;
  p.random = "0123456789abcdef";
  return p;
}

// A client under test: the peer is played by the test, or by a TestServer.
struct TestClient {
  explicit TestClient(ClientParameters parameters) : session(std::move(parameters), test::start) {}

  // What the client sends after these octets have come.
  std::string hear(std::string_view octets, std::size_t cut = 1 << 20) {
    pump();
    while (!octets.empty() && !session.closed()) {
      const Room room = session.room();
      const std::size_t count = std::min({octets.size(), room.size(), cut});
      std::copy_n(octets.data(), count, room.data());
      octets.remove_prefix(count);
      session.received(count, test::start);
      pump();
    }
    return take();
  }
  std::string take() { return std::exchange(out, {}); }

  void pump() {
    while (auto action = session.next(test::start)) {
      if (const auto* send = std::get_if<Send>(&*action)) {
        out += send->replies;
      } else if (std::holds_alternative<StartTls>(*action)) {
        log += "TLS;";
        session.tls_started({}, test::start);
      } else if (std::holds_alternative<Ready>(*action)) {
        log += "READY;";
        if (!work.empty()) {
          auto next = std::move(work.front());
          work.erase(work.begin());
          session.begin(std::move(next), test::start);
        } else if (quit_when_ready) {
          session.quit(test::start);
        }
      } else if (auto* finished = std::get_if<Finished>(&*action)) {
        log += "FINISHED;";
        results.push_back(std::move(finished->result));
      } else if (auto* failed = std::get_if<Failed>(&*action)) {
        log += "FAILED " + std::string(failed->why.code) + ";";
        failure = std::move(*failed);
      } else {
        log += "CLOSE;";
      }
    }
  }
  std::string outcomes(std::size_t which = 0) const {
    std::string text;
    for (const auto& one : results.at(which).recipients) {
      text += one.outcome == Outcome::delivered ? 'D' : one.outcome == Outcome::temporary ? 'T' : 'P';
    }
    return text;
  }

  ClientSession session;
  std::vector<Transaction> work;
  bool quit_when_ready = true;
  std::string out, log;
  std::vector<TransactionResult> results;
  std::optional<Failed> failure;
};

// Lets a client and a server talk until both rest.
void talk(TestClient& client, TestServer& server) {
  client.pump();
  std::string to_client = server.take();
  for (int turns = 0; turns < 200; ++turns) {
    const auto to_server = client.hear(to_client);
    if (to_server.empty()) break;
    to_client = server.say(to_server);
  }
}

const std::string hello = "220 mx ESMTP\r\n250-mx\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n";

}  // namespace

TEST_CASE("smtp client: a connection that ends before the sender is accepted has touched nothing, later it may have") {
  const auto run = [](std::string_view after_mail) {
    TestClient client(plain());
    client.work.push_back(transaction({"bob@example.org"}, "Subject: x\r\n\r\nHi\r\n"));
    client.hear(hello);
    client.hear(after_mail);
    client.session.ended();
    client.pump();
    REQUIRE(client.results.size() == 1);
    CHECK(client.outcomes() == "T");
    return client.results[0].untouched;
  };
  CHECK(run(""));
  CHECK(run("421 4.3.2 Enough\r\n"));
  CHECK_FALSE(run("250 ok\r\n"));
  CHECK_FALSE(run("250 ok\r\n250 ok\r\n354 go\r\n"));
  CHECK_FALSE(run("450 4.7.1 Not now\r\n"));
}

TEST_RFC("5321 §4.3.2", "client and server agree: several transactions on one connection") {
  TestServer server(test::exchanger());
  TestClient client(plain());
  client.work = {
      transaction({"b@x.example", "unknown@x.example", "c@x.example"}, "Subject: 1\r\n\r\n.dot\r\n..\r\nend"),
      transaction({"unknown@x.example"}, "Subject: 2\r\n\r\n"), transaction({"d@x.example"}, ".\r\n")};
  talk(client, server);
  CHECK(client.log == "READY;FINISHED;READY;FINISHED;READY;FINISHED;READY;CLOSE;");
  CHECK(client.outcomes(0) == "DPD");
  CHECK(client.outcomes(1) == "P");
  CHECK(client.outcomes(2) == "D");
  CHECK(client.results[0].recipients[1].reply.code == 550);
  CHECK(client.results[0].recipients[1].reply.enhanced == "5.1.1");
  CHECK(server.messages == std::vector<std::string>{"Subject: 1\r\n\r\n.dot\r\n..\r\nend\r\n", ".\r\n"});
}

TEST_RFC("2033 §4.2", "LMTP has its own result for each recipient") {
  auto parameters = test::exchanger();
  parameters.lmtp = true;
  TestServer server(parameters);
  server.lmtp_replies = {Reply{250, "2.0.0", "b"}, Reply{452, "4.2.2", "full"}};
  auto mine = plain();
  mine.lmtp = true;
  TestClient client(mine);
  client.work = {transaction({"b@x.example", "unknown@x.example", "c@x.example"}, "x\r\n")};
  talk(client, server);
  CHECK(client.outcomes() == "DPT");
  CHECK(client.results[0].recipients[2].reply.text == "full");
}

TEST_RFC("3207 §4.2", "STARTTLS where it is offered; required TLS never goes on without") {
  TestServer server(test::exchanger());
  auto mine = plain();
  mine.tls = ClientParameters::Tls::required;
  TestClient client(mine);
  client.work = {transaction({"b@x.example"}, "x\r\n")};
  talk(client, server);
  CHECK(client.log == "TLS;READY;FINISHED;READY;CLOSE;");
  CHECK(client.outcomes() == "D");

  for (const auto* peer : {"220 mx\r\n250-mx\r\n250 PIPELINING\r\n", "220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 no\r\n",
                           "220 mx\r\n500 what\r\n", "220 mx\r\n250-mx\r\n250 STARTTLS\r\n554 no\r\n"}) {
    TestClient refused(mine);
    refused.work = {transaction({"b@x.example"}, "x\r\n")};
    const auto said = refused.hear(peer, 1);
    CHECK_FALSE(said.contains("MAIL"));
    CHECK(refused.log.starts_with("FAILED"));
  }
  mine.tls = ClientParameters::Tls::opportunistic;
  TestClient content_with_less(mine);
  content_with_less.work = {transaction({"b@x.example"}, "x\r\n")};
  CHECK(content_with_less.hear("220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 no\r\n", 1).contains("MAIL FROM"));
}

TEST_CASE("RELIABILITY S4: octets behind the reply to STARTTLS end the attempt") {
  auto mine = plain();
  mine.tls = ClientParameters::Tls::opportunistic;
  TestClient client(mine);
  client.work = {transaction({"b@x.example"}, "x\r\n")};
  client.hear("220 mx\r\n");
  client.hear("250-mx\r\n250 STARTTLS\r\n");
  CHECK(client.hear("220 go\r\n250-mx\r\n250 SIZE\r\n").empty());
  CHECK(client.log == "FAILED F-4015;CLOSE;");
  CHECK(client.failure->why.temporary());
}

TEST_RFC("4954 §4", "the client logs in before it sends, and never shows a password in the clear") {
  for (const bool right : {true, false}) {
    TestServer server(test::submission());
    auto mine = plain();
    mine.tls_active = true;
    mine.login = "anne";
    mine.password = right ? "secret" : "guess";
    TestClient client(mine);
    client.work = {transaction({"b@x.example"}, "x\r\n")};
    talk(client, server);
    CHECK(server.log.contains("AUTH anne;"));
    CHECK(client.log == (right ? "READY;FINISHED;READY;CLOSE;" : "FAILED F-4023;CLOSE;"));
    if (!right) CHECK(client.failure->reply.code == 535);
  }
  auto mine = plain();
  mine.login = "anne";
  mine.password = "secret";
  TestClient clear(mine);
  CHECK_FALSE(clear.hear("220 mx\r\n250-mx\r\n250 AUTH PLAIN LOGIN\r\n", 1).contains("AUTH"));
  CHECK(clear.log == "FAILED F-4021;CLOSE;");
}

TEST_RFC("5321 §3.2", "a server without EHLO gets HELO, without PIPELINING one command at a time") {
  TestClient client(plain());
  client.work = {transaction({"b@x.example", "c@x.example"}, "x\r\n")};
  CHECK(client.hear("220 old\r\n") == "EHLO client.example\r\n");
  CHECK(client.hear("502 what?\r\n") == "HELO client.example\r\n");
  CHECK(client.hear("250 hi\r\n") == "MAIL FROM:<anne@example.org>\r\n");
  CHECK(client.hear("250\r\n") == "RCPT TO:<b@x.example>\r\n");
  CHECK(client.hear("250 ok\r\n") == "RCPT TO:<c@x.example>\r\n");
  CHECK(client.hear("450 later\r\n") == "DATA\r\n");
  CHECK(client.hear("354 go\r\n") == "x\r\n.\r\n");
  CHECK(client.hear("250 ok\r\n") == "QUIT\r\n");
  CHECK(client.outcomes() == "DT");
}

TEST_RFC("2920 §3.1", "commands in one go; DATA accepted with no recipient ends with the dot alone") {
  TestClient client(plain());
  client.work = {transaction({"b@x.example"}, "secret\r\n"), transaction({"b@x.example"}, "y\r\n")};
  CHECK(client.hear(hello, 1).ends_with("SIZE=8\r\nRCPT TO:<b@x.example>\r\nDATA\r\n"));
  CHECK(client.hear("250 ok\r\n550 5.1.1 no\r\n354 go\r\n") == ".\r\n");
  CHECK(client.hear("554 no valid recipients\r\n").starts_with("MAIL FROM"));
  CHECK(client.outcomes(0) == "P");
  CHECK(client.hear("452 full\r\n503 no\r\n503 no\r\n") == "RSET\r\n");
  CHECK(client.outcomes(1) == "T");
  CHECK(client.results[1].recipients[0].reply.code == 452);
  CHECK(client.hear("250 ok\r\n") == "QUIT\r\n");
}

TEST_RFC("2920 §3.1", "a thousand recipients go out in windows, each with its own reply") {
  TestClient client(plain());
  std::vector<std::string> to;
  for (int i = 0; i < 1000; ++i) to.push_back("u" + std::to_string(i) + "@x.example");
  client.work = {transaction(to, "x\r\n")};
  std::string said = client.hear(hello);
  std::size_t answered = 0;
  bool data = false;
  while (!data) {
    std::string replies;
    for (std::size_t at = 0; at < said.size(); at = said.find("\r\n", at) + 2) {
      if (said.substr(at, 4) == "MAIL") replies += "250 ok\r\n";
      if (said.substr(at, 4) == "RCPT") replies += ++answered % 3 == 0 ? "550 no\r\n" : "250 ok\r\n";
      if (said.substr(at, 4) == "DATA") data = true;
    }
    CHECK(std::ranges::count(said, '\n') <= 101);
    if (data) replies += "354 go\r\n";
    said = client.hear(replies);
  }
  CHECK(said == "x\r\n.\r\n");
  client.hear("250 ok\r\n");
  CHECK(answered == 1000);
  CHECK(std::ranges::count(client.outcomes(), 'D') == 667);
  CHECK(client.outcomes()[2] == 'P');
}

TEST_CASE(
    "RELIABILITY R29: cut at every octet of every reply, nothing counts as delivered before the last reply is whole") {
  const std::vector<std::string> replies{"220 mx ESMTP\r\n", "250-mx\r\n250-PIPELINING\r\n250 SIZE 0\r\n",
                                         "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n",
                                         "250-2.0.0 taken\r\n250 2.0.0 as 1\r\n"};
  std::string all;
  for (const auto& one : replies) all += one;
  const std::size_t before_last = all.size() - replies.back().size();
  for (std::size_t length = 0; length <= all.size(); ++length) {
    TestClient client(plain());
    client.quit_when_ready = false;
    client.work = {transaction({"b@x.example"}, "x\r\n")};
    std::size_t left = length;
    for (const auto& one : replies) {
      const auto piece = std::string_view(one).substr(0, left);
      left -= piece.size();
      client.hear(piece, 1);
    }
    if (length % 2 == 0) {
      client.session.ended();
    } else {
      client.session.expired(test::start + 10min);
    }
    client.pump();
    CAPTURE(length);
    CHECK(client.session.closed());
    if (client.results.empty()) {
      CHECK(length < before_last);  // It had not begun.
    } else {
      CHECK(client.outcomes() == (length == all.size() ? "D" : "T"));
      CHECK(client.results[0].recipients[0].ours == (length != all.size()));
    }
    CHECK(client.failure.has_value());
  }
}

TEST_RFC("5321 §4.2.1", "replies: continuation lines, enhanced codes, and what is none") {
  const auto read = [](std::string_view text) { return ReplyParser().read(text); };
  auto outcome = read("250-2.1.0 one\r\n250 2.1.0 two\r\nrest");
  REQUIRE(outcome.reply);
  CHECK(outcome.reply->code == 250);
  CHECK(outcome.reply->enhanced == "2.1.0");
  CHECK(outcome.reply->text == "one\ntwo");
  CHECK(outcome.consumed == 30);
  CHECK(read("354\r\n").reply->code == 354);
  CHECK(read("550 5.1.1\r\n").reply->enhanced == "5.1.1");
  CHECK(read("550 4.1.1 class differs\r\n").reply->enhanced.empty());
  CHECK(read("250 2.10 words\r\n").reply->enhanced.empty());
  CHECK_FALSE(read("250 ok").reply);
  CHECK_FALSE(read("250-ok\r\n").reply);
  for (const auto* broken :
       {"\r\n", "25\r\n", "2500 x\r\n", "abc x\r\n", "150 x\r\n", "600 x\r\n", "250-a\r\n251 b\r\n", "250_x\r\n"}) {
    CAPTURE(broken);
    CHECK(read(broken).broken);
  }
  CHECK(read(std::string(5000, '2')).broken);
  std::string endless;
  for (int i = 0; i < 300; ++i) endless += "250-x\r\n";
  CHECK(read(endless).broken);
}

TEST_CASE("RELIABILITY S2: content with CR or LF alone does not go out; others do not suffer") {
  for (const auto* bad : {"a\nb\r\n", "a\r.\r\n", "x\r\n.\n", "\r", "\n"}) {
    TestClient client(plain());
    client.work = {transaction({"b@x.example"}, bad), transaction({"b@x.example"}, "good\r\n")};
    const auto said = client.hear(hello);
    CHECK(client.outcomes(0) == "P");
    CHECK(client.results[0].recipients[0].ours);
    CHECK(client.results[0].recipients[0].reply.enhanced == "5.6.11");
    CHECK(client.hear("250 ok\r\n250 ok\r\n354 go\r\n") == "good\r\n.\r\n");
  }
}

TEST_CASE("RELIABILITY R16: content that could not be read while it went out is never ended") {
  for (const std::string& content : {std::string("short\r\n"), std::string(300'000, 'x') + "\r\n"}) {
    TestClient client(plain());
    auto doubtful = transaction({"b@x.example", "c@x.example"}, content);
    int asked = 0;
    doubtful.intact = [&asked] { return ++asked > 1; };
    client.work = {doubtful};
    client.hear(hello);
    const auto sent = client.hear("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    CHECK(sent.find("\r\n.\r\n") == sent.npos);
    CHECK(asked == 1);
    CHECK(client.outcomes() == "TT");
    CHECK(client.log == "READY;FINISHED;FAILED F-4028;CLOSE;");
  }
}

TEST_RFC("5321 §4.5.2", "whatever pieces the content comes in, a server reads what was to be sent") {
  std::mt19937 random(9);
  for (int round = 0; round < 60; ++round) {
    std::string content;
    const std::size_t lines = random() % 60;
    for (std::size_t i = 0; i < lines; ++i) {
      content += std::string(random() % 4, '.');
      content += std::string(random() % 10 == 0 ? random() % 100000 : random() % 80, 'x');
      content += "\r\n";
    }
    if (random() % 2 == 0) content += ".last line without end";
    Transaction t = transaction({"b@x.example"}, "");
    t.content.clear();
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t size = 1 + random() % (random() % 3 == 0 ? 5 : 50000);
      t.content.push_back(Bytes(content).substr(at, size));
      at += size;
    }
    TestServer server(test::exchanger(), {1 + random() % 70000});
    TestClient client(plain());
    client.work = {std::move(t)};
    talk(client, server);
    REQUIRE(client.outcomes() == "D");
    REQUIRE(server.messages.size() == 1);
    CHECK((server.messages[0] == content || server.messages[0] == content + "\r\n"));
  }
}

TEST_RFC("3461 §4", "parameters go only to those who offer them") {
  Transaction t = transaction({"b@x.example"}, "x\r\n");
  t.parameters.body_8bit = true;
  t.parameters.ret = MailParameters::Return::headers;
  t.parameters.envelope_id = "a+b=c";
  t.recipients[0].parameters.notify = RcptParameters::success | RcptParameters::delay;
  t.recipients[0].parameters.original = "rfc822;x=y@z.example";
  TestClient with(plain());
  with.work = {t};
  CHECK(with.hear("220 mx\r\n250-mx\r\n250-DSN\r\n250-8BITMIME\r\n250-SIZE\r\n250 PIPELINING\r\n", 1)
            .ends_with("MAIL FROM:<anne@example.org> SIZE=3 BODY=8BITMIME RET=HDRS ENVID=a+2Bb+3Dc\r\n"
                       "RCPT TO:<b@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+3Dy@z.example\r\nDATA\r\n"));
  TestClient without(plain());
  without.work = {t};
  CHECK(without.hear("220 mx\r\n250 mx\r\n").ends_with("MAIL FROM:<anne@example.org>\r\n"));

  Transaction large = transaction({"b@x.example"}, "12345678\r\n");
  TestClient small(plain());
  small.work = {large};
  small.hear("220 mx\r\n250-mx\r\n250 SIZE 9\r\n");
  CHECK(small.outcomes() == "P");
  CHECK(small.results[0].recipients[0].reply.code == 552);

  Transaction foreign = transaction({"b@x.example"}, "x\r\n");
  foreign.recipients[0].address = message::Address::parse("é@x.example").value();
  TestClient ascii_only(plain());
  ascii_only.work = {foreign};
  ascii_only.hear("220 mx\r\n250 mx\r\n");
  CHECK(ascii_only.results[0].recipients[0].reply.enhanced == "5.6.7");
  TestClient international(plain());
  international.work = {foreign};
  CHECK(international.hear("220 mx\r\n250-mx\r\n250 SMTPUTF8\r\n")
            .ends_with("MAIL FROM:<anne@example.org> SMTPUTF8\r\n"));
}

TEST_RFC("5321 §3.8", "421 at any moment ends the connection; what has no reply is tried again") {
  const std::vector<std::string> before{"", "220 mx\r\n", hello, hello + "250 ok\r\n",
                                        hello + "250 ok\r\n250 ok\r\n354 go\r\n"};
  for (const auto& text : before) {
    TestClient client(plain());
    client.work = {transaction({"b@x.example"}, "x\r\n")};
    client.hear(text, 1);
    client.hear("421 4.3.2 stopping\r\n");
    CHECK(client.session.closed());
    CHECK(client.failure->why.temporary());
    if (!client.results.empty()) CHECK(client.outcomes() == "T");
  }
}

TEST_CASE("any octets from a server end in results for all recipients and a closed session") {
  std::mt19937 random(77);
  const std::vector<std::string> words{"220 ", "250 ", "250-", "354 ",   "334 ",     "421 ",       "550 ",
                                       "ok",   "\r\n", "\r\n", "\r\n",   "STARTTLS", "AUTH PLAIN", "PIPELINING",
                                       "\n",   "\r",   "xx",   "SIZE 1", "DSN"};
  for (int round = 0; round < 3000; ++round) {
    auto mine = plain();
    mine.lmtp = random() % 4 == 0;
    mine.tls = random() % 2 == 0 ? ClientParameters::Tls::opportunistic : ClientParameters::Tls::never;
    TestClient client(mine);
    client.work = {transaction({"b@x.example", "c@x.example"}, "x\r\n")};
    std::string text = random() % 2 == 0 ? "220 mx\r\n250 mx\r\n" : "";
    for (int i = 0; i < 40; ++i) text += words[random() % words.size()];
    client.hear(text, 1 + random() % 20);
    client.session.ended();
    client.pump();
    CHECK(client.session.closed());
    for (const auto& result : client.results) CHECK(result.recipients.size() == 2);
  }
}

}  // namespace facteur::smtp
