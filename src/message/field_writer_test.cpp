#include "message/field_writer.hpp"

#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

// One line of at most 76 columns after the other, none blank.
void check_lines(std::string_view header) {
  while (!header.empty()) {
    const std::size_t end = header.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    CHECK(end <= FieldWriter::wanted);
    CHECK(header.substr(0, end).find_first_not_of(" \t\r\n") != std::string_view::npos);
    header.remove_prefix(end + 2);
  }
}

std::string text_field(std::string_view text, bool utf8 = false) {
  FieldWriter fields(utf8);
  fields.text("Subject", text);
  const auto out = fields.finish();
  REQUIRE(out);
  check_lines(*out);
  CHECK(decoded_text(*first_field(*out, "Subject")) == text);
  return *out;
}

TEST_RFC("2047 §2", "words of free text are encoded only where they must be") {
  CHECK(text_field("plain text") == "Subject: plain text\r\n");
  CHECK(text_field("l'été = summer") == "Subject: =?UTF-8?Q?l=27=C3=A9t=C3=A9?= = summer\r\n");
  CHECK(text_field("two été été words") == "Subject: two =?UTF-8?Q?=C3=A9t=C3=A9_=C3=A9t=C3=A9?= words\r\n");
  CHECK(text_field("日本語") == "Subject: =?UTF-8?B?5pel5pys6Kqe?=\r\n");
  CHECK(text_field("l'été", true) == "Subject: l'été\r\n");
  CHECK(text_field("what is =?utf-8?q?this?=").find("=?UTF-8?Q?=3D=3Futf-8") != std::string::npos);
}

TEST_RFC("5322 §2.2.3", "blanks survive folding") {
  text_field("a  b   c    d");
  text_field("ends with a blank ");
  text_field(" begins with one");
  text_field(" ");
  text_field("");
  text_field("many" + std::string(200, ' ') + "blanks");
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word ";
  text_field(words);
  text_field(words + std::string(2000, 'x') + " " + words);
  text_field(std::string(2000, ' ') + "é");
}

TEST_RFC("2047 §2", "no encoded word is empty, however little room is left for the first character") {
  for (const std::string character : {"é", "€", "😀"}) {
    for (std::size_t before = 0; before < 80; ++before) {
      CAPTURE(character);
      CAPTURE(before);
      FieldWriter fields;
      fields.text("Subject", std::string(before, 'x') + " " + character);
      fields.parameters("Content-Type", "text/plain",
                        std::vector<WrittenParameter>{{"n", std::string(before, 'x') + character, true}});
      const std::string out = fields.finish().value();
      CHECK(out.find("?Q?"
                     "?=") == std::string::npos);
      CHECK(out.find("?B?"
                     "?=") == std::string::npos);
      CHECK(decoded_text(*first_field(out, "Subject")) == std::string(before, 'x') + " " + character);
    }
  }
}

TEST_RFC("2047 §5", "no encoded word ends inside a character") {
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += i % 3 == 0 ? "é" : i % 3 == 1 ? "日" : "😀";
    const std::string header = text_field(text);
    for (std::size_t at = 0; (at = header.find("=?UTF-8?", at)) != std::string::npos; ++at) {
      const std::size_t end = header.find("?=", at + 10);
      // Each alone is valid UTF-8: decoded alone it has no replacement character.
      CHECK(decoded_text(header.substr(at, end + 2 - at)).find("\xef\xbf\xbd") == std::string::npos);
      CHECK(end + 2 - at <= 75);
    }
  }
}

TEST_CASE("no value can begin a line: line ends and controls are refused") {
  for (const std::string& bad :
       std::vector<std::string>{"a\r\nBcc: x@y.example", "a\nb", "a\rb", std::string("a\0b", 3), "a\x7f", "a\x1b[1m"}) {
    FieldWriter text;
    text.text("Subject", bad);
    CHECK_FALSE(text.finish());
    FieldWriter plain;
    plain.plain("X-Any", bad);
    CHECK_FALSE(plain.finish());
    FieldWriter name;
    name.text(bad, "x");
    CHECK_FALSE(name.finish());
    FieldWriter ids;
    const std::vector<std::string> id{bad};
    ids.message_ids("References", id);
    CHECK_FALSE(ids.finish());
    FieldWriter boxes;
    const std::vector<Correspondent> who{{bad, *Address::parse("a@b.example")}};
    boxes.mailboxes("To", who);
    CHECK_FALSE(boxes.finish());
    FieldWriter value;
    const std::vector<WrittenParameter> parameter{{"name", bad}};
    value.parameters("Content-Type", "text/plain", parameter);
    CHECK_FALSE(value.finish());
    FieldWriter words;
    const std::vector<WrittenParameter> word{{.name = "name", .value = bad, .by_words = true}};
    words.parameters("Content-Type", "text/plain", word);
    CHECK_FALSE(words.finish());
    FieldWriter type;
    type.parameters("Content-Type", "text/" + bad, {});
    CHECK_FALSE(type.finish());
    CHECK_FALSE(Address::parse(bad + "@b.example"));
  }
  FieldWriter fields;
  fields.text("Subject", "\xff");
  CHECK_FALSE(fields.finish());
  FieldWriter colon;
  colon.text("Sub:ject", "x");
  CHECK_FALSE(colon.finish());
  FieldWriter tab;
  tab.text("Subject", "a\tb");
  CHECK(*tab.finish() == "Subject: a b\r\n");
}

