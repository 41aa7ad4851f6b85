// Each case of docs/ambiguous-mime.md: the reading, and the mark.
#include "message/ambiguity.hpp"

#include "message/mime.hpp"
#include "message/structure.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using enum Ambiguity;

// A message of two parts with what is given as its type.
std::string mixed(std::string_view type, std::string_view body) {
  return "Content-Type: " + std::string(type) + "\r\n\r\n" + std::string(body);
}
constexpr std::string_view two_parts = "--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n";

struct Case {
  Ambiguity mark;
  std::string message;
  std::size_t parts;  // That are read, the message among them.
};

TEST_RFC("2046 §5.1.1", "every ambiguous form has its mark and its reading") {
  const Case cases[] = {
      {two_boundaries, mixed("multipart/mixed; boundary=b; boundary=c", two_parts), 3},
      {two_boundaries, mixed("multipart/mixed; boundary=c; boundary*0=b", two_parts), 3},
      {boundary_blank, mixed("multipart/mixed; boundary=\"b \"", two_parts), 3},
      {boundary_damaged, mixed("multipart/mixed", two_parts), 1},
      {boundary_damaged, mixed("multipart/mixed; boundary=\"b{\"", "--b{\r\n\r\nx\r\n--b{--\r\n"), 2},
      {boundary_prefix,
       mixed("multipart/mixed; boundary=b",
             "--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n--b--\r\n"),
       3},
      {boundary_prefix, mixed("multipart/mixed; boundary=b", "--b and more\r\n\r\none\r\n--b--\r\n"), 2},
      {fold_in_token, mixed("multipart/mixed; boundary=\"b\r\n c\"", "--b c\r\n\r\none\r\n--b c--\r\n"), 2},
      {boundary_repeated,
       mixed("multipart/mixed; boundary=b",
             "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b--\r\n"),
       3},
      {no_final_delimiter, mixed("multipart/mixed; boundary=b", "--b\r\n\r\none\r\n"), 2},
      {closed_from_outside,
       mixed("multipart/mixed; boundary=b",
             "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--b--\r\n"),
       3},
      {two_types, "Content-Type: multipart/mixed; boundary=b\r\n" + mixed("text/plain", two_parts), 3},
      {type_damaged, mixed("multipart", two_parts), 1},
      {type_damaged, mixed("multipart/mixed\r\n boundary=b", two_parts), 3},
      {type_damaged, mixed("multipart/mixed; charset=\"utf-8\"\r\n boundary=b", two_parts), 3},
      {type_damaged, mixed("multipart/mixed; charset=utf-8\r\n\tboundary=b", two_parts), 3},
      {type_damaged, mixed("multipart/mixed x; boundary=b", two_parts), 3},
      {type_damaged, mixed("multi=part/mixed; boundary=b", two_parts), 1},
      {type_damaged, mixed("multipart/mixed; boundary=\"b\"c", two_parts), 3},
      {type_comment, mixed("multipart/(x)mixed; boundary=b", two_parts), 3},
      {two_encodings, "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n\r\nYQ==", 1},
      {encoding_damaged, std::string("Content-Transfer-Encoding: base64\0\r\n\r\nYQ==", 43), 1},
      {encoding_damaged, "Content-Transfer-Encoding: \"base64\"\r\n\r\nYQ==", 1},
      {encoding_unknown, "Content-Transfer-Encoding: rot13\r\n\r\nYQ==", 1},
      {encoding_of_multipart, "Content-Transfer-Encoding: base64\r\n" + mixed("multipart/mixed; boundary=b", two_parts),
       3},
      {base64_damaged, "Content-Transfer-Encoding: base64\r\n\r\nYQ==Yg==", 1},
      {base64_damaged, "Content-Transfer-Encoding: base64\r\n\r\nY!Q==", 1},
      {embedded_file, "Subject: x\r\n\r\nbegin 644 a\r\n#0V%T\r\n`\r\nend\r\n", 1},
      {embedded_file, "Subject: x\r\n\r\n=ybegin line=128 size=3 name=a\r\nabc\r\n=yend size=3\r\n", 1},
      {name_conflict, mixed("text/plain; name=a\r\nContent-Disposition: attachment; filename=b", "x"), 1},
      {name_conflict, "Content-Disposition: attachment; filename=a; filename*=utf-8''b\r\n\r\nx", 1},
      {parameter_repeated, mixed("text/plain; charset=utf-8; charset=utf-7", "x"), 1},
      {parameter_repeated, "Content-Disposition: attachment; filename*0*=utf-8''a; filename*0*=utf-8''b\r\n\r\nx", 1},
      {parameter_charset, mixed("text/plain; name*=utf-16''%FE%FF", "x"), 1},
      {header_behind_blank, "Subject: x\r\n\r\n\r\nContent-Type: text/html\r\n\r\n<b>", 1},
      {line_of_no_field, "Subject: x\r\nno field\r\n\r\nx", 1},
      {fold_in_token, mixed("multi\r\n part/mixed; boundary=b", two_parts), 1},
      {bare_cr, "Subject: x\rContent-Type: text/html\r\n\r\nx", 1},
      {bare_cr, mixed("multipart/mixed; boundary=b", "--b\r\n\r\none\r--b\r\r\ntwo\r\n--b--\r\n"), 2},
      {bare_cr, mixed("multipart/mixed; boundary=b", "--b\r\n\r\none\r\n--b\rx\r\ntwo\r\n--b--\r\n"), 2},
      {nul, std::string("Subject: \0x\r\n\r\nx", 15), 1},
      {eight_bit_header, "Subject: \xe9\r\n\r\nx", 1},
      {byte_order_mark, "\xef\xbb\xbf" + mixed("multipart/mixed; boundary=b", two_parts), 3},
      {preamble, mixed("multipart/mixed; boundary=b", "Content-Type: text/html\r\n\r\nx\r\n" + std::string(two_parts)),
       3},
      {epilogue, mixed("multipart/mixed; boundary=b", std::string(two_parts) + "Content-Type: text/html\r\n\r\nx"), 3},
      {partial, mixed("message/partial; id=a; number=1", "x"), 1},
      {external_body, mixed("message/external-body; access-type=url", "x"), 1},
  };
  for (const auto& one : cases) {
    CAPTURE(one.message);
    CAPTURE(name_of(one.mark));
    const auto tree = parse_mime(one.message);
    CHECK(tree.parts.size() == one.parts);
    CHECK(find_ambiguities(one.message, tree).has(one.mark));
    const std::string record = make_structure("X: y\r\n", one.message);
    CHECK(Structure::open(record)->ambiguities().has(one.mark));
  }
}

