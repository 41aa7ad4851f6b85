#include "message/address.hpp"

#include "message/idn.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

std::string path_of(std::string_view text, bool utf8 = true) {
  const auto path = parse_path(text, utf8);
  if (!path) return "invalid";
  return (path->address ? path->address->text() : "null") + "|" + std::string(text.substr(path->length));
}

std::string listed(Bytes value) {
  std::string out;
  for (const auto& entry : parse_address_list(value)) {
    if (!out.empty()) out += "; ";
    if (entry.kind == ListedAddress::Kind::group_start) out += "{" + entry.name;
    if (entry.kind == ListedAddress::Kind::group_end) out += "}";
    if (entry.kind == ListedAddress::Kind::mailbox) {
      out += entry.name + "<" + entry.route + (entry.route.empty() ? "" : ":") + entry.local + "@" + entry.domain + ">";
    }
  }
  return out;
}

TEST_RFC("5321 §4.1.2", "paths that are valid") {
  CHECK(path_of("<>") == "null|");
  CHECK(path_of("<> SIZE=1") == "null| SIZE=1");
  CHECK(path_of("<User.Name+x@Example.ORG> BODY=8BITMIME") == "User.Name+x@example.org| BODY=8BITMIME");
  CHECK(path_of("<\"a b\"@example.org>") == "\"a b\"@example.org|");
  CHECK(path_of("<\"plain\"@example.org>") == "plain@example.org|");
  CHECK(path_of("<\"a\\\"b>c\"@example.org>x") == "\"a\\\"b>c\"@example.org|x");
  CHECK(path_of("<u@[192.0.2.1]>") == "u@[192.0.2.1]|");
  CHECK(path_of("<u@[ipv6:2001:DB8:0::1]>") == "u@[IPv6:2001:db8::1]|");
}

TEST_RFC("5321 §4.1.2", "paths that are not") {
  for (const auto* text : {"",
                           "u@d.example",
                           "<u@d.example",
                           "<u>",
                           "<@d.example>",
                           "<u@>",
                           "<.u@d.example>",
                           "<u.@d.example>",
                           "<u..v@d.example>",
                           "<u v@d.example>",
                           "<u@d..example>",
                           "<u@-d.example>",
                           "<u@d.example.>",
                           "<u@[1.2.3]>",
                           "<u@[1.2.3.4>",
                           "<u@[IPv6:1.2.3.4]>",
                           "<\"u@d.example>",
                           "<\"a\rb\"@d.example>",
                           "<u@d example>",
                           "<u@d\r\n>",
                           "<u@@d>",
                           "< u@d.example>"}) {
    CAPTURE(text);
    CHECK(path_of(text) == "invalid");
  }
}

TEST_RFC("5321 §4.1.1.3", "a source route is dropped, and Postmaster needs no domain") {
  CHECK(path_of("<@a.example,@b.example:u@c.example> X") == "u@c.example| X");
  CHECK(path_of("<@a.example:u@c.example>") == "u@c.example|");
  CHECK(path_of("<@a.example>") == "invalid");
  CHECK(path_of("<@a.example,u@c.example>") == "invalid");
  CHECK(path_of("<postMASTER>") == "postMASTER|");
  CHECK(path_of("<@a.example:postmaster>") == "invalid");
}

TEST_RFC("5321 §4.5.3.1", "64 octets of local part and 256 of the path are the limits") {
  const std::string local(64, 'l');
  const std::string domain = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(61, 'c');
  REQUIRE(local.size() + domain.size() == 253);  // 256 with '@' and the brackets.
  CHECK(path_of("<" + local + "@" + domain + ">") != "invalid");
  CHECK(path_of("<" + local + "l@" + domain.substr(1) + ">") == "invalid");
  CHECK(path_of("<" + local + "@" + domain + "c>") == "invalid");
  CHECK(path_of("<u@" + std::string(64, 'a') + ".example>") == "invalid");
  // Quotes and backslashes count as they are written.
  CHECK(path_of("<\"" + std::string(62, 'l') + "\"@c.example>") != "invalid");
  CHECK(path_of("<\"" + std::string(61, 'l') + "\\l\"@c.example>") == "invalid");
}

TEST_RFC("6531 §3.3", "UTF-8 in addresses only if it was announced, and only if it is UTF-8") {
  CHECK(path_of("<zoé@exämple.org>", true) == "zoé@xn--exmple-cua.org|");
  CHECK(path_of("<zoé@example.org>", false) == "invalid");
  CHECK(path_of("<zo\xe9@example.org>", true) == "invalid");
  CHECK(path_of("<u@ex\xe4mple.org>", true) == "invalid");
  CHECK(path_of("<u@EXÄMPLE.org>", true) == "u@xn--exmple-cua.org|");
  CHECK(path_of("<u@exämple.org>", false) == "invalid");
  CHECK(path_of("<u@xn--a.example>", true) == "u@xn--a.example|");  // ASCII names are taken as they are.
  CHECK(path_of("<u@\xe2\x80\x8b.example>", true) == "invalid");
  CHECK_FALSE(Address::parse("zoé@example.org")->is_ascii());
  CHECK(Address::parse("u@exämple.org")->is_ascii());
}

