#include "message/verify.hpp"

#include <algorithm>

#include "message/inert.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

std::string names(Bytes message) {
  std::string out;
  for (const auto& one : verify(message)) {
    out.append(one.what).append(one.detail.empty() ? "" : ":" + one.detail);
    out.append(one.line ? "@" + std::to_string(one.line) + " " : " ");
  }
  return out;
}

constexpr std::string_view good =
    "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nFrom: a@b.example\r\nMessage-ID: <1@b.example>\r\n";

TEST_RFC("5322 §3.6", "verify: fields that must be there, fields that may be there once") {
  const std::string start(good);
  CHECK(names(start + "\r\nx\r\n").empty());
  CHECK(names("") == "empty no_date no_from no_message_id ");
  CHECK(names("Subject: x\r\n\r\n") == "no_date no_from no_message_id ");
  CHECK(names(start + "Subject: x\r\nsubject: y\r\n\r\n") == "field_twice:subject@5 ");
  CHECK(names(start + "no field\r\n\r\n").find("not_a_field:no field@4") != std::string::npos);
  CHECK(names(start + "no field\n\n").find("not_a_field:no field@4") != std::string::npos);
  // Of a message cut out of an mbox file.
  const std::string cut = "From a@b Sat Jan  3 01:05:34 1996\n" + start + "\r\n";
  CHECK(names(cut).find("mbox_line") != std::string::npos);
  CHECK(names(cut).find("not_a_field") == std::string::npos);
  CHECK(names(start + "From here on\r\n\r\n").find("not_a_field") != std::string::npos);
  CHECK(names("Date: yesterday\r\nFrom: nobody\r\nMessage-ID: none\r\n\r\n") ==
        "bad_date:yesterday@1 bad_address:nobody@2 bad_message_id:none@3 ");
}

TEST_RFC("5322 §2.3", "verify: line ends, long lines, NUL") {
  const std::string start = std::string(good) + "\r\n";
  CHECK(names(start + "a\nb\r\n") == "bare_lf@5 ");
  CHECK(names(start + "a\rb\r\n") == "bare_cr@5 ");
  CHECK(names(start + std::string("a\0b\r\n", 5)) == "nul@5 ");
  CHECK(names(start + "x\r\n" + std::string(999, 'y') + "\r\n") == "line_too_long:999@6 ");
  CHECK(names(start + std::string(998, 'y') + "\r\n").empty());
  CHECK(names(start + "x") == "no_last_line_end@5 ");
  CHECK(names(std::string(good) + "Subject: caf\xc3\xa9\r\n\r\n") == "header_utf8@4 ");
}

TEST_RFC("2045 §6.4", "verify: parts that are damaged, and readings that differ") {
  const std::string start = std::string(good) + "MIME-Version: 1.0\r\n";
  CHECK(names(start + "Content-Transfer-Encoding: base64\r\n\r\nAAA\r\n") == "base64_cut@1 ");
  CHECK(names(start + "Content-Transfer-Encoding: quoted-printable\r\n\r\na=b\r\n") == "bad_quoted_printable@1 ");
  CHECK(names(start + "Content-Type: text/plain; charset=utf-8\r\n\r\n\xe9\r\n") ==
        "eight_bit_unlabelled@1 wrong_charset:utf-8@1 ");
  CHECK(names(start + "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx\r\n").find("ambiguous:two_types") !=
        std::string::npos);
  CHECK(names(std::string(good) + "Content-Type: text/plain\r\n\r\nx\r\n") == "no_mime_version ");
  CHECK(names(std::string("DKIM-Signature: v=1\r\n") + std::string(good) + "\r\n") ==
        "signature_not_checked:dkim-signature ");
}

TEST_CASE("verify: the Date against the servers on the way") {
  const auto with = [](const std::string& date) {
    return names("Received: from a by b; Fri, 21 Nov 1997 10:00:00 -0600\r\nDate: " + date +
                 "\r\nFrom: a@b.example\r\nMessage-ID: <1@b.example>\r\n\r\n");
  };
  CHECK(with("Fri, 21 Nov 1997 09:55:06 -0600").empty());
  CHECK(with("Mon, 24 Nov 1997 09:55:06 -0600").find("date_after_arrival") != std::string::npos);
  CHECK(with("Sat, 01 Nov 1997 09:55:06 -0600").find("date_long_before") != std::string::npos);
}

TEST_CASE("text for a terminal: nothing in it is an order, and nothing is hidden") {
  CHECK(inert_text("caf\xc3\xa9 \xe2\x82\xac") == "caf\xc3\xa9 \xe2\x82\xac");
  CHECK(inert_text("\x1b[31mred\x1b]0;title\x07") == "\u241b[31mred\u241b]0;title\u2407");
  CHECK(inert_text("a\nb\tc") == "a\u240ab\u2409c");
  CHECK(inert_text("a\nb\tc\r", true) == "a\nb\tc\u240d");
  CHECK(inert_text("\xc2\x9b"
                   "1m") ==
        "\ufffd"
        "1m");  // C1 CSI.
  CHECK(inert_text("a\u202eb\u200bc\u2066") == "a[U+202E]b[U+200B]c[U+2066]");
  CHECK(inert_text("\x7f") == "\u2421");
  const std::string mended = inert_text("x\xff\xfey");
  CHECK(mended.starts_with('x'));
  CHECK(mended.ends_with('y'));
  CHECK(inert_text("\U0001f600") == "\U0001f600");
}

}  // namespace
}  // namespace facteur::message
