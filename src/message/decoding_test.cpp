// Transfer encodings, charsets, encoded words, message ids.
#include "message/charset.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "message/text.hpp"
#include "message/transfer.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

TEST_RFC("2045 §6.7", "quoted-printable") {
  CHECK(decode_quoted_printable("caf=C3=A9 =\r\nna=c3=afve  \r\nend=3D") == "café naïve\r\nend=");
  CHECK(decode_quoted_printable("a=ZZb=4") == "a=ZZb=4");
  CHECK(decode_quoted_printable("a=") == "a");
  CHECK(decode_quoted_printable("one\ntwo=\nthree") == "one\ntwothree");
  std::string text = "From me\r\n.dot\r\ntrailing blank \r\nlong " + std::string(200, 'x') + " é=\r\n\ttab";
  for (int c = 0; c < 256; ++c) text += static_cast<char>(c);
  std::string expected = text;
  const std::string encoded = encode_quoted_printable(text);
  for (std::size_t start = 0; start < encoded.size();) {
    const std::size_t end = std::min(encoded.find("\r\n", start), encoded.size());
    CHECK(end - start <= 76);
    start = end + 2;
  }
  // The lone LF of the octets is taken as a line end, all else is as it was.
  const std::size_t lone = expected.find("\t\n") + 1;
  expected.insert(lone, 1, '\r');
  CHECK(decode_quoted_printable(encoded) == expected);
}

TEST_RFC("2045 §6.8", "base64 of mail passes over what does not belong") {
  CHECK(decode_base64("SGVs\r\nbG8=") == "Hello");
  CHECK(decode_base64("SGVsbG8") == "Hello");
  CHECK(decode_base64("S-G V*s!bG8=") == "Hello");
  CHECK(decode_base64("SGVsbG8=IQ==") == "Hello!");
  CHECK(decode_base64("====") == "");
  std::string octets;
  for (int i = 0; i < 1000; ++i) {
    octets += static_cast<char>(i * 7);
    CHECK(decode_base64(encode_base64_lines(octets)) == octets);
  }
}

TEST_CASE("charsets become UTF-8, whatever comes") {
  CHECK(to_utf8("caf\xe9 \x80", "iso-8859-1") == "café €");
  CHECK(to_utf8("\xa4", "ISO-8859-15") == "€");
  CHECK(to_utf8("\x93x\x94", "windows-1252") == "“x”");
  CHECK(to_utf8("a\xff\xc3\xa9", "utf-8") == "a\xef\xbf\xbdé");
  CHECK(to_utf8("\xcf\xf0\xe8", "koi8-r") == "оПХ");
  CHECK(to_utf8("\x1b$B$3\x1b(B", "iso-2022-jp") == "こ");
  CHECK(to_utf8("caf\xe9", "no-such-charset") == "café");
  CHECK(to_utf8("café", "no-such-charset") == "café");
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));
  CHECK_FALSE(is_utf8("\xc0\x80"));
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));
  CHECK(charset_known("Shift_JIS"));
  CHECK_FALSE(charset_known("no-such-charset"));
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (const auto* name : {"utf-8", "iso-8859-1", "shift_jis", "gb18030", "utf-7", "utf-16", "x"})
    CHECK(is_utf8(to_utf8(all, name)));
}

TEST_RFC("2047 §8", "the examples of the standard") {
  CHECK(decoded_text("=?ISO-8859-1?Q?a?=") == "a");
  CHECK(decoded_text("=?ISO-8859-1?Q?a?= b") == "a b");
  CHECK(decoded_text("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=") == "ab");
  CHECK(decoded_text("=?ISO-8859-1?Q?a?=\r\n   =?ISO-8859-1?Q?b?=") == "ab");
  CHECK(decoded_text("=?ISO-8859-1?Q?a_b?=") == "a b");
  CHECK(decoded_text("=?US-ASCII?Q?Keith_Moore?= <moore@cs.example>") == "Keith Moore <moore@cs.example>");
  CHECK(decoded_text("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n "
                     "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=") ==
        "If you can read this you understand the example.");
}

TEST_RFC("2231 §5", "an encoded word may carry a language") {
  CHECK(decoded_text("=?US-ASCII*EN?Q?Keith?=") == "Keith");
}

