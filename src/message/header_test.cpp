#include "message/header.hpp"

#include <array>

#include "rfc_test.hpp"

namespace facteur::message {
namespace {

constexpr std::string_view sample =
    "From: a@b.example\r\nSubject: one\r\n\ttwo\r\n  three \r\nX-Empty:\r\nTO : c@d.example\r\n\r\nBody: no field\r\n";

TEST_RFC("5322 §2.2", "fields are found up to the blank line") {
  FieldScanner scanner(sample);
  std::string seen;
  for (Field field; scanner.next(field);) seen += std::string(field.name) + "=" + unfolded(field.value) + "|";
  CHECK(seen == "From=a@b.example|Subject=one\ttwo  three|X-Empty=|TO=c@d.example|");
  CHECK(scanner.blank_line());
  CHECK(sample.substr(scanner.length()) == "Body: no field\r\n");
  Field field;
  CHECK_FALSE(scanner.next(field));
}

TEST_RFC("5322 §2.2.3", "unfolding removes line ends and keeps the blanks behind them") {
  CHECK(unfolded(" a\r\n b\n\tc \r\n") == "a b\tc");
  CHECK(unfolded("") == "");
  CHECK(unfolded(" \r\n ") == "");
}

TEST_CASE("headers of bare LF, without colons, without an end, empty") {
  FieldScanner lf("A: 1\n 2\nB: 3\n\nbody");
  Field field;
  REQUIRE(lf.next(field));
  CHECK(unfolded(field.value) == "1 2");
  REQUIRE(lf.next(field));
  CHECK(field.whole == "B: 3\n");
  CHECK_FALSE(lf.next(field));
  CHECK(lf.length() == 14);

  FieldScanner junk("From me Mon Jan 1 00:00:00 2024\r\nA: 1\r\nno colon here\r\n: none\r\nB: 2");
  std::string names;
  while (junk.next(field)) names += std::string(field.name) + ",";
  CHECK(names == ",A,,,B,");
  CHECK_FALSE(junk.blank_line());
  CHECK(header_length("") == 0);
  CHECK(header_length("\r\nbody") == 2);
  CHECK(header_length("\nbody") == 1);
}

TEST_CASE("fields behind one mebibyte are passed over, the border is still found") {
  const std::string text = "A: 1\r\nB: " + std::string(max_header_octets, 'x') + "\r\nC: 3\r\n\r\nbody";
  FieldScanner scanner(text);
  std::string names;
  for (Field field; scanner.next(field);) {
    names += field.name;
    CHECK(field.value.size() <= max_header_octets);
  }
  CHECK(names == "AB");
  CHECK(text.substr(scanner.length()) == "body");
}

TEST_RFC("9051 §6.4.5", "HEADER.FIELDS keeps order and octets, and ends with a blank line") {
  const std::array<Bytes, 2> headers = {Bytes("Return-Path: <x@y>\r\n"), sample.substr(0, header_length(sample))};
  const std::array<std::string, 3> names = {"subject", "RETURN-PATH", "to"};
  CHECK(select_fields(headers, names, false) ==
        "Return-Path: <x@y>\r\nSubject: one\r\n\ttwo\r\n  three \r\nTO : c@d.example\r\n\r\n");
  CHECK(select_fields(headers, names, true) == "From: a@b.example\r\nX-Empty:\r\n\r\n");
  CHECK(select_fields(headers, std::array<std::string, 1>{"none"}, false) == "\r\n");
}

TEST_CASE("a header cut at any octet gives fields inside the text") {
  for (std::size_t cut = 0; cut <= sample.size(); ++cut) {
    const Bytes text = sample.substr(0, cut);
    FieldScanner scanner(text);
    std::size_t covered = 0;
    for (Field field; scanner.next(field);) {
      CHECK(field.line == covered);
      covered += field.whole.size();
    }
    CHECK(scanner.length() <= text.size());
  }
}

}  // namespace
}  // namespace facteur::message