TEST_RFC("5890 §2.3.2.1", "A-labels and U-labels") {
  CHECK(to_a_labels("Bücher.Example") == "xn--bcher-kva.example");
  CHECK(to_a_labels("faß.de") == "xn--fa-hia.de");
  CHECK(to_a_labels("Example.ORG") == "example.org");
  CHECK_FALSE(to_a_labels("b\xff.example").has_value());
  CHECK_FALSE(to_a_labels(std::string(2000, '\xc3')).has_value());
  CHECK(to_u_labels("xn--bcher-kva.example") == "bücher.example");
  CHECK(to_u_labels("xn--\xff.example") == "xn--\xff.example");
  CHECK(to_u_labels("example.org") == "example.org");
}

TEST_CASE("the key of an address ignores the case of ASCII letters and the quotes") {
  CHECK(Address::parse("\"John.Doe\"@EXAMPLE.org")->key() == "john.doe@example.org");
  CHECK(Address::parse("u@[192.0.2.1]")->domain.ip() == IpAddress::v4(192, 0, 2, 1));
  CHECK_FALSE(Domain::parse("a b").has_value());
}

TEST_RFC("5322 §3.4", "address lists of header fields") {
  CHECK(listed("a@b.example") == "<a@b.example>");
  CHECK(listed("Pete <pete@silly.example>, \"Joe Q. Public\" <john.q@x.example>") ==
        "Pete<pete@silly.example>; Joe Q. Public<john.q@x.example>");
  CHECK(listed("A Group:Ed Jones <joe@where.test>,joe@where.test;") ==
        "{A Group; Ed Jones<joe@where.test>; <joe@where.test>; }");
  CHECK(listed("Undisclosed recipients:;") == "{Undisclosed recipients; }");
  CHECK(listed("\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>") ==
        "Giant; \"Big\" Box<sysservices@example.net>");
  CHECK(listed("john@x.example (John (the) Doe)") == "John (the) Doe<john@x.example>");
  CHECK(listed("=?utf-8?q?Zo=C3=A9?= <z@x.example>") == "=?utf-8?q?Zo=C3=A9?=<z@x.example>");
  CHECK(listed("u@[192.0.2.1]") == "<u@[192.0.2.1]>");
}

TEST_RFC("5322 §4.4", "obsolete addresses") {
  CHECK(listed("Mary Smith <@node.test,@b.test:mary@example.net>, , jdoe@test  . example") ==
        "Mary Smith<@node.test,@b.test:mary@example.net>; <jdoe@test.example>");
  CHECK(listed("john . doe @ example . org") == "<john.doe@example.org>");
  CHECK(listed("Joe Q. Public <john.q.public@example.com>") == "Joe Q. Public<john.q.public@example.com>");
  CHECK(listed("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>") == "Pete<pete@silly.test>");
}

TEST_CASE("damaged address lists give the nearest thing") {
  CHECK(listed("a@b.example <c@d.example>") == "a@b.example<c@d.example>");
  CHECK(listed("root") == "<root@>");
  CHECK(listed("a@b@c") == "<a@b@c>");
  CHECK(listed("<a@b.example") == "<a@b.example>");
  CHECK(listed("x <a@b.example, c@d.example") == "x<a@b.example>; <c@d.example>");
  CHECK(listed(";;, ,;") == "");
  CHECK(listed("\"never ended") == "<never ended@>");
  CHECK(listed("(never ended") == "");
  CHECK(listed("<>") == "<@>");
}

TEST_CASE("addresses without angle brackets: a name in front, and others behind without a comma") {
  const auto read = [](std::string_view value) {
    std::string out;
    for (const auto& one : parse_address_list(value)) out += one.name + "<" + one.local + "@" + one.domain + ">";
    return out;
  };
  CHECK(read("John Doe jd@example.org") == "John Doe<jd@example.org>");
  CHECK(read("a@example.org b@example.net") == "<a@example.org>");
  CHECK(read("a@example.org b@example.net, c@example.net") == "<a@example.org><c@example.net>");
  CHECK(read("a@example.org <b@example.net>") == "a@example.org<b@example.net>");
  CHECK(read("\"a b\"@example.org") == "<a b@example.org>");
  CHECK(read("a . b@example . org") == "<a.b@example.org>");
  CHECK(read("a@b@example.org") == "<a@b@example.org>");
}

TEST_CASE("an address list cut at any octet ends, and long ones take linear time") {
  const std::string_view text = "A Group:\"Ed \\\"J\" <@r:joe@[1.2.3.4]>(c(d)),joe@where.test;, x . y@z";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK(parse_address_list(text.substr(0, cut)).size() < 10);
  for (const std::string_view piece : {"a@", "<", "(", "\"", "a,", "a:", "@", ".", "a ", "a@b ", ",;"}) {
    std::string many;
    while (many.size() < 200'000) many += piece;
    CHECK(parse_address_list(many).size() <= 200'000);
  }
}

}  // namespace
}  // namespace facteur::message
