// What people read: HTML, flowed text, the shown parts, previews.
#include "message/text.hpp"

#include "message/charset.hpp"
#include "message/enriched.hpp"
#include "message/flowed.hpp"
#include "message/html.hpp"
#include "message/mime.hpp"
#include "message/rtf.hpp"
#include "message/transfer.hpp"
#include "rfc_test.hpp"
#include "tnef_test.hpp"

namespace facteur::message {
namespace {

TEST_CASE("HTML becomes lines of text, and nothing that is not shown") {
  const auto text = [](std::string_view html) { return html_to_text(html, 10'000); };
  CHECK(text("<p>One\n two</p><p>Three<br>four</p>") == "One two\n\nThree\nfour\n");
  CHECK(text("<html><head><title>t</title><style>p{}</style></head><body>a<script>evil()</script>b</body>") == "ab\n");
  CHECK(text("<ul><li>a<li>b</ul>") == "- a\n- b\n");
  CHECK(text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>") == "a\tb\nc\n");
  CHECK(text("<img src=\"x\" alt='a &gt; b'>") == "a > b\n");
  CHECK(text("<pre>a\n  b</pre>") == "a\n  b\n");
  CHECK(text("a<!-- <b>hidden</b> -->b") == "ab\n");
  CHECK(text("a<!-- unclosed <b>x") == "a\n");
  CHECK(text("<a href=\"x>y\">z</a>") == "z\n");
  CHECK(text("1 < 2 && 3 <4") == "1 < 2 && 3 <4\n");
  CHECK(text("<script>unclosed") == "");
  CHECK(text("").empty());
}

TEST_CASE("character references: named, numeric, damaged, forbidden") {
  CHECK(read_character_reference("&eacute;").characters == "\xc3\xa9");
  CHECK(read_character_reference("&#233;x").length == 6);
  CHECK(read_character_reference("&#xE9;").characters == "\xc3\xa9");
  CHECK(read_character_reference("&#150;").characters == "\xe2\x80\x93");  // As windows-1252.
  CHECK(read_character_reference("&#0;").characters == "\xef\xbf\xbd");
  CHECK(read_character_reference("&#xd800;").characters == "\xef\xbf\xbd");
  CHECK(read_character_reference("&#99999999999999999999;").characters == "\xef\xbf\xbd");
  CHECK(read_character_reference("&#x1f600;").characters == "\xf0\x9f\x98\x80");
  CHECK(read_character_reference("&amp x").length == 4);
  CHECK(read_character_reference("&copy=1").length == 0);
  CHECK(read_character_reference("&unknown;").length == 0);
  CHECK(read_character_reference("&").length == 0);
}

TEST_RFC("3676 §4", "flowed text: soft ends, stuffing, depths, the signature mark, DelSp") {
  CHECK(unflowed("a \r\nb\r\nc\r\n", false) == "a b\nc\n");
  CHECK(unflowed(" >quoted not\r\n", false) == ">quoted not\n");
  CHECK(unflowed("> a \r\n> b\r\n>> c \r\nd\r\n", false) == "> a b\n>> c \nd\n");
  CHECK(unflowed("a \r\n-- \r\nsignature\r\n", false) == "a \n-- \nsignature\n");
  CHECK(unflowed("a \r\nb\r\n", true) == "ab\n");
  CHECK(unflowed("a ", false) == "a \n");
}

std::string alternative(std::string_view subtype) {
  return "Content-Type: multipart/" + std::string(subtype) +
         "; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\nPlain\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\n<p>Rich</p>\r\n--b--\r\n";
}

TEST_RFC("2046 §5.1.4", "of alternatives one is shown, of mixed parts all, of attachments none") {
  const auto shown = [](const std::string& text) { return display_text(text, parse_mime(text)); };
  CHECK(shown(alternative("alternative")) == "Plain\n");
  CHECK(shown(alternative("mixed")) == "Plain\n\nRich\n");
  CHECK(shown(alternative("signed")) == "Plain\n");
  CHECK(shown(alternative("encrypted")).empty());
  CHECK(shown("Content-Type: text/html\r\n\r\n<b>a</b>") == "a\n");
  CHECK(shown("Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\na").empty());
  CHECK(shown("Content-Type: image/png\r\n\r\na").empty());
  // The plain one is empty: the other one is better than nothing.
  CHECK(shown("Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\nContent-Type: "
              "text/html\r\n\r\n"
              "<p>x\r\n--b--\r\n") == "x\n");
}

TEST_RFC("2387 §3.2", "the root of related parts is the one that start names") {
  const std::string text =
      "Content-Type: multipart/related; boundary=b; start=\"<2@x>\"\r\n\r\n--b\r\nContent-ID: "
      "<1@x>\r\n\r\nfirst\r\n--b\r\n"
      "Content-ID: <2@x>\r\n\r\nsecond\r\n--b--\r\n";
  CHECK(display_text(text, parse_mime(text)) == "second\n");
}

TEST_RFC("8970 §3.1", "previews: one line, 200 characters, without quotes and signature") {
  const auto of = [](const std::string& body) {
    const std::string text = "Content-Type: text/plain; charset=utf-8\r\n\r\n" + body;
    return preview(text, parse_mime(text));
  };
  CHECK(of("Hello,\r\n\r\n  how are\tyou?\r\n-- \r\nJean\r\n") == "Hello, how are you?");
  CHECK(of("> quoted\r\nanswer\r\n") == "answer");
  CHECK(of("> only\r\n> quoted\r\n") == "only quoted");
  CHECK(of("").empty());
  std::string accents;
  for (int i = 0; i < 300; ++i) accents += "\xc3\xa9";
  CHECK(of(accents).size() == 400);
  CHECK(is_utf8(of(accents)));
  CHECK(of("a\x1b[31mred\x07") == "a[31mred");
}

TEST_CASE("the text for search has both alternatives, names of files, and messages inside") {
  const std::string text =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>body\r\n--b\r\n"
      "Content-Type: application/pdf; name=\"=?utf-8?q?caf=C3=A9.pdf?=\"\r\n\r\n%PDF\r\n--b\r\nContent-Type: "
      "message/rfc822\r\n"
      "\r\nSubject: inner\r\n\r\ninside\r\n--b--\r\n";
  const std::string found = searchable_text(text, parse_mime(text));
  for (const auto* wanted : {"body", "caf\xc3\xa9.pdf", "inner", "inside"}) {
    CAPTURE(wanted);
    CHECK(found.find(wanted) != std::string::npos);
  }
  CHECK(found.find("PDF\r") == std::string::npos);
}

TEST_CASE("the text for search and display knows files written into texts") {
  const std::string text =
      "Subject: a\r\n\r\nbefore\r\nbegin 644 notes.txt\r\n+0V%T(&YA<\"!B960`\r\n`\r\nend\r\nbegin 644 cat.gif\r\n"
      "#0V%T\r\n`\r\nend\r\nafter\r\n";
  const auto tree = parse_mime(text);
  CHECK(display_text(text, tree) == "before\n[notes.txt]\n[cat.gif]\nafter\n");
  CHECK(searchable_text(text, tree) == "before\n[notes.txt]\nCat nap bed\n[cat.gif]\nafter");
}

TEST_CASE("a leaf that needs no decoding is its own text for search") {
  const auto leaf = [](std::string_view type, Encoding encoding) {
    Part part;
    part.content_type = *parse_content_type(type);
    part.encoding = encoding;
    return part;
  };
  const Part plain = leaf("text/plain", Encoding::seven_bit);
  for (const auto* body :
       {"", "a\r\nb\r\n", "a\nb\tc", "<b>", "=41", "QUJD\r\n", "begin\r\nbegin 644\r\n", "a+AOk-~{VP~}"}) {
    CAPTURE(body);
    for (const auto* type : {"text/plain", "text/plain; charset=US-ASCII", "TEXT/plain; charset=utf-8",
                             "text/plain; charset=windows-1252", "text/plain; charset=iso-8859-1"}) {
      CAPTURE(type);
      const Part part = leaf(type, Encoding::eight_bit);
      CHECK(searchable_as_it_is(part, body));
      std::string without(body);
      std::erase(without, '\r');
      CHECK(searchable_leaf(part, "", body, 1'000) == without);
    }
    for (const auto* type : {"text/html", "text/enriched", "text/plain; format=flowed", "text/plain; charset=utf-7",
                             "text/plain; charset=hz-gb-2312", "application/octet-stream"}) {
      CAPTURE(type);
      CHECK_FALSE(searchable_as_it_is(leaf(type, Encoding::seven_bit), body));
    }
    for (const auto encoding : {Encoding::base64, Encoding::quoted_printable, Encoding::uuencode}) {
      CHECK_FALSE(searchable_as_it_is(leaf("text/plain", encoding), body));
    }
  }
  const std::string file = "begin 644 notes.txt\r\n+0V%T(&YA<\"!B960`\r\n`\r\nend\r\n";
  for (const std::string& body :
       {std::string("caf\u00e9"), std::string("\x1b$B4A;z\x1b(B"), std::string("a\x7f"), std::string("a\0b", 3),
        std::string("\x80"), file, std::string("begin 644 c\r\n#0V%T\rg"), std::string("a\rb")}) {
    CAPTURE(body);
    CHECK_FALSE(searchable_as_it_is(plain, body));
  }
}

TEST_CASE("the text for search and display knows what is in a winmail.dat") {
  const std::string tnef = tnef::letter_with_a_file();
  const auto message = [&tnef](std::string_view type) {
    return "Content-Type: " + std::string(type) + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           encode_base64_lines(tnef);
  };
  for (const auto* type : {"application/ms-tnef", "application/octet-stream; name=\"WINMAIL.DAT\""}) {
    CAPTURE(type);
    const std::string text = message(type);
    const auto tree = parse_mime(text);
    CHECK(display_text(text, tree) == "Words of the body\n");
    const std::string found = searchable_text(text, tree);
    for (const auto* wanted : {"The subject", "Words of the body", "list.csv", "apples;pears"}) {
      CAPTURE(wanted);
      CHECK(found.find(wanted) != std::string::npos);
    }
  }
  const std::string other = message("application/octet-stream; name=a.dat");
  CHECK(display_text(other, parse_mime(other)).empty());
}

TEST_CASE("enriched text becomes lines of text: commands, parameters, line ends, damage") {
  const auto text = [](std::string_view enriched) { return enriched_to_text(enriched, 1'000); };
  CHECK(text("<Bold>a</bold> line\r\nof it\r\n\r\nb\n\n\nc") == "a line of it\nb\n\nc");
  CHECK(text("<color><param>red</param>a</color> << b") == "a < b");
  CHECK(text("<nofill>a\nb\n</nofill>c\nd") == "a\nb\nc d");
  CHECK(text("a<param>b") == "a");
  CHECK(text("a</param></nofill>b") == "ab");
  CHECK(text("a < b") == "a < b");
  CHECK(text("a <" + std::string(70, 'x') + ">") == "a <" + std::string(70, 'x') + ">");
  CHECK(text("").empty());
}

TEST_CASE("RTF becomes lines of text: characters of all kinds, hidden groups, wrapped HTML, damage") {
  const auto text = [](std::string_view rtf) { return rtf_to_text(rtf, 1'000); };
  CHECK(text("{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}\\pard One\\par\r\nTwo\\tab 3\\par}") ==
        "One\nTwo\t3\n");
  CHECK(text("{\\rtf1\\ansicpg1251 \\'cf\\'f0 \\u8364?\\u-10179?\\u-8704?}") == "\u041f\u0440 \u20ac\U0001f600");
  CHECK(text("{\\rtf1\\ansicpg932 \\'93\\'fa}") == "\u65e5");
  CHECK(text("{\\rtf1{\\*\\generator hidden;}{\\pict 0102}\\{shown\\}\\\\}") == "{shown}\\");
  CHECK(text("{\\rtf1\\fromhtml1 {\\*\\htmltag64 <p>}\\htmlrtf {\\htmlrtf0 Words\\htmlrtf\\par}\\htmlrtf0 }") ==
        "Words");
  CHECK(text("{\\rtf1 a\\bin3 {}{b") == "ab");
  CHECK(text("{\\rtf1\\uc2\\u233xyz}") == "\u00e9z");
  CHECK(text("no RTF").empty());
  const std::string whole = "{\\rtf1\\ansicpg1251 \\'cf{\\b \\u8364?}\\bin2 {}\\par}";
  for (std::size_t i = 0; i <= whole.size(); ++i) CHECK(is_utf8(text(whole.substr(0, i))));
  CHECK(is_utf8(text("{\\rtf1" + std::string(5'000, '{') + "a" + std::string(6'000, '}') + "b")));
}

TEST_RFC("2183 §2.3", "names of files are never paths and hold no controls") {
  const auto name = [](std::string_view value) {
    return file_name("Content-Disposition: attachment; " + std::string(value));
  };
  CHECK(name("filename=\"../../etc/passwd\"") == "passwd");
  CHECK(name("filename=\"C:\\\\x\\\\a.txt\"") == "a.txt");
  CHECK(name("filename*=utf-8''%e2%82%ac.txt") == "\xe2\x82\xac.txt");
  CHECK(name("filename=\"..\"").empty());
  CHECK(name("filename*=utf-8''a%00%0ab.txt") == "a b.txt");
  CHECK(file_name("Content-Type: image/png; name=a.png\r\n\r\n") == "a.png");
  CHECK(file_name("Content-Type: image/png\r\n\r\n").empty());
}

TEST_CASE("texts are cut between characters, and lose their controls") {
  CHECK(cut_at_character("a\xc3\xa9", 2) == "a");
  CHECK(cut_at_character("a\xc3\xa9", 3) == "a\xc3\xa9");
  CHECK(without_controls("a\r\nb\rc\x1b\xc2\x9b\x7f\td") == "a\nb\nc\td");
}

}  // namespace
}  // namespace facteur::message
