// RELIABILITY S1: what other servers have taken for the end of a message must not end it here (smuggling of mail).
#include "rfc_test.hpp"
#include "smtp/session_test.hpp"

namespace facteur::smtp {
namespace {

using test::TestServer;
using namespace std::string_literals;

struct Variant {
  const char* name;
  std::string octets;
  bool bare;  // Contains a CR, LF or NUL that stands alone: refused at once.
};

const std::vector<Variant> variants{
    {"LF.LF", "\n.\n", true},
    {"LF.CRLF", "\n.\r\n", true},
    {"CRLF.LF", "\r\n.\n", true},
    {"CR.CR", "\r.\r", true},
    {"CR.CRLF", "\r.\r\n", true},
    {"CRLF.CR", "\r\n.\r", true},
    {"CR.LF", "\r.\n", true},
    {"LF.CR", "\n.\r", true},
    {"CRLF NUL.CRLF", "\r\n\0.\r\n"s, true},
    {"CRLF.NUL CRLF", "\r\n.\0\r\n"s, true},
    {"CRLF. CRLF", "\r\n. \r\n", false},
    {"CRLF.CRCRLF", "\r\n.\r\r\n", true},
    {"LF.CRCRLF", "\n.\r\r\n", true},
    {"VT.CRLF", "\x0b.\r\n", false},
    {"NEL.CRLF", "\xc2\x85.\r\n", false},
    {"LS.CRLF", "\xe2\x80\xa8.\r\n", false},
    {"CRLF..CRLF", "\r\n..\r\n", false},
};

const std::string smuggled = "MAIL FROM:<smug@x.example>\r\nRCPT TO:<smug@y.example>\r\nDATA\r\nsmuggled\r\n.\r\n";

void check(const Variant& variant, const std::vector<std::string>& pieces, const std::string& all_octets,
           const std::string& parameters) {
  TestServer server(test::exchanger());
  test::greet(server);
  server.say("MAIL FROM:<a@example.com>" + parameters + "\r\nRCPT TO:<b@example.org>\r\nDATA\r\n");
  server.take();
  std::string out;
  for (const auto& piece : pieces) out += server.say(piece);
  CHECK_FALSE(server.log.contains("smug"));
  if (variant.bare) {
    CHECK(TestServer::codes(out) == "554");
    CHECK(server.messages.empty());
    CHECK(server.say("NOOP\r\n").empty());  // It is over.
  } else {
    CHECK(TestServer::codes(out) == "250");
    REQUIRE(server.messages.size() == 1);
    CHECK(server.messages.front().contains("MAIL FROM:<smug@x.example>"));
    if (variant.octets == "\r\n..\r\n") CHECK(server.messages.front().contains("text\r\n.\r\nMAIL"));
    CHECK(server.messages.front().size() ==
          all_octets.size() - (variant.octets == "\r\n..\r\n" ? 1 : 0) - (variant.octets == "\r\n. \r\n" ? 1 : 0) - 3);
  }
}

}  // namespace

TEST_RFC("5321 §4.1.1.4", "seventeen ends that are none, cut at every octet: nothing is smuggled") {
  // The smuggled commands are content as long as no true end comes; the last one here is the true end, and what would
  // stand behind "DATA" in them is a plain line.
  for (const auto& variant : variants) {
    CAPTURE(variant.name);
    const std::string all = "Subject: x\r\n\r\ntext" + variant.octets + smuggled;
    for (const auto* parameters : {"", " BODY=8BITMIME", " BODY=8BITMIME SMTPUTF8"}) {
      check(variant, {all}, all, parameters);
      for (std::size_t cut = 1; cut < all.size(); ++cut)
        check(variant, {all.substr(0, cut), all.substr(cut)}, all, parameters);
    }
  }
}

TEST_RFC("5321 §4.1.1.4", "the true end behind a stray CR ends nothing well: refused") {
  const std::string all = "text\r\r\n.\r\n" + smuggled;
  for (std::size_t cut = 1; cut < all.size(); ++cut) {
    TestServer server(test::exchanger());
    test::envelope(server);
    server.say("DATA\r\n");
    const auto out = server.say(all.substr(0, cut)) + server.say(all.substr(cut));
    CHECK(TestServer::codes(out) == "554");
    CHECK(server.messages.empty());
    CHECK_FALSE(server.log.contains("smug"));
  }
}

TEST_RFC("5321 §4.1.1.4", "as last octets before the connection closes, no variant ends a message") {
  for (const auto& variant : variants) {
    TestServer server(test::exchanger());
    test::envelope(server);
    server.say("DATA\r\n");
    server.say("text" + variant.octets);
    server.session.ended();
    server.pump();
    CHECK(server.messages.empty());
    CHECK(server.log.contains("FORGET"));
  }
}

TEST_RFC("3030 §2", "inside BDAT the variants are content or refused") {
  for (const auto& variant : variants) {
    CAPTURE(variant.name);
    const std::string content = "text" + variant.octets + smuggled;
    for (const std::size_t cut : {std::size_t{1}, std::size_t{3}, std::size_t{1 << 20}}) {
      TestServer server(test::exchanger(), {cut});
      test::envelope(server);
      const auto out = server.say("BDAT " + std::to_string(content.size()) + " LAST\r\n" + content);
      CHECK(TestServer::codes(out) == (variant.bare ? "554" : "250"));
      CHECK(server.messages.size() == (variant.bare ? 0 : 1));
      CHECK_FALSE(server.log.contains("smug"));
    }
  }
}

TEST_RFC("2920 §3.1", "content that is sent before the 354 ends the session") {
  TestServer server(test::exchanger());
  test::greet(server);
  server.take();
  CHECK(server.code("MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n") ==
        "250 250 554");
  CHECK(server.messages.empty());
}

}  // namespace facteur::smtp