TEST_RFC("5322 §3.4", "mailboxes with every sort of name, and groups") {
  const std::vector<std::string> names = {"",
                                          "Joe X",
                                          "Joe Q. \"X\" \\",
                                          "Zoé",
                                          "a, b",
                                          "=?utf-8?q?x?=",
                                          " blanks ",
                                          "two  blanks",
                                          std::string(300, 'n'),
                                          "日本語 日本語 日本語 日本語 日本語 日本語 日本語 日本語",
                                          "(not a comment)",
                                          "a@b"};
  for (const bool utf8 : {false, true}) {
    std::vector<Correspondent> list;
    for (const auto& name : names) list.push_back({name, *Address::parse("\"a b\"@xn--bcher-kva.example")});
    FieldWriter fields(utf8);
    fields.mailboxes("To", list);
    const std::vector<Destination> groups{Group{"undisclosed-recipients", {}}, Group{"Les élèves", {list[1], list[3]}},
                                          list[2]};
    fields.destinations("Cc", groups);
    const auto header = fields.finish();
    REQUIRE(header);
    check_lines(*header);
    const auto read = parse_address_list(*first_field(*header, "To"));
    REQUIRE(read.size() == names.size());
    for (std::size_t i = 0; i < names.size(); ++i) {
      CHECK(decoded_text(read[i].name) == names[i]);
      CHECK(read[i].local == "a b");
      CHECK(read[i].domain == "xn--bcher-kva.example");
    }
    const auto cc = parse_address_list(*first_field(*header, "Cc"));
    REQUIRE(cc.size() == 7);
    CHECK(cc[0].name == "undisclosed-recipients");
    CHECK(decoded_text(cc[2].name) == "Les élèves");
    CHECK(cc[2].kind == ListedAddress::Kind::group_start);
    CHECK(decoded_text(cc[4].name) == "Zoé");
    CHECK(cc[5].kind == ListedAddress::Kind::group_end);
  }
}

TEST_RFC("6532 §3.2", "addresses beyond ASCII need a message in UTF-8") {
  const std::vector<Correspondent> who{{"", *Address::parse("jürgen@example.org")}};
  FieldWriter ascii;
  ascii.mailboxes("To", who);
  CHECK_FALSE(ascii.finish());
  FieldWriter utf8(true);
  utf8.mailboxes("To", who);
  CHECK(*utf8.finish() == "To: jürgen@example.org\r\n");
}

TEST_RFC("5322 §3.6.4", "identifiers fold between each other") {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(std::to_string(i) + "." + std::string(20, 'x') + "@example.org");
  FieldWriter fields;
  fields.message_ids("References", ids);
  const auto header = fields.finish();
  REQUIRE(header);
  check_lines(*header);
  CHECK(parse_message_ids(*first_field(*header, "References")) == ids);
  for (const auto* bad : {"", "a b", "<a>", "é@x"}) CHECK_FALSE(is_message_id(bad));
}

TEST_RFC("2231 §3", "parameters of any value and length are read again") {
  const std::vector<std::string> values = {"plain.txt",
                                           "two words.txt",
                                           "a \"quoted\" \\ name",
                                           "été.txt",
                                           "",
                                           "=?utf-8?q?x?=",
                                           std::string(400, 'n') + ".txt",
                                           "日本語日本語日本語日本語日本語日本語日本語日本語.txt",
                                           "100%'s.txt"};
  for (const bool utf8 : {false, true}) {
    for (const auto& value : values) {
      FieldWriter fields(utf8);
      const std::vector<WrittenParameter> list{
          {.name = "name", .value = value, .by_words = true}, {"filename", value}, {"size", "12"}};
      fields.parameters("Content-Disposition", "attachment", list);
      const auto header = fields.finish();
      REQUIRE(header);
      check_lines(*header);
      const auto read = parse_disposition(*first_field(*header, "Content-Disposition"));
      REQUIRE(read);
      CHECK(read->kind == "attachment");
      REQUIRE(read->parameters.size() == 3);
      for (const auto& [name, got] : read->parameters) {
        CAPTURE(name);
        CHECK((name == "size" ? got == "12" : name == "name" ? decoded_text(got) == value : got == value));
      }
    }
  }
}

TEST_CASE("values of others are cleaned for reports") {
  CHECK(cleaned("a\r\n b\tc", false) == "a b c");
  CHECK(cleaned("é", false) == "??");
  CHECK(cleaned("é", true) == "é");
  CHECK(cleaned("\xff", true) == "?");
  CHECK(cleaned("ééé", true, 5) == "éé");
  CHECK(cleaned(std::string(5'000, 'x'), true, 10'000).size() == 900);
}

}  // namespace
}  // namespace facteur::message
