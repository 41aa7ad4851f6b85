#include "message/mime.hpp"

#include "rfc_test.hpp"

namespace facteur::message {
namespace {

// "0 multipart/mixed; 1 text/plain [body]; ..." by depth.
std::string tree_of(Bytes message) {
  std::string out;
  for (const Part& part : parse_mime(message).parts) {
    if (!out.empty()) out += "; ";
    out += std::to_string(part.depth) + " " + part.content_type.type + "/" + part.content_type.subtype;
    if (part.kind == Part::Kind::leaf) out += " [" + std::string(message.substr(part.body, part.body_length)) + "]";
  }
  return out;
}

constexpr std::string_view nested =
    "Content-Type: multipart/mixed; boundary=\"outer\"\r\n\r\npreamble\r\n--outer\r\n\r\nfirst\r\nline\r\n--outer\r\n"
    "Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\nContent-Type: text/html\r\n\r\n<b>\r\n"
    "--inner--\r\nepilogue\r\n--outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: "
    "in\r\n\r\nbody\r\n--outer--\r\nend";

TEST_RFC("2046 §5.1.1", "parts are what stands between delimiters, their last line end excluded") {
  CHECK(tree_of(nested) ==
        "0 multipart/mixed; 1 text/plain [first\r\nline]; 1 multipart/alternative; "
        "2 text/html [<b>]; 1 message/rfc822; 2 text/plain [body]");
  const auto tree = parse_mime(nested);
  CHECK(tree.parts[1].lines == 2);
  CHECK(nested.substr(tree.parts[4].body, tree.parts[4].body_length) == "Subject: in\r\n\r\nbody");
  CHECK(tree.parts[4].lines == 3);
  CHECK(tree.parts[0].body_length == nested.size() - tree.parts[0].body);
  CHECK_FALSE(tree.truncated);
}

TEST_RFC("2046 §5.1.2", "a boundary that is the beginning of another is not taken for it") {
  CHECK(tree_of("Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=xy\n\n"
                "--xy\n\na\n--xyz\n--xy--\n--x\n\nb\n--x--\n") ==
        "0 multipart/mixed; 1 multipart/mixed; 2 text/plain [a\n--xyz]; 1 text/plain [b]");
  CHECK(tree_of("Content-Type: multipart/mixed; boundary=x\n\n--x  \t\n\na\n--x-- \n") ==
        "0 multipart/mixed; 1 text/plain [a]");
}

TEST_RFC("2046 §5.1.1", "what stands behind a delimiter and a blank is ignored, an exact match of another wins") {
  CHECK(tree_of("Content-Type: multipart/mixed; boundary=x\n\n--x Type: no\n\na\n--x-- the end\nb\n") ==
        "0 multipart/mixed; 1 text/plain [a]");
  CHECK(
      tree_of("Content-Type: multipart/mixed; boundary=\"x y\"\n\n--x y\nContent-Type: multipart/mixed; boundary=x\n\n"
              "--x\n\na\n--x y\n\nb\n--x y--\n") ==
      "0 multipart/mixed; 1 multipart/mixed; 2 text/plain [a]; 1 text/plain [b]");
}

TEST_RFC("2046 §5.1.2", "an outer delimiter ends inner multiparts that were not closed") {
  CHECK(tree_of(
            "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n"
            "--i\r\n\r\na\r\n--o\r\n\r\nb\r\n") ==
        "0 multipart/mixed; 1 multipart/mixed; 2 text/plain [a]; 1 text/plain [b\r\n]");
}

TEST_RFC("2046 §5.1.5", "the parts of a digest are messages") {
  CHECK(tree_of("Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: 1\r\n\r\none\r\n--d--\r\n") ==
        "0 multipart/digest; 1 message/rfc822; 2 text/plain [one]");
}

TEST_CASE("damage: no boundary, no end, empty parts, headers cut by a delimiter") {
  CHECK(tree_of("Content-Type: multipart/mixed\r\n\r\nx") == "0 multipart/mixed");
  CHECK(tree_of("Content-Type: multipart/mixed; boundary=a\r\n\r\nx") == "0 multipart/mixed");
  CHECK(tree_of("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n--a\r\nContent-Type: text/html\r\n--a--") ==
        "0 multipart/mixed; 1 text/plain []; 1 text/html []");
  CHECK(tree_of("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a") == "0 multipart/mixed; 1 text/plain []");
  CHECK(tree_of("") == "0 text/plain []");
  CHECK(tree_of("Content-Type: text\r\n\r\nx") == "0 text/plain [x]");
  CHECK(tree_of("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nx") ==
        "0 message/rfc822 [x]");
}

TEST_CASE("limits: depth 100 and 10,000 parts, then one opaque part") {
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "Content-Type: message/rfc822\r\n\r\n";
  const auto nest = parse_mime(deep);
  CHECK(nest.parts.size() == max_depth);
  CHECK(nest.truncated);
  std::string deep2;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "b" + std::to_string(i);
    deep2 += "Content-Type: multipart/mixed; boundary=" + name + "\r\n\r\n--" + name + "\r\n";
  }
  CHECK(parse_mime(deep2).parts.size() == max_depth);
  std::string wide = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (int i = 0; i < 12'000; ++i) wide += "--b\r\n\r\nx\r\n";
  const auto many = parse_mime(wide);
  CHECK(many.parts.size() == max_parts);
  CHECK(many.truncated);
  CHECK(many.parts.back().body + many.parts.back().body_length == wide.size());
}

TEST_CASE("cut at any octet, the parts lie inside the text and inside each other") {
  for (std::size_t cut = 0; cut <= nested.size(); ++cut) {
    const auto tree = parse_mime(nested.substr(0, cut));
    for (const Part& part : tree.parts) {
      CHECK(part.body + part.body_length <= cut);
      if (part.parent == Part::none) continue;
      const Part& above = tree.parts[part.parent];
      CHECK(part.header >= above.body);
      CHECK(part.body + part.body_length <= std::max(above.body + above.body_length, part.body));
    }
  }
}

TEST_RFC("2045 §5.1", "values that end anywhere: in a comment, behind a backslash, in quotes") {
  for (const std::string text : {"(\\\\", "(\\", "a/b; c=\"d\\", "a/b (e\\", "a/b; (f\\)", "a/b; c*0*=utf-8'x'%4"}) {
    CAPTURE(text);
    for (std::size_t end = 0; end <= text.size(); ++end) {
      const auto part = std::string_view(text).substr(0, end);
      (void)parse_content_type(part);
      (void)parse_disposition(part);
      (void)raw_parameters(part);
      CHECK(parse_mime("Content-Type: " + std::string(part) + "\r\n\r\nx").parts.size() == 1);
    }
  }
}

TEST_RFC("2045 §5.1", "Content-Type") {
  const auto type =
      parse_content_type(" Text/HTML (comment) ; Charset = \"us-\\ascii\" ; name=my file.txt (x); a=b;;c");
  REQUIRE(type);
  CHECK(type->is("text", "html"));
  CHECK(type->parameter("charset") == "us-ascii");
  CHECK(type->parameter("name") == "my file.txt");
  CHECK(type->parameter("a") == "b");
  CHECK_FALSE(parse_content_type("text").has_value());
  CHECK_FALSE(parse_content_type("/plain").has_value());
  CHECK_FALSE(parse_content_type("").has_value());
}

TEST_RFC("2231 §3", "parameters in pieces, with charset and language") {
  const auto type = parse_content_type(
      "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
      " title*2=\"isn't it!\"");
  REQUIRE(type);
  CHECK(type->parameter("title") == "This is even more ***fun*** isn't it!");
  CHECK(parse_disposition("attachment; filename*=iso-8859-1''%e9t%E9.txt; filename=old")->parameters ==
        Parameters{{"filename", "été.txt"}});
  CHECK(parse_disposition("attachment; f*1=b; f*0=a; f*3=d")->parameters == Parameters{{"f", "ab"}});
  CHECK(raw_parameters("x; F*0*=a; g=\"b\"") == Parameters{{"f*0*", "a"}, {"g", "b"}});
}

TEST_RFC("9051 §6.4.5", "part numbers") {
  const auto tree = parse_mime(nested);
  using Path = std::vector<std::uint32_t>;
  CHECK(tree.find(Path{}) == &tree.parts[0]);
  CHECK(tree.find(Path{1}) == &tree.parts[1]);
  CHECK(tree.find(Path{2, 1}) == &tree.parts[3]);
  CHECK(tree.find(Path{3}) == &tree.parts[4]);
  CHECK(tree.find(Path{3, 1}) == &tree.parts[5]);
  for (const auto& path : {Path{0}, Path{4}, Path{1, 1}, Path{3, 2}, Path{3, 1, 1}, Path{2, 1, 1}})
    CHECK(tree.find(path) == nullptr);
  const auto plain = parse_mime("Subject: x\r\n\r\nbody");
  CHECK(plain.find(Path{1}) == &plain.parts[0]);
  CHECK(plain.find(Path{1, 1}) == nullptr);
  CHECK(plain.find(Path{2}) == nullptr);
}

TEST_CASE("decoded bodies") {
  const std::string_view text =
      "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: Quoted-Printable (x)\r\n\r\n=E9t=E9";
  CHECK(decoded_body_text(text, parse_mime(text).parts[0]) == "été");
}

}  // namespace
}  // namespace facteur::message
