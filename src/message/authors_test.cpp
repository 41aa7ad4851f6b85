#include "message/authors.hpp"

#include <string>

#include "rfc_test.hpp"

namespace facteur::message {
namespace {

std::string authors(Bytes value) {
  const auto found = parse_authors(value);
  if (!found) return "unclear";
  // RELIABILITY S20: what is read for certain is what all else here reads.
  std::vector<Address> listed;
  for (const auto& one : parse_address_list(value)) {
    if (one.kind == ListedAddress::Kind::mailbox) listed.push_back({one.local, Domain::parse(one.domain).value()});
  }
  CHECK(listed == *found);
  std::string out;
  for (const auto& one : *found) out += (out.empty() ? "" : " ") + one.text();
  return out;
}

}  // namespace

TEST_RFC("5322 §3.4", "authors that every reader reads alike") {
  CHECK(authors(" a@b.example") == "a@b.example");
  CHECK(authors(" Anne <a@b.example>") == "a@b.example");
  CHECK(authors("<a@b.example>") == "a@b.example");
  CHECK(authors(" \"Roux, Anne\" <a@b.example>\r\n (at work)") == "a@b.example");
  CHECK(authors(" a@b.example (Anne (the elder\\)))") == "a@b.example");
  CHECK(authors("\r\n\tJ. R. [x] Roux <a@B.example>") == "a@b.example");
  CHECK(authors(" =?utf-8?q?Andr=C3=A9?= <a@b.example>") == "a@b.example");
  CHECK(authors(" Andr\xc3\xa9 <a@b.example>") == "a@b.example");
  CHECK(authors(" \"a b\"@c.example") == "\"a b\"@c.example");
  CHECK(authors(" <\"a>b\"@c.example>") == "\"a>b\"@c.example");
  CHECK(authors(" a@b.example, C <c@d.example>") == "a@b.example c@d.example");
  CHECK(authors(" a@[192.0.2.1]") == "a@[192.0.2.1]");
}

TEST_RFC("5322 §4.4", "an address as its own name, and a comma behind the only author") {
  CHECK(authors(" a@b.example <a@b.example>") == "a@b.example");
  CHECK(authors(" a@b.example<a@B.Example> (x)") == "a@b.example");
  CHECK(authors(" a@b.example <a@b.example>, c@d.example") == "a@b.example c@d.example");
  CHECK(authors(" a@b.example <A@b.example>") == "unclear");
  CHECK(authors(" a@b.example <a@b.example> <a@b.example>") == "unclear");
  CHECK(authors(" Anne a@b.example <a@b.example>") == "unclear");
  CHECK(authors(" a@b.example a@b.example") == "unclear");
  CHECK(authors(" a@b.example,") == "a@b.example");
  CHECK(authors(" Anne <a@b.example> , \r\n ") == "a@b.example");
}

TEST_RFC("6854", "a group names its members") {
  CHECK(authors(" Team: a@b.example;") == "a@b.example");
  CHECK(authors(" \"The, team\" (x): Anne <a@b.example> ; (y)") == "a@b.example");
  CHECK(authors(" =?utf-8?q?=C3=89quipe?=: a@b.example;") == "a@b.example");
  CHECK(authors(" Team: a@b.example, C <c@d.example>;") == "a@b.example c@d.example");
  CHECK(authors(" Team: a@[192.0.2.1];") == "a@[192.0.2.1]");
  for (const Bytes value : {" Team:;", " Team: ;", " : a@b.example;", " (x): a@b.example;", " Team: a@b.example",
                            " Team: a@b.example; c@d.example", " Team: a@b.example;, c@d.example",
                            " Team: a@b.example;;", " c@d.example, Team: a@b.example;", " Team: Inner: a@b.example;;",
                            " Team: a@b.example,;", " Team: a@b.example, c@d.example,;", " x@y.example: a@b.example;",
                            " Team <a@b.example>: c@d.example;", " Team: <>;"}) {
    CAPTURE(value);
    CHECK(authors(value) == "unclear");
  }
}

TEST_RFC("2047 §5", "an encoded word is one word, whatever it holds that is no address") {
  for (const Bytes name :
       {"=?utf-8?q?Roux,_Anne?=", "=?utf-8?q?a:b;c?=", "=?utf-8?Q?Anne_(at_work)?=", "=?utf-8?q?:-(?=",
        "=?utf-8?q?Anne_(at?= =?utf-8?q?work)?=", "Anne =?utf-8?q?,?=", "=?utf-8*en?q?a,b?="}) {
    CAPTURE(name);
    CHECK(authors(" " + std::string(name) + " <a@b.example>") == "a@b.example");
    CHECK(authors(" " + std::string(name) + "\r\n <a@b.example>\r\n") == "a@b.example");
  }
  for (const Bytes value : {
           // Who knows no encoded words sees a comment begin, and then what hides in the rest.
           " =?utf-8?q?(?= \")<v@bank.example>,(\" <a@b.example>",
           " =?utf-8?q?(?= <a@b.example> (x) ",
           " =?utf-8?q?(?= <a@b.example>, c@b.example",
           " =?utf-8?q?(?= <\")<v@bank.example>,\"@b.example>",
           " (x =?utf-8?q?)?= <v@bank.example> =?utf-8?q?(?=) <a@b.example>, =?utf-8?q?,?=",
           " =?utf-8?q?<v@bank.example>?= <a@b.example>",
           " =?utf-8?q?v@bank.example,?= <a@b.example>",
           " =?utf-8?q?a\\,?= <a@b.example>",
           " =?utf-8?q?a,b <a@b.example>",
           " =?utf-8?q?a, b?= <a@b.example>",
           " =?utf-8?x?a,b?= <a@b.example>",
           " =?utf-8?q?a,?b?= <a@b.example>",
           " =??q?a,b?= <a@b.example>",
           " =?utf-8?q?a,b?=c <a@b.example>",
           " c=?utf-8?q?a,b?= <a@b.example>",
           " =?utf-8?q?a,b?=@c.example",
           " =?utf-8?q?a,b?=, c@d.example",
       }) {
    CAPTURE(value);
    CHECK(authors(value) == "unclear");
  }
}

TEST_RFC("5322 §4.4", "authors that one reads so and another otherwise") {
  for (const Bytes value : {
           Bytes(""),
           Bytes(" "),
           Bytes(" nobody"),
           Bytes(" Anne <>"),
           Bytes(" <a@b.example"),
           Bytes(" <a@b.example>\\,<c@d.example>"),  // RELIABILITY 4.3, a17 to a19.
           Bytes(" a@b.example,<c@d.example"),
           Bytes(" a@b.example <c@d.example>"),
           Bytes(" <c@d.example>a@b.example"),
           Bytes(" <c@d.example> <a@b.example>"),
           Bytes(" <@x.example:a@b.example>"),  // a16.
           Bytes(" <@x.example,@y.example:a@b.example>"),
           Bytes(" =?utf-8?b?PGFAYi5leGFtcGxlPg==?="),  // a15.
           Bytes(" =?utf-8?b?PGFAYi5leGFtcGxlPg==?=, c@d.example"),
           Bytes(" =?utf-8?q?a=40b.example?=@c.example"),
           Bytes(" a@b.example, c@d.example,"),
           Bytes(" a@b.example,,"),
           Bytes(","),
           Bytes(", a@b.example"),
           Bytes(" a@b.example,, c@d.example"),
           Bytes(" a@b.example; c@d.example"),
           Bytes(" a@b.example c@d.example"),
           Bytes(" a@b.example@c.example"),
           Bytes(" a @b.example"),
           Bytes(" a@ b.example"),
           Bytes(" a . c@b.example"),
           Bytes(" a(x)@b.example"),
           Bytes(" <a@b.example(.victim.example)>"),
           Bytes(" < a@b.example>"),
           Bytes(" a@b.example (never ends"),
           Bytes(" a@b.example ((x)"),
           Bytes(" \"a@b.example"),
           Bytes(" a@b.example\0.victim.example", 29),
           Bytes(" \"a\0b\" <a@b.example>", 20),
           Bytes(" a..b@c.example"),
           Bytes(" a@b..example"),
           Bytes(" a@"),
           Bytes(" @b.example"),
           Bytes("\\"),
           Bytes("\"\\"),
           Bytes("("),
           Bytes("(\\"),
       }) {
    CAPTURE(value);
    CHECK(authors(value) == "unclear");
  }
}

TEST_RFC("5322 §3.4", "an author cut short is unclear or the address as far as it goes, never another") {
  const std::string whole = " \"Roux, Anne\" (x) <anne@mail.example.org> (y\\)), Bob <b@c.example>";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto found = authors(Bytes(whole).substr(0, cut));
    CAPTURE(cut);
    CHECK((found == "unclear" || found == "anne@mail.example.org"));
  }
}

}  // namespace facteur::message