TEST_CASE("ordinary messages have no mark") {
  for (const std::string& message :
       {mixed("multipart/mixed; boundary=\"b\"", "This is a multi-part message.\r\n" + std::string(two_parts)),
        std::string(
            "Subject: a\r\n b\r\nContent-Type: text/plain; charset=utf-8; (a comment) format=flowed\r\n\r\nbegin here"),
        std::string("Content-Transfer-Encoding: base64\r\nContent-Type: image/png; name=a.png\r\n"
                    "Content-Disposition: attachment;\r\n filename=a.png\r\n\r\nYWJj\r\nYQ==\r\n"),
        mixed("image/png; name=\"a\";\r\n\tx-size=12", "x"),
        mixed("text/plain; charset=\"utf-8\" (a comment) ;\r\n format=flowed;\r\n", "x"),
        mixed("image/png; name=two words.png; x=y;", "x"),
        std::string("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n"),
        mixed("multipart/mixed; boundary=b", "a\rb\r\n--b\r\n\r\none\r\n--\r\n--b--\r\n")}) {
    CAPTURE(message);
    CHECK(find_ambiguities(message, parse_mime(message)).text() == "");
  }
}

TEST_CASE("sets of marks keep their bits and tell their names") {
  Ambiguities set;
  CHECK(set.empty());
  set.add(nul);
  set.add(limit);
  CHECK(set.text() == "nul, limit");
  CHECK(Ambiguities::of_bits(set.bits()) == set);
  for (std::size_t i = 0; i < ambiguity_count; ++i) CHECK_FALSE(name_of(static_cast<Ambiguity>(i)).empty());
}

TEST_CASE("structure records of version 1 are read") {
  const std::string message = "Subject: x\r\n\r\ntext\r\n";
  std::string record = make_structure("", message);
  // Version 1 is version 2 without the eight octets behind the head and the preview at the end.
  const std::size_t preview = Structure::open(record)->preview()->size();
  CHECK(preview == 4);
  record.erase(48, 8);
  record.resize(record.size() - preview);
  record[0] = 1;
  const auto old = Structure::open(record);
  REQUIRE(old);
  CHECK_FALSE(old->preview());
  CHECK(old->text(HeaderText::subject) == "x");
  CHECK(old->entities().size() == 1);
  record[0] = 3;
  CHECK_FALSE(Structure::open(record));
}

}  // namespace
}  // namespace facteur::message
