#include "message/seven_bit.hpp"

#include <algorithm>

#include "message/header.hpp"
#include "message/mime.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

// What every conversion must keep: seven bits, the same parts, the same decoded texts.
void check_same(const std::string& before, const std::string& after) {
  CHECK_FALSE(needs_encoding(after));
  const auto old = parse_mime(before);
  const auto now = parse_mime(after);
  REQUIRE(old.parts.size() == now.parts.size());
  for (std::size_t i = 0; i < old.parts.size(); ++i) {
    CHECK(old.parts[i].kind == now.parts[i].kind);
    CHECK(old.parts[i].content_type.subtype == now.parts[i].content_type.subtype);
    if (old.parts[i].kind == Part::Kind::leaf) {
      CHECK(decoded_body(before, old.parts[i]) == decoded_body(after, now.parts[i]));
    }
  }
}

std::string converted(const std::string& before) {
  auto after = to_seven_bit(before);
  REQUIRE(after);
  check_same(before, *after);
  CHECK(*to_seven_bit(*after) == *after);  // Nothing is left to convert.
  return *after;
}

TEST_CASE("7 bits in pieces: what stays as it is, is not copied") {
  std::string files;
  for (int i = 0; i < 5'000; ++i) files += std::string(76, 'A') + "\r\n";
  const std::string file = "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + files;
  const std::string message = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nété\r\n" + file +
                              "--b\r\n\r\nété\r\n" + file + "--b--\r\n";
  const auto made = seven_bit_pieces(message);
  REQUIRE(made);
  std::size_t copied = 0;
  std::string whole;
  for (const Bytes piece : made->pieces()) {
    const bool borrowed = piece.data() >= message.data() && piece.data() < message.data() + message.size();
    copied += borrowed ? 0 : piece.size();
    whole.append(piece);
  }
  CHECK(copied < 500);
  CHECK(made->pieces().size() < 20);
  check_same(message, whole);
  CHECK(*to_seven_bit(message) == whole);
}

TEST_RFC("2046 §5.1.1",
         "an inner header without its blank line reaches to the delimiter, whose line end is not doubled") {
  const std::string before =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
      "Subject: x\r\n--b\r\n\r\ny\r\n--b--\r\n";
  const std::string after = converted(before);
  CHECK(after.ends_with("message/rfc822\r\n\r\nSubject: x\r\n--b\r\n\r\ny\r\n--b--\r\n"));
  converted(
      "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
      "--b\r\n\r\né\r\n--b\r\nX: y\r\n--a\r\n\r\nz\r\n--a--\r\n");
}

TEST_RFC("2046 §5.1.1", "what is written whole ends where its body does, and no line end behind it is lost") {
  const auto beside = [](const std::string& part) {
    return "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ncafé\r\n--b\r\n" + part +
           "\r\n--b\r\n\r\nlast\r\n--b--\r\n";
  };
  for (const std::string part : {
           "Content-Type: message/global\r\n\r\nSubject: x",
           "Content-Type: message/global\r\n\r\n",
           "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain",
           "Content-Type: multipart/encrypted; boundary=s\r\n\r\n--s\r\nContent-Type: text/plain",
           "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nA: b",
           "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: message/global\r\n\r\nA: b",
       }) {
    CAPTURE(part);
    CHECK(converted(beside(part)).ends_with("\r\n--b\r\n" + part + "\r\n--b\r\n\r\nlast\r\n--b--\r\n"));
  }
}

TEST_RFC("2046 §5.1.1",
         "a multipart in which no part is found keeps its text or is refused, and loses no letter of it") {
  for (const std::string header :
       {"Content-Type: multipart/mixed\r\n\r\n", "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=never\r\n\r\n"}) {
    CAPTURE(header);
    CHECK(to_seven_bit(header + "déjà vu\r\n") == std::unexpected(Unconvertible::damaged));
    CHECK(to_seven_bit("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n" + header + "été\r\n--o--\r\n") ==
          std::unexpected(Unconvertible::damaged));
    const std::string plain =
        "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nété\r\n--o\r\n" + header + "vu\r\n--o--\r\n";
    CHECK(to_seven_bit(plain)->ends_with(header + "vu\r\n--o--\r\n"));
  }
}

TEST_RFC("6152 §3", "a text becomes quoted-printable, and its field says so") {
  const std::string after = converted(
      "DKIM-Signature: v=1;\r\n  h=from\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "content-transfer-encoding: 8BIT\r\nSubject: x\r\n\r\nDéjà = vu\r\n.\r\n");
  CHECK(after ==
        "DKIM-Signature: v=1;\r\n  h=from\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\nSubject: x\r\n\r\nD=C3=A9j=C3=A0 =3D vu\r\n=2E\r\n");
}

TEST_RFC("2045 §6.2", "each part of nested multiparts by itself, what is 7bit untouched") {
  const std::string message =
      "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "pr\xe9"
      "amble\r\n--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nd\xe9j\xe0\r\n"
      "--b\r\nContent-Type: text/html\r\n\r\n<p>plain</p>\r\n--b--\r\n"
      "--a\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x01\xff\n\n\xfe\r\n"
      "--a\r\n\r\n\xe9 without a header\r\n"
      "--a\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
      "Subject: inside\r\n\r\nd\xe9j\xe0 vu\r\n--a--\r\n\xe9pilogue\r\n";
  const std::string after = converted(message);
  CHECK(after.find("pr?amble") != std::string::npos);
  CHECK(after.find("?pilogue") != std::string::npos);
  CHECK(after.find("Content-Transfer-Encoding: base64\r\n\r\nAf8KCv4=\r\n") != std::string::npos);
  CHECK(after.find("Content-Type: text/html\r\n\r\n<p>plain</p>\r\n--b--") != std::string::npos);
  CHECK(after.find("Subject: inside\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
                   "Content-Transfer-Encoding: quoted-printable\r\n\r\nd=E9j=E0 vu\r\n--a--") != std::string::npos);
  CHECK(after.find("Encoding: 8bit") == std::string::npos);  // No label that does not hold.
}

TEST_RFC("1847 §2.1", "signed and encrypted parts are never touched") {
  const auto sealed = [](const std::string& subtype, const std::string& text) {
    return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/" +
           subtype + "; boundary=s\r\n\r\n--s\r\n\r\n" + text +
           "\r\n--s\r\nContent-Type: application/x\r\n\r\nsig\r\n--s--\r\n--o--\r\n";
  };
  CHECK(to_seven_bit(sealed("signed", "d\xe9j\xe0")) == std::unexpected(Unconvertible::signed_part));
  CHECK(to_seven_bit(sealed("encrypted", "d\xe9j\xe0")) == std::unexpected(Unconvertible::encrypted_part));
  CHECK(to_seven_bit(sealed("signed", "deja")) == sealed("signed", "deja"));
}

TEST_RFC("2046 §5.2.2", "what may have no encoding is refused") {
  CHECK(to_seven_bit("MIME-Version: 1.0\r\nContent-Type: message/partial; id=x; number=1\r\n\r\n\xe9\r\n") ==
        std::unexpected(Unconvertible::partial));
  CHECK(to_seven_bit("MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-own\r\n\r\n\xe9\r\n") ==
        std::unexpected(Unconvertible::unknown_encoding));
}

TEST_CASE("7bit: a message without MIME gets its fields; long lines and NUL are encoded; damage is mended") {
  CHECK(converted("Subject: x\r\n\r\nété\r\n") ==
        "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9t=C3=A9\r\n");
  converted("Subject: x\r\n\r\n" + std::string(5000, 'x') + "\r\n");
  converted(std::string("Subject: x\r\n\r\na\0b\r\n", 19));
  converted("Content-Type: text/plain\r\n\r\nbare\nline \xe9 ends\r\n");
  converted("Content-Transfer-Encoding: quoted-printable\r\n\r\nraw \xe9 and =E9\r\n");
  // RFC 6532 §3.7: message/global may be encoded, unlike message/rfc822.
  const std::string global = *to_seven_bit("Content-Type: message/global\r\n\r\nSubject: \xc3\xa9\r\n\r\ninside\r\n");
  CHECK(global.ends_with("Content-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =C3=A9\r\n\r\ninside\r\n"));
  CHECK(*to_seven_bit("Subject: plain\r\n\r\ntext\r\n") == "Subject: plain\r\n\r\ntext\r\n");
  CHECK(*to_seven_bit("") == "");
}

TEST_CASE("an octet above 127 is found wherever it stands") {
  for (const std::size_t size : {1U, 1023U, 1024U, 1025U, 3000U}) {
    std::string text(size, '\x7f');
    CHECK_FALSE(has_eight_bit(text));
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
      std::string other = text;
      other[at] = '\x80';
      CHECK(has_eight_bit(other));
    }
  }
  CHECK_FALSE(has_eight_bit(""));
}

TEST_RFC("6532 §3.7", "only UTF-8 in headers needs SMTPUTF8") {
  CHECK_FALSE(needs_utf8_transport("Subject: x\r\n\r\n\xc3\xa9\r\n"));
  CHECK(needs_utf8_transport("Subject: \xc3\xa9\r\n\r\nx\r\n"));
  CHECK(needs_utf8_transport(
      "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Description: \xc3\xa9\r\n\r\n--a--\r\n"));
  CHECK(needs_utf8_transport("Content-Type: message/global\r\n\r\nSubject: x\r\n\r\ny\r\n"));
}

}  // namespace
}  // namespace facteur::message
