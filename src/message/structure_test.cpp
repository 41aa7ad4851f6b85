#include "message/structure.hpp"

#include <algorithm>
#include <array>

#include "message/mime.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using Numbers = std::vector<std::uint32_t>;

// The message of RFC 9051 §8's example session, header fields in another order.
constexpr std::string_view terry =
    "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
    "Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
    "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
    "Message-ID: <B27397-0100000@cac.washington.edu>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n1234\r\n56\r\n";

constexpr std::string_view nested =
    "From: a@b.example\r\nSubject: =?utf-8?Q?=C3=A9t=C3=A9?= \"quoted\" \\\r\n"
    "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n\r\nhello\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n"
    "From: Zo\xc3\xa9 <z@x.example>\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nA\r\n--i\r\n"
    "Content-Type: application/pdf; name=x.pdf\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <id@x>\r\n"
    "Content-Disposition: attachment; filename*0=\"x.\";\r\n filename*1=pdf\r\nContent-Language: en, "
    "fr\r\n\r\nQUJD\r\n--i--\r\n"
    "\r\n--o--\r\n";

TEST_CASE("structure: A record taken apart, and together again") {
  const std::string record = make_structure("Return-Path: <>\r\n", nested);
  const auto whole = Structure::open(record);
  REQUIRE(whole);
  std::vector<std::string> parts;
  for (const auto part :
       {StructurePart::envelope, StructurePart::layout, StructurePart::texts, StructurePart::threading}) {
    auto cut = structure_part(record, part);
    REQUIRE(cut);
    const auto some = Structure::open(*cut);
    REQUIRE(some);
    CHECK(some->size() == whole->size());
    CHECK(some->header_length() == whole->header_length());
    CHECK(some->envelope() == (part == StructurePart::envelope ? whole->envelope() : Bytes()));
    CHECK(some->bodystructure() == (part == StructurePart::layout ? whole->bodystructure() : Bytes()));
    CHECK(some->ambiguities().bits() == whole->ambiguities().bits());
    CHECK(some->preview() == (part == StructurePart::layout ? whole->preview() : std::optional(Bytes())));
    CHECK(some->entities().size() == (part == StructurePart::layout ? whole->entities().size() : 0));
    CHECK(some->text(HeaderText::from) == (part == StructurePart::texts ? whole->text(HeaderText::from) : Bytes()));
    parts.push_back(std::move(*cut));
  }
  CHECK(Structure::open(parts[3])->text(HeaderText::subject) == whole->text(HeaderText::subject));
  const std::array<Bytes, 3> three{parts[2], parts[0], parts[1]};
  const auto joined = joined_structure(three);
  REQUIRE(joined);
  CHECK(Structure::open(*joined)->envelope() == whole->envelope());
  CHECK(Structure::open(*joined)->body() == whole->body());
  CHECK(Structure::open(*joined)->preview() == whole->preview());
  CHECK(Structure::open(*joined)->text(HeaderText::from) == whole->text(HeaderText::from));
  CHECK_FALSE(structure_part("rot", StructurePart::texts));
  CHECK_FALSE(joined_structure({}));
  const std::array<Bytes, 2> damaged{parts[0], Bytes("rot")};
  CHECK_FALSE(joined_structure(damaged));
}

TEST_RFC("9051 §7.5.2", "ENVELOPE and BODYSTRUCTURE of the standard's example") {
  const std::string record = make_structure("", terry);
  const auto structure = Structure::open(record);
  REQUIRE(structure);
  CHECK(structure->envelope() ==
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) "
        "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) "
        "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL "
        "\"<B27397-0100000@cac.washington.edu>\")");
  CHECK(structure->body() == "(\"text\" \"plain\" (\"charset\" \"US-ASCII\") NIL NIL \"7bit\" 10 2)");
  CHECK(structure->bodystructure() ==
        "(\"text\" \"plain\" (\"charset\" \"US-ASCII\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL)");
  CHECK(structure->size() == terry.size());
  CHECK(structure->date()->offset_minutes == -420);
}

TEST_RFC("9051 §7.5.2", "multipart, message, disposition, language, literals for 8-bit") {
  const std::string record = make_structure("", nested);
  const auto structure = Structure::open(record);
  REQUIRE(structure);
  CHECK(structure->envelope().starts_with(
      "(NIL \"=?utf-8?Q?=C3=A9t=C3=A9?= \\\"quoted\\\" \\\\\" ((NIL NIL \"a\" \"b.example\"))"));
  CHECK(structure->bodystructure() ==
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1 NIL NIL NIL NIL)"
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 299 (NIL NIL (({4}\r\nZo\xc3\xa9 NIL \"z\" \"x.example\")) "
        "(({4}\r\nZo\xc3\xa9 NIL \"z\" \"x.example\")) (({4}\r\nZo\xc3\xa9 NIL \"z\" \"x.example\")) NIL NIL NIL NIL "
        "NIL) "
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 1 NIL NIL NIL NIL)"
        "(\"application\" \"pdf\" (\"name\" \"x.pdf\") \"<id@x>\" NIL \"base64\" 4 NIL "
        "(\"attachment\" (\"filename*0\" \"x.\" \"filename*1\" \"pdf\")) (\"en\" \"fr\") NIL) "
        "\"alternative\" (\"boundary\" \"i\") NIL NIL NIL) 16 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"o\") NIL NIL "
        "NIL)");
  CHECK(structure->body() ==
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1)"
        "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 299 (NIL NIL (({4}\r\nZo\xc3\xa9 NIL \"z\" \"x.example\")) "
        "(({4}\r\nZo\xc3\xa9 NIL \"z\" \"x.example\")) (({4}\r\nZo\xc3\xa9 NIL \"z\" \"x.example\")) NIL NIL NIL NIL "
        "NIL) "
        "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 1)"
        "(\"application\" \"pdf\" (\"name\" \"x.pdf\") \"<id@x>\" NIL \"base64\" 4) \"alternative\") 16) \"mixed\")");
  CHECK(structure->text(HeaderText::subject) == "été \"quoted\" \\");
  CHECK(structure->text(HeaderText::from) == "a@b.example");
  CHECK(structure->text(HeaderText::references) == "");
  CHECK(structure->has_attachment());
  CHECK_FALSE(structure->date().has_value());
}

