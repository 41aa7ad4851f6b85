// BODY and TEXT over messages of all makes.
#include "imap/body_search.hpp"

#include <optional>
#include <string>

#include "growth_test.hpp"
#include "hostile_messages.hpp"
#include "message/transfer.hpp"
#include "rfc_test.hpp"
#include "tnef_test.hpp"

namespace facteur::imap {
namespace {

bool has(const std::string& content, std::string_view wanted, Searched where) {
  const std::string prefix = "Return-Path: <anne@example.org>\r\n";
  const std::string record = message::make_structure(prefix, content);
  const auto structure = message::Structure::open(record);
  REQUIRE(structure);
  const Needle needle = needle_of_text(wanted);
  // Borders of pieces anywhere change nothing.
  std::optional<bool> found;
  for (const std::size_t cut : {content.size(), std::size_t{0}, content.size() / 2, content.size() * 2 / 3}) {
    MessagePieces pieces;
    pieces.add(prefix);
    pieces.add(Bytes(content).substr(0, cut));
    pieces.add(Bytes(content).substr(cut));
    const bool now = message_has(*structure, pieces, needle, where);
    CHECK(found.value_or(now) == now);
    found = now;
  }
  return *found;
}
bool body(const std::string& content, std::string_view wanted) {
  const bool found = has(content, wanted, Searched::body);
  if (found) CHECK(has(content, wanted, Searched::all));  // TEXT is BODY and more.
  return found;
}
bool only_text(const std::string& content, std::string_view wanted) {
  return has(content, wanted, Searched::all) && !has(content, wanted, Searched::body);
}

TEST_RFC("9051 §6.4.4", "BODY finds what a person reads, however it is written") {
  const std::string html =
      "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
      "<p class=3D\"frame\">Gr=C3=BC&szlig;e an <b>al</b>le</p><!-- hidden --><script>evil()</script>\r\n";
  CHECK(body(html, "gr\u00fc\u00dfe an alle"));
  for (const auto* const markup : {"frame", "<b>", "szlig", "hidden", "evil"}) CHECK_FALSE(body(html, markup));
  const std::string flowed =
      "Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\nDonaudampf \r\nschifffahrt\r\n> quoted \r\n> text\r\n";
  CHECK(body(flowed, "donaudampfschiff"));
  const std::string cyrillic =
      "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n8NLJ18XU\r\n";
  CHECK(body(cyrillic, "\u041f\u0440\u0438\u0432\u0435\u0442"));
  CHECK(body(cyrillic, "\u043f\u0440\u0438"));
  const std::string japanese =
      "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B4A;z\x1b(B\r\n";  // Seven bits, yet not as it reads.
  CHECK(body(japanese, "\u6f22\u5b57"));
  CHECK_FALSE(body(japanese, "B4A;z"));
  const std::string wrapped = "Subject: a\r\n\r\nbefore\r\nbegin 644 notes.txt\r\n+0V%T(&YA<\"!B960`\r\n`\r\nend\r\n";
  CHECK(body(wrapped, "cat nap"));
  CHECK(body(wrapped, "notes.txt"));
  CHECK_FALSE(body(wrapped, "960`"));
  const std::string plain = "Subject: a\r\n\r\none\r\ntwo\r\n";
  CHECK(body(plain, "e\r\nt"));
  CHECK(body(plain, "e\nt"));
  CHECK_FALSE(body(plain, "onetwo"));
}

TEST_RFC("9051 §6.4.4", "TEXT also sees all headers, BODY those of messages inside only") {
  const std::string mixed =
      "Subject: =?utf-8?q?Outer_t=C3=AAte?=\r\nX-Own: own-value\r\n"
      "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Description: "
      "described\r\n\r\nhello\r\n"
      "--b\r\nContent-Type: message/rfc822\r\nX-Around: around\r\n\r\nSubject: =?utf-8?q?Inner_t=C3=AAte?=\r\n"
      "From: deep@example.net\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nX-Deep: "
      "deepest\r\n\r\ninside\r\n"
      "--c--\r\n--b\r\nContent-Type: application/pdf; name*=utf-8''r%C3%A9sum%C3%A9.pdf\r\n\r\n%PDF "
      "octets\r\n--b--\r\n";
  for (const auto* const wanted : {"hello", "inside", "inner t\u00eate", "deep@example.net"}) {
    CAPTURE(wanted);
    CHECK(body(mixed, wanted));
  }
  for (const auto* const wanted : {"outer t\u00eate", "own-value", "x-own: own", "described", "around", "deepest",
                                   "r\u00e9sum\u00e9.pdf", "anne@example.org", "application/pdf"}) {
    CAPTURE(wanted);
    CHECK(only_text(mixed, wanted));
  }
  for (const auto* const wanted : {"PDF octets", "preamble", "nowhere"}) {
    CAPTURE(wanted);
    CHECK_FALSE(has(mixed, wanted, Searched::all));
  }
}

TEST_RFC("3464 §2.1", "BODY finds what a report says in its fields") {
  const std::string report =
      "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nIt failed.\r\n--b\r\nContent-Type: "
      "message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; "
      "paul@example.net\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: returned\r\n--b--\r\n";
  for (const auto* const wanted : {"it failed", "mx.example.org", "paul@example.net", "returned"}) {
    CAPTURE(wanted);
    CHECK(body(report, wanted));
  }
}

TEST_RFC("9051 §6.4.4", "BODY finds the words in a winmail.dat, and names and words of its files") {
  const std::string tnef = tnef::letter_with_a_file();
  for (const std::string type : {"application/ms-tnef", "application/octet-stream; name=winmail.dat"}) {
    CAPTURE(type);
    const std::string message =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee attachment\r\n--b\r\nContent-Type: " + type +
        "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + message::encode_base64_lines(tnef) + "--b--\r\n";
    for (const auto* const wanted : {"WORDS OF", "the subject", "list.csv", "apples;pears", "see attachment"}) {
      CAPTURE(wanted);
      CHECK(body(message, wanted));
    }
    CHECK_FALSE(body(message, "winmail"));
  }
}

TEST_CASE("looking through a hostile message costs in proportion to its octets (RELIABILITY G8)") {
  for (const auto& input : hostile::messages()) {
    growth::check(input, 100'000, [](const std::string& text) {
      const std::string record = message::make_structure({}, text);
      MessagePieces pieces;
      pieces.add(text);
      const auto structure = message::Structure::open(record);
      REQUIRE(structure);
      (void)message_has(*structure, pieces, needle_of_text("n\u00f6where"), Searched::all);
    });
  }
}

TEST_CASE("a long plain text is looked through to its end") {
  std::string text = "Subject: a\r\n\r\n";
  while (text.size() < 20'000'000) text += "The same line again and again, and nothing else in it at all.\r\n";
  const std::string message = text + "needle\r\n";
  CHECK(body(message, "needle"));
  CHECK_FALSE(body(text, "needle"));
}

}  // namespace
}  // namespace facteur::imap
