// FETCH plans and SEARCH programs over one message.
#include <array>
#include <string>

#include "imap/command_parser.hpp"
#include "imap/fetch_plan.hpp"
#include "imap/search_match.hpp"
#include "rfc_test.hpp"

namespace facteur::imap {
namespace {

constexpr Bytes prefix = "Return-Path: <anne@example.org>\r\n";
constexpr Bytes content =
    "From: Anne <anne@example.org>\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Date: Sat, 24 Mar 2007 23:00:00 +0200\r\nX-Extra: one\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello world\r\n--b\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nS+RzZQ==\r\n--b--\r\n";

struct Sample {
  std::string record = message::make_structure(prefix, content);
  message::Structure structure = *message::Structure::open(record);
  MessagePieces text;
  std::vector<std::string> names{"$Junk", "work"};
  std::array<std::uint16_t, 1> keywords{1};

  Sample() {
    text.add(prefix);
    // In two pieces, so that ranges cross a border.
    text.add(content.substr(0, 100));
    text.add(content.substr(100));
  }
  std::string fetch(Bytes items, bool uid = false) {
    const auto parsed = parse_command("a FETCH 1 " + std::string(items), false);
    REQUIRE(parsed);
    const FetchPlan plan(std::get<FetchCommand>(parsed->command.body).items, uid, false);
    ResponseWriter out;
    FetchedMessage message;
    message.number = 7;
    message.uid = 42;
    message.modseq = 99;
    message.flag_bits = 5;
    message.keywords = keywords;
    message.keyword_names = &names;
    message.size = static_cast<std::uint32_t>(text.size);
    message.structure = &structure;
    message.text = &text;
    plan.write(out, message);
    std::string all;
    for (const auto piece : out.pieces()) all += piece;
    return all;
  }
  Match search(Bytes keys, bool with_structure, bool with_text) {
    const auto parsed = parse_command("a SEARCH " + std::string(keys), false);
    REQUIRE(parsed);
    SearchProgram::Surroundings around;
    around.highest_number = 9;
    around.highest_uid = 50;
    around.saved = {{40, 45}};
    around.keyword_names = &names;
    const SearchProgram program(std::get<SearchCommand>(parsed->command.body).key, around);
    SearchedMessage message;
    message.number = 7;
    message.uid = 42;
    message.modseq = 99;
    message.flag_bits = 5;
    message.keywords = keywords;
    message.size = static_cast<std::uint32_t>(text.size);
    message.received = UtcTime{760'233'600'000};  // 3-Feb-1994 00:00.
    message.structure = with_structure ? &structure : nullptr;
    message.text = with_text ? &text : nullptr;
    return program.match(message);
  }
};

TEST_RFC("8970 §3.1", "PREVIEW: the text, an empty string for none, NIL for not yet") {
  Sample m;
  CHECK(m.fetch("PREVIEW") == "* 7 FETCH (PREVIEW \"hello world\")\r\n");
  CHECK(m.fetch("(UID PREVIEW (LAZY))") == "* 7 FETCH (UID 42 PREVIEW \"hello world\")\r\n");
  m.record = message::make_structure({}, "Content-Type: image/png\r\n\r\nabc");
  m.structure = *message::Structure::open(m.record);
  CHECK(m.fetch("PREVIEW") == "* 7 FETCH (PREVIEW \"\")\r\n");
  m.record = message::make_structure({}, "A: b\r\n\r\ncaf\xc3\xa9");
  m.structure = *message::Structure::open(m.record);
  CHECK(m.fetch("PREVIEW") == "* 7 FETCH (PREVIEW {5}\r\ncaf\xc3\xa9)\r\n");
  // As records of the first version were: without the addition behind the head, and without the preview at the end.
  m.record.resize(m.record.size() - 5);
  m.record.erase(48, 8);
  m.record[0] = 1;
  m.structure = *message::Structure::open(m.record);
  CHECK(m.fetch("PREVIEW (LAZY)") == "* 7 FETCH (PREVIEW NIL)\r\n");
}

TEST_RFC("9051 §7.5.2", "FETCH items") {
  Sample m;
  CHECK(m.fetch("(FLAGS UID MODSEQ)") == "* 7 FETCH (FLAGS (\\Seen \\Flagged work) UID 42 MODSEQ (99))\r\n");
  CHECK(m.fetch("FLAGS", true) == "* 7 FETCH (UID 42 FLAGS (\\Seen \\Flagged work))\r\n");
  CHECK(m.fetch("(UID UID UID)", true) == "* 7 FETCH (UID 42)\r\n");
  const auto whole = std::string(prefix) + std::string(content);
  const auto size = std::to_string(whole.size());
  CHECK(m.fetch("(RFC822.SIZE BODY[])") ==
        "* 7 FETCH (RFC822.SIZE " + size + " BODY[] {" + size + "}\r\n" + whole + ")\r\n");
  CHECK(m.fetch("BODY.PEEK[]<30.10>") == "* 7 FETCH (BODY[]<30> {10}\r\n>\r\nFrom: A)\r\n");
  CHECK(m.fetch("BODY.PEEK[]<9999.10>") == "* 7 FETCH (BODY[]<9999> {0}\r\n)\r\n");
  CHECK(m.fetch("BODY[HEADER.FIELDS (subject TO)]") ==
        "* 7 FETCH (BODY[HEADER.FIELDS (subject TO)] {61}\r\nTo: bob@example.org\r\n"
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n)\r\n");
  CHECK(m.fetch("BODY[1]") == "* 7 FETCH (BODY[1] {11}\r\nhello world)\r\n");
  CHECK(m.fetch("BODY[2.MIME]<0.13>") == "* 7 FETCH (BODY[2.MIME]<0> {13}\r\nContent-Type:)\r\n");
  CHECK(m.fetch("BODY[3]") == "* 7 FETCH (BODY[3] NIL)\r\n");
  CHECK(m.fetch("BINARY[2]") == "* 7 FETCH (BINARY[2] {4}\r\nK\xe4se)\r\n");
  CHECK(m.fetch("BINARY.SIZE[2]") == "* 7 FETCH (BINARY.SIZE[2] 4)\r\n");
  CHECK(m.fetch("(ENVELOPE EMAILID)").starts_with("* 7 FETCH (ENVELOPE (\"Sat, 24 Mar 2007 23:00:00 +0200\" "));
  CHECK(m.fetch("RFC822.HEADER").starts_with("* 7 FETCH (RFC822.HEADER {"));
}

TEST_RFC("9051 §6.4.5", "what a plan needs and whether it marks as seen") {
  const auto plan = [](Bytes items) {
    const auto parsed = parse_command("a FETCH 1 " + std::string(items), false);
    REQUIRE(parsed);
    return FetchPlan(std::get<FetchCommand>(parsed->command.body).items, false, false);
  };
  CHECK_FALSE(plan("FAST").needs_structure());
  CHECK(plan("PREVIEW").needs_layout());
  CHECK(plan("PREVIEW").needs_preview());
  CHECK_FALSE(plan("PREVIEW (LAZY)").needs_preview());
  CHECK_FALSE(plan("PREVIEW").needs_text());
  CHECK_FALSE(plan("FAST").needs_text());
  CHECK(plan("FULL").needs_structure());
  CHECK_FALSE(plan("FULL").needs_text());
  CHECK(plan("BODY[]").marks_seen());
  CHECK_FALSE(plan("BODY[]").needs_structure());
  CHECK_FALSE(plan("BODY.PEEK[1]").marks_seen());
  CHECK(plan("BODY.PEEK[1]").needs_structure());
  CHECK(plan("RFC822").marks_seen());
  CHECK_FALSE(plan("RFC822.HEADER").marks_seen());
  CHECK(plan("RFC822.TEXT").marks_seen());
  CHECK_FALSE(plan("BINARY.SIZE[1]").marks_seen());
}

TEST_RFC("9051 §6.4.4", "search keys on one message") {
  Sample m;
  struct Case {
    const char* keys;
    bool fits;
  };
  for (const auto& [keys, fits] : {
           Case{"ALL", true},
           Case{"7", true},
           Case{"8", false},
           Case{"UID 40:*", true},
           Case{"$", true},
           Case{"SEEN FLAGGED", true},
           Case{"UNSEEN", false},
           Case{"KEYWORD WORK", true},
           Case{"KEYWORD $junk", false},
           Case{"UNKEYWORD absent", true},
           Case{"NEW", false},
           Case{"OLD", true},
           Case{"LARGER 100", true},
           Case{"SMALLER 100", false},
           Case{"MODSEQ 99", true},
           Case{"MODSEQ 100", false},
           Case{"ON 3-Feb-1994", true},
           Case{"BEFORE 3-Feb-1994", false},
           Case{"SINCE 3-Feb-1994", true},
           Case{"SENTON 24-Mar-2007", true},
           Case{"SENTBEFORE 24-Mar-2007", false},
           Case{"SENTSINCE 25-Mar-2007", false},
           Case{"FROM anne", true},
           Case{"TO ANNE", false},
           Case{"SUBJECT {7}\r\nGR\xc3\x9c\xc3\x9f"
                "E",
                true},
           Case{"HEADER X-Extra ONE", true},
           Case{"HEADER X-Extra \"\"", true},
           Case{"HEADER X-None \"\"", false},
           Case{"HEADER Return-Path anne", true},
           Case{"BODY \"LO WOR\"", true},
           Case{"BODY anne", false},
           Case{"BODY {5}\r\nk\xc3\xa4se", true},
           Case{"TEXT x-extra", true},
           Case{"TEXT nowhere", false},
           Case{"NOT FROM anne", false},
           Case{"OR BODY nowhere SUBJECT gr", true},
           Case{"(7 SEEN) NOT (DELETED)", true},
       }) {
    CAPTURE(keys);
    CHECK(m.search(keys, true, true) == (fits ? Match::yes : Match::no));
    // With less known, the answer is the same or open, never wrong.
    for (const bool with_structure : {false, true}) {
      const auto partly = m.search(keys, with_structure, false);
      CHECK((partly == Match::unknown || partly == (fits ? Match::yes : Match::no)));
    }
  }
  CHECK(m.search("FROM anne", true, false) == Match::yes);
  CHECK(m.search("DELETED FROM anne", false, false) == Match::no);
  CHECK(m.search("OR SEEN BODY x", false, false) == Match::yes);
}

}  // namespace
}  // namespace facteur::imap