TEST_RFC("9051 §6.4.5", "sections are octet ranges of prefix and content") {
  const std::string prefix = "Return-Path: <x@y.example>\r\n";
  const std::string whole = prefix + std::string(nested);
  const std::string record = make_structure(prefix, nested);
  const auto structure = Structure::open(record);
  REQUIRE(structure);
  const auto at = [&](const Numbers& numbers, SectionText which) -> std::string {
    const auto range = structure->section(numbers, which);
    return range ? whole.substr(range->offset, range->length) : "NIL";
  };
  CHECK(at({}, SectionText::all) == whole);
  CHECK(at({}, SectionText::header) + at({}, SectionText::text) == whole);
  CHECK(at({}, SectionText::header).starts_with(prefix));
  CHECK(at({}, SectionText::mime) == "NIL");
  CHECK(at({1}, SectionText::all) == "hello");
  CHECK(at({1}, SectionText::mime) == "\r\n");
  CHECK(at({1}, SectionText::header) == "NIL");
  CHECK(at({2}, SectionText::mime) == "Content-Type: message/rfc822\r\n\r\n");
  CHECK(at({2}, SectionText::all) == at({2}, SectionText::header) + at({2}, SectionText::text));
  CHECK(at({2}, SectionText::header).starts_with("From: Zo"));
  CHECK(at({2, 1}, SectionText::all) == "A");
  CHECK(at({2, 2}, SectionText::all) == "QUJD");
  CHECK(at({2, 2}, SectionText::mime).starts_with("Content-Type: application/pdf"));
  for (const auto& numbers : {Numbers{3}, Numbers{0}, Numbers{1, 1}, Numbers{2, 3}, Numbers{2, 1, 1}}) {
    CHECK(at(numbers, SectionText::all) == "NIL");
  }
  CHECK(structure->binary(Numbers{2, 2})->encoding == static_cast<std::uint8_t>(Encoding::base64));
  CHECK_FALSE(structure->binary(Numbers{2}).has_value());
  const auto entities = structure->entities();
  REQUIRE(entities.size() == 6);
  CHECK(std::ranges::count_if(entities, &Structure::Entity::leaf) == 3);
  CHECK(std::ranges::count_if(entities, &Structure::Entity::message) == 1);
  CHECK(entities[3].message);
  CHECK(whole.substr(entities[3].header.offset, entities[3].header.length) == at({2}, SectionText::header));
  CHECK(whole.substr(entities[5].body.offset, entities[5].body.length) == "QUJD");
  CHECK(structure->size() == whole.size());

  const std::string plain = make_structure(prefix, terry);
  const auto range = Structure::open(plain)->section(Numbers{1}, SectionText::all);
  CHECK((prefix + std::string(terry)).substr(range->offset, range->length) == "1234\r\n56\r\n");
}

TEST_RFC("9051 §7.5.2", "groups, and Sender and Reply-To that are empty") {
  const std::string record = make_structure("", "From: x@y\r\nReply-To:\r\nTo: G: a@b;\r\nTo: c@d\r\nBcc: ,\r\n\r\n");
  CHECK(Structure::open(record)->envelope() ==
        "(NIL NIL ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) "
        "((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)");
  const std::string empty = make_structure("", "");
  CHECK(Structure::open(empty)->envelope() == "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
  CHECK(Structure::open(empty)->body() == "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)");
}

TEST_CASE("a multipart without parts, and opaque parts, keep the grammar") {
  const std::string none = make_structure("", "Content-Type: multipart/mixed\r\n\r\nx");
  CHECK(Structure::open(none)->body() == "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0) \"mixed\")");
  const std::string encoded =
      make_structure("", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nx");
  CHECK(Structure::open(encoded)->body() == "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 1)");
}

TEST_CASE("damaged records are not opened, or give nothing") {
  const std::string record = make_structure("", nested);
  for (std::size_t cut = 0; cut < record.size(); ++cut)
    CHECK_FALSE(Structure::open(Bytes(record).substr(0, cut)).has_value());
  for (std::size_t i = 0; i < record.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string other = record;
      other[i] = static_cast<char>(other[i] ^ flip);
      const auto structure = Structure::open(other);
      if (!structure) continue;
      (void)structure->section(Numbers{2, 2}, SectionText::all);
      (void)structure->entities();
      (void)structure->text(HeaderText::sender);
    }
  }
}

TEST_RFC("9051 §4.3", "strings are quoted, or literals without NUL") {
  std::string out;
  append_imap_string(out, "a\"b\\c");
  append_imap_string(out, Bytes("x\0y\r", 4));
  append_imap_nstring(out, "", false);
  CHECK(out == "\"a\\\"b\\\\c\"{3}\r\nxy\rNIL");
}

}  // namespace
}  // namespace facteur::message