TEST_RFC("5322 §3.6.5", "lists of texts: quotes, comments, encoded words, empty ones, many") {
  using List = std::vector<std::string>;
  CHECK(decoded_list(" a b ,\"c, d\"\r\n (e, f), =?utf-8?q?caf=C3=A9?=,,") == List{"a b", "c, d", "café"});
  CHECK(decoded_list("").empty());
  CHECK(decoded_list("\"a, b") == List{"a, b"});
  CHECK(decoded_list("(a").empty());
  std::string many;
  for (int i = 0; i < 5'000; ++i) many += "a,";
  CHECK(decoded_list(many).size() == 1'000);
}

TEST_RFC("2047 §5", "characters split between words, raw octets and damage") {
  CHECK(decoded_text("=?utf-8?B?w6k=?= =?utf-8?Q?=C3?= =?utf-8?Q?=A9?=") == "éé");
  CHECK(decoded_text("caf\xe9") == "café");
  CHECK(decoded_text("café") == "café");
  CHECK(decoded_text("\xcf\xf0", "windows-1251") == "\u041f\u0440");
  CHECK(decoded_text("\xc3\xa9", "windows-1251") == "é");  // UTF-8, whatever the text is in.
  CHECK(decoded_text("\xe9", "nobody's") == "é");
  CHECK(decoded_text("\xe9", "utf-8") == "é");
  CHECK(decoded_text("\xe9", "us-ascii") == "é");
  // UTF-8 that was cut: the rest of it stays readable.
  CHECK(decoded_text("café, café\xc3") == "café, café\ufffd");
  // Escape sequences of ISO-2022 without a word to say so.
  CHECK(decoded_text("\x1b$B$\"\x1b(B x") == "\u3042 x");
  // Each word complete, as RFC 2047 §5 wants it: no escape sequence that does nothing is left over.
  CHECK(decoded_text("=?ISO-2022-JP?B?GyRCJUYbKEI=?=\r\n =?ISO-2022-JP?B?GyRCJUYbKEI=?=") == "\u30c6\u30c6");
  CHECK(decoded_text("=?utf-8?X?a?= =?utf-8?Q?a =?=") == "=?utf-8?X?a?= a =");
  CHECK(decoded_text("=?utf-8?Q?a=0D=0Ab=00?=") == "a  b ");
  const std::string_view text = "x =?utf-8?Q?=C3=A9?= =?iso-8859-1*fr?B?6Q==?= y";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK(is_utf8(decoded_text(text.substr(0, cut))));
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "=?a?q?";
  CHECK(is_utf8(decoded_text(many)));
}

TEST_RFC("5322 §3.6.4", "message ids") {
  using Ids = std::vector<std::string>;
  CHECK(parse_message_ids(" <a@b>\r\n (comment <no@x>) <c@d><e@f>") == Ids{"a@b", "c@d", "e@f"});
  CHECK(parse_message_ids("Your message of <a@b> \"<no@x>\"") == Ids{"a@b"});
  CHECK(parse_message_ids("<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>") == Ids{"01KF8JCEOCBS0045PS@xxx.yyy.com"});
  CHECK(parse_message_ids("<\"a b\"@c>") == Ids{"\"a b\"@c"});
  CHECK(parse_message_ids("<a@b <c@d> <e") == Ids{"c@d"});
  CHECK(thread_parents("<a@b> <c@d>", "<x@y>") == Ids{"a@b", "c@d"});
  CHECK(thread_parents("", "<x@y> <z@y>") == Ids{"x@y"});
}

TEST_RFC("5256 §2.1", "base subjects") {
  bool reply = false;
  CHECK(base_subject("Re: hello", &reply) == "hello");
  CHECK(reply);
  CHECK(base_subject("hello", &reply) == "hello");
  CHECK_FALSE(reply);
  CHECK(base_subject("  RE : Fwd:\tFW: [list] hello  there (fwd) (FWD)") == "hello there");
  CHECK(base_subject("[fwd: re: hello]") == "hello");
  CHECK(base_subject("[blob]") == "[blob]");
  CHECK(base_subject("[a] [b] x") == "x");
  CHECK(base_subject("Re[2]: x") == "x");
  CHECK(base_subject("Re:") == "");
  CHECK(base_subject("Regarding x") == "Regarding x");
}

TEST_CASE("bodies whose charset is missing, wrong, or means more than it says") {
  // ISO-2022-JP is ASCII to whoever does not look for its escapes.
  CHECK(body_to_utf8("\x1b$B$3$s\x1b(B", "") == "\xe3\x81\x93\xe3\x82\x93");
  CHECK(body_to_utf8("plain", "us-ascii") == "plain");
  CHECK(body_to_utf8("caf\xc3\xa9", "us-ascii") == "caf\xc3\xa9");
  // Labels of the wild: a character of GBK under gb2312, underscores, windows-949 under ks_c_5601-1987.
  CHECK(body_to_utf8("\xe9\x46", "gb2312") == "\xe9\x95\x95");
  CHECK(body_to_utf8("\xc1", "koi8_r") == "\xd0\xb0");
  CHECK(body_to_utf8("\xb0\xa1", "ks_c_5601-1987") == "\xea\xb0\x80");
  // Damaged UTF-8 stays UTF-8; what is none at all under that label is something else.
  CHECK(body_to_utf8("\xc3\xa9\xc3\xa9\xc3\xa9\xff", "utf-8") == "\xc3\xa9\xc3\xa9\xc3\xa9\xef\xbf\xbd");
  const std::string french =
      "L'\xe9t\xe9 dernier, le pr\xe9sident a \xe9t\xe9 r\xe9\xe9lu \xe0 Gen\xe8ve pour la premi\xe8re fois.";
  CHECK(body_to_utf8(french, "utf-8") == to_utf8(french, "iso-8859-1"));
  CHECK(is_utf8(body_to_utf8("\x80\xff\x00\xfe", "nobodys-charset")));
}

TEST_CASE("raw octets of a header are in the charset of the text, said or told by its octets") {
  const std::string subject =
      "\xc0\xcc\xbf\xeb\xbe\xe0\xb0\xfc \xb9\xd7 \xbc\xad\xba\xf1\xbd\xba \xbb\xf3\xc7\xb0\xbe\xe0\xb0\xfc "
      "\xba\xaf\xb0\xe6 \xbe\xc8\xb3\xbb";
  const std::string body =
      "\xc7\xd7\xbb\xf3 \xc0\xfa\xc8\xf1 \xbc\xad\xba\xf1\xbd\xba\xb8\xa6 \xc0\xcc\xbf\xeb\xc7\xd8 "
      "\xc1\xd6\xbc\xc5\xbc\xad \xb0\xa8\xbb\xe7\xc7\xd5\xb4\xcf\xb4\xd9. \xbb\xf5\xb7\xce\xbf\xee "
      "\xbe\xe0\xb0\xfc\xc0\xba \xb4\xd9\xc0\xbd \xb4\xde\xba\xce\xc5\xcd \xc0\xfb\xbf\xeb\xb5\xcb\xb4\xcf\xb4\xd9. "
      "\xc0\xda\xbc\xbc\xc7\xd1 \xb3\xbb\xbf\xeb\xc0\xba \xc8\xa8\xc6\xe4\xc0\xcc\xc1\xf6\xb8\xa6 "
      "\xc8\xae\xc0\xce\xc7\xd8 \xc1\xd6\xbd\xc3\xb1\xe2 \xb9\xd9\xb6\xf8\xb4\xcf\xb4\xd9.";
  const auto read = [&](const std::string& fields) {
    const std::string message = "Subject: " + subject + "\r\n" + fields + "\r\n" + body + "\r\n";
    const std::string charset = charset_of_header(message, parse_mime(message));
    return decoded_text(subject, charset);
  };
  const std::string wanted = "이용약관 및 서비스 상품약관 변경 안내";
  CHECK(read("Content-Type: text/plain; charset=euc-kr\r\n") == wanted);
  CHECK(read("") == wanted);
  CHECK(read("Content-Type: text/plain; charset=us-ascii\r\n") == wanted);
  CHECK(read("Content-Type: text/plain; charset=nobodys\r\n") == wanted);
  const std::string ascii = "Subject: x\r\nContent-Type: text/plain; charset=euc-kr\r\n\r\n" + body;
  CHECK(charset_of_header(ascii, parse_mime(ascii)).empty());
  const std::string picture = "Subject: \xe9\r\nContent-Type: image/png\r\n\r\nx";
  CHECK(charset_of_header(picture, parse_mime(picture)).empty());
}

}  // namespace
}  // namespace facteur::message
