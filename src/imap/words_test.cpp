// The small words of the protocol: sets, names, dates, text to be found, responses.
#include <string>

#include "imap/date.hpp"
#include "imap/mailbox_name.hpp"
#include "imap/response_writer.hpp"
#include "imap/sequence_set.hpp"
#include "imap/text_search.hpp"
#include "rfc_test.hpp"

namespace facteur::imap {
namespace {

std::string resolved(Bytes text, std::uint32_t highest) {
  const auto set = parse_sequence_set(text);
  return set ? to_set_text(resolve(*set, highest)) : "invalid";
}

TEST_RFC("9051 §9", "sequence sets") {
  CHECK(resolved("1", 10) == "1");
  CHECK(resolved("2:4,7", 10) == "2:4,7");
  CHECK(resolved("4:2", 10) == "2:4");
  CHECK(resolved("*", 10) == "10");
  CHECK(resolved("*:8", 10) == "8:10");
  CHECK(resolved("15:*", 10) == "10:15");  // Ranges turn: "UID FETCH n:*" beyond the end names the last message.
  CHECK(resolved("5,1:3,4,9,2", 10) == "1:5,9");
  CHECK(resolved("*", 0) == "");
  CHECK(resolved("4294967295,1:4294967295,3", 10) == "1:4294967295");
  for (const auto* text : {"", "0", "1,", ",1", "1:", ":1", "1::2", "a", "01", "4294967296", "1 ", "$,1", "-1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_sequence_set(text));
  }
  CHECK(parse_sequence_set("$")->saved);
  CHECK(to_set_text(std::vector<std::uint32_t>{1, 2, 3, 5, 7, 8}) == "1:3,5,7:8");
  CHECK(contains({{1, 3}, {7, 7}}, 3));
  CHECK_FALSE(contains({{1, 3}, {7, 7}}, 4));
  CHECK_FALSE(contains({}, 4));
}

TEST_CASE("a set of a hundred thousand overlapping ranges is merged quickly (RELIABILITY S42)") {
  std::string text = "1:*";
  for (int i = 0; i < 100'000; ++i) text += ",1:*";
  CHECK(resolved(text, 1'000'000) == "1:1000000");
}

TEST_RFC("3501 §5.1.3", "modified UTF-7 and back") {
  struct Case {
    const char* utf7;
    const char* utf8;
  };
  for (const auto& [utf7, utf8] : {
           Case{"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"},
           Case{"p&AOQA5A-", "pää"},
           Case{"&Jjo-!", "☺!"},
           Case{"&2D3eAA-", "😀"},
           Case{"R&-D", "R&D"},
           Case{"&-&-", "&&"},
           Case{"Entw&APw-rfe", "Entwürfe"},
           Case{"plain", "plain"},
       }) {
    CAPTURE(utf7);
    CHECK(from_modified_utf7(utf7) == utf8);
    CHECK(to_modified_utf7(utf8) == utf7);
  }
  for (const auto* text : {"&", "&a", "a&b", "&AOQ", "&AOQA5A-&AOQA5A-", "&AGE-", "&2D0-", "&3gA-", "&AOR-", "&AAA-",
                           "\xc3\xa4", "\x01"}) {
    CAPTURE(text);
    CHECK_FALSE(from_modified_utf7(text));
  }
}

TEST_RFC("3629 §3", "UTF-8 is valid or not") {
  for (const auto* text : {"", "abc", "ä", "日本語", "😀", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    CHECK(is_valid_utf8(text));
  for (const auto* text :
       {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe6"}) {
    CHECK_FALSE(is_valid_utf8(text));
  }
}

TEST_RFC("9051 §6.3.9", "LIST patterns") {
  CHECK(matches_pattern("*", "a/b/c"));
  CHECK(matches_pattern("%", "a"));
  CHECK_FALSE(matches_pattern("%", "a/b"));
  CHECK(matches_pattern("a/%", "a/b"));
  CHECK_FALSE(matches_pattern("a/%", "a/b/c"));
  CHECK_FALSE(matches_pattern("a/%", "a"));
  CHECK(matches_pattern("%/%", "a/b"));
  CHECK(matches_pattern("a*c", "a/b/c"));
  CHECK(matches_pattern("%b*", "ab/c"));
  CHECK(matches_pattern("inbox", "INBOX"));
  CHECK(matches_pattern("Inb%", "INBOX"));
  CHECK_FALSE(matches_pattern("sent", "Sent"));
  CHECK_FALSE(matches_pattern("", "a"));
  // A pattern that makes backtracking matchers take for ever.
  CHECK_FALSE(matches_pattern(std::string(200, '*') + "b", std::string(2000, 'a')));
}

TEST_RFC("9051 §9", "dates") {
  CHECK(parse_date("1-Feb-1994") == 8797);
  CHECK(parse_date("01-feb-1994") == 8797);
  CHECK(parse_date("29-Feb-2000") == 11016);
  for (const auto* text : {"", "1-Feb-94", "30-Feb-1994", "1 Feb 1994", "1-Foo-1994", "0-Feb-1994", "001-Feb-1994"}) {
    CHECK_FALSE(parse_date(text));
  }
  CHECK(parse_date_time(" 1-Jan-1970 00:00:00 +0000")->milliseconds == 0);
  CHECK(parse_date_time("01-Jan-1970 01:00:00 +0100")->milliseconds == 0);
  CHECK(parse_date_time("31-Dec-1969 23:59:59 -0030")->seconds() == 1799);
  for (const auto* text : {"1-Jan-1970 00:00:00 +0000", " 1-Jan-1970 24:00:00 +0000", " 1-Jan-1970 00:00:00  0000",
                           "31-Feb-1970 00:00:00 +0000", ""}) {
    CHECK_FALSE(parse_date_time(text));
  }
  for (const std::int64_t seconds : {0LL, 837596665LL, 951782399LL, 4102444800LL, 1LL}) {
    CHECK(parse_date_time(to_date_time(UtcTime{seconds * 1000}))->seconds() == seconds);
  }
  CHECK(to_date_time(UtcTime{0}) == " 1-Jan-1970 00:00:00 +0000");
}

TEST_RFC("9051 §6.4.4", "text is found whatever its case") {
  CHECK(Needle("SMITH").in("Mr. smith"));
  CHECK(Needle("ÄÖ").in("häö"));
  CHECK(Needle("ПРИВЕТ").in("ну, привет!"));
  CHECK(Needle("ΣΊΣΥΦΟΣ").in("σίσυφος"));
  CHECK(Needle("").in("x"));
  CHECK_FALSE(Needle("abc").in("ababab"));
  CHECK(Needle("abab").in("aababab"));
  CHECK(Needle("日本").in("大日本語"));
  // At every place of a longer text, with letters that differ from others in one bit only ('@' and '`', '[' and '{').
  for (const Bytes needle : {Bytes("x"), Bytes("Xy@`z"), Bytes("{[}]"), Bytes("aba")}) {
    for (std::size_t length = needle.size(); length < 60; ++length) {
      for (std::size_t at = 0; at + needle.size() <= length; ++at) {
        std::string text(length, '.');
        text.replace(at, needle.size(), needle);
        CHECK(Needle(needle).in(text));
        text[at] = static_cast<char>(needle[0] ^ ('a' <= (needle[0] | 0x20) && (needle[0] | 0x20) <= 'z' ? 1 : 0x20));
        CHECK_FALSE(Needle(needle).in(text));
      }
    }
  }
  // Knuth, Morris, Pratt: no quadratic time.
  CHECK_FALSE(Needle(std::string(30'000, 'a') + "b").in(std::string(1'000'000, 'a')));
}

TEST_RFC("9051 §4.3", "strings and names of responses are grammatical whatever they hold") {
  ResponseWriter out;
  out.string("a\"b\\c").raw(" ").string("ä").raw(" ").string("").raw(" ").string("x\r\ny");
  CHECK(out.text() == "\"a\\\"b\\\\c\" {2}\r\n\xc3\xa4 \"\" {4}\r\nx\r\ny");
  out.clear();
  out.mailbox("INBOX").raw(" ").mailbox("My mail").raw(" ").mailbox("ä").raw(" ").mailbox("NIL").raw(" ").mailbox("a%");
  CHECK(out.text() == "INBOX \"My mail\" &AOQ- \"NIL\" \"a%\"");
  out.clear();
  out.set_utf8(true);
  out.mailbox("ä");
  CHECK(out.text() == "\"\xc3\xa4\"");
  out.clear();
  out.status("a", "NO", "", "evil\r\n* BYE");
  CHECK(out.text() == "a NO evil* BYE\r\n");
  out.clear();
  out.status("*", "OK", "ALERT", "");
  CHECK(out.text() == "* OK [ALERT] Done\r\n");
}

TEST_CASE("large pieces are borrowed in their place, small ones copied") {
  ResponseWriter out;
  const auto body = std::make_shared<std::string>(5000, 'b');
  out.raw("head ");
  out.borrowed(*body, body);
  out.raw(" tail ");
  out.borrowed("small", body);
  CHECK(body.use_count() == 2);
  const auto pieces = out.pieces();
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[1].data() == body->data());
  std::string all;
  for (const auto piece : pieces) all += piece;
  CHECK(all == "head " + *body + " tail small");
  out.clear();
  CHECK(out.empty());
  CHECK(body.use_count() == 1);
}

}  // namespace
}  // namespace facteur::imap
