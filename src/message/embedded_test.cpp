// Files in texts, TNEF, pieces of messages.
#include "message/embedded.hpp"

#include "message/partial.hpp"
#include "message/tnef.hpp"
#include "message/tnef_reader.hpp"
#include "message/transfer.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

TEST_CASE("uuencode: whole, damaged, without an end, and a letter that only says begin") {
  const std::string file = "Hello\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nBye\r\n";
  auto found = find_embedded(file);
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == EmbeddedFile::Kind::uuencode);
  CHECK(found[0].name == "cat.txt");
  CHECK(found[0].octets == "Cat");
  CHECK(found[0].complete);
  CHECK(file.substr(found[0].offset, found[0].length) == "begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n");
  CHECK(has_embedded(file));
  found = find_embedded("begin 644 cat.txt\n#0V%T\nSome words that are no such line.\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].octets == "Cat");
  CHECK_FALSE(found[0].complete);
  CHECK(find_embedded("begin 100 years ago\nwe were young, and there was nothing of the kind in the whole world\n")
            .empty());
  CHECK(find_embedded("begin 644\nx\n").empty());
  CHECK(find_embedded("begin 644 a").empty());
  for (std::size_t end = 0; end < file.size(); ++end) (void)find_embedded(std::string_view(file).substr(0, end));
}

TEST_CASE("uuencode: a damaged line does not hide what is behind it") {
  const std::string line = "M" + std::string(60, '!') + "\n";  // 45 octets.
  const std::string begin = "begin 644 a.bin\n";
  CHECK(find_embedded(begin + line + line + "`\nend\n")[0].octets.size() == 90);
  const auto damaged = find_embedded(begin + line + "M!!! what is this?\n" + line + "`\nend\n");
  REQUIRE(damaged.size() == 1);
  CHECK(damaged[0].octets.size() == 90);
  CHECK_FALSE(damaged[0].complete);
  // Two of them end it: what follows may be anything.
  CHECK(find_embedded(begin + line + "what?\nis this?\n" + line + "end\n")[0].octets.size() == 45);
  // A backslash that became U+00A5 on the way.
  const auto whole = find_embedded(begin + "#0U\\U\n`\nend\n");
  const auto yen = find_embedded(begin + line + "#0U\xc2\xa5U\n`\nend\n");
  REQUIRE(yen.size() == 1);
  CHECK(yen[0].octets.substr(45) == whole[0].octets);
  CHECK(yen[0].complete);
}

TEST_CASE("a body that is called uuencode and is none stays as it is") {
  CHECK(decode("only words\r\n", Encoding::uuencode) == "only words\r\n");
  CHECK(decode("begin 644 cat.txt\n#0V%T\n`\nend\n", Encoding::uuencode) == "Cat");
}

TEST_CASE("xxencode is told from uuencode by its letters") {
  const auto found = find_embedded("begin 644 cat.txt\n1EqNpR4kd\n+\nend\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == EmbeddedFile::Kind::xxencode);
}

TEST_CASE("yEnc: escapes, length and checksum") {
  // "=}" is an escaped NUL plus 42 and 64; the rest is the octet plus 42.
  const auto found =
      find_embedded("=ybegin line=128 size=3 name=a b.bin\r\n\x8b\x8c\x8d\r\n=yend size=3 crc32=352441c2\r\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].name == "a b.bin");
  CHECK(found[0].octets == "abc");
  CHECK(found[0].complete);
  const auto damaged =
      find_embedded("=ybegin line=128 size=3 name=a\r\n\x8b\x8c\x8d\r\n=yend size=3 crc32=352441c3\r\n");
  REQUIRE(damaged.size() == 1);
  CHECK_FALSE(damaged[0].complete);
}

TEST_RFC("1741 §4", "BinHex that holds nothing of it, or ends early, does no harm") {
  CHECK(decode_binhex("").octets.empty());
  CHECK(decode_binhex("(This file must be converted with BinHex 4.0)\n\n:$f*TEQKPH#jdH'8:").length > 0);
  CHECK_FALSE(decode_binhex(":\"!").complete);
}

void append_number(std::string& out, std::uint64_t value, int octets) {
  for (int i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void append_attribute(std::string& out, int level, std::uint32_t tag, std::string_view value) {
  out += static_cast<char>(level);
  append_number(out, tag, 4);
  append_number(out, value.size(), 4);
  out.append(value);
  unsigned sum = 0;
  for (const char c : value) sum += static_cast<unsigned char>(c);
  append_number(out, sum, 2);
}

std::string small_tnef() {
  std::string out;
  append_number(out, 0x223e9f78, 4);
  append_number(out, 1, 2);
  append_attribute(out, 1, 0x00018004, std::string_view("Lunch\0", 6));
  append_attribute(out, 2, 0x00069002, "rendering");
  append_attribute(out, 2, 0x00018010, std::string_view("..\\A~1.TXT\0", 11));
  append_attribute(out, 2, 0x0006800f, "content");
  std::string properties;
  append_number(properties, 1, 4);
  append_number(properties, 0x1f, 2);
  append_number(properties, 0x3707, 2);
  append_number(properties, 1, 4);
  append_number(properties, 10, 4);
  properties.append(std::string_view("a\0.\0\xe9\0t\0\0\0", 10)).append(2, '\0');
  append_attribute(out, 2, 0x00069005, properties);
  return out;
}

TEST_CASE("TNEF: subject, a file with its long name; cut at every octet; a wrong checksum") {
  const std::string octets = small_tnef();
  auto tnef = parse_tnef(octets);
  REQUIRE(tnef);
  CHECK_FALSE(tnef->damaged);
  CHECK(tnef->subject == "Lunch");
  REQUIRE(tnef->files.size() == 1);
  CHECK(tnef->files[0].name == "a.\xc3\xa9t");
  CHECK(tnef->files[0].octets == "content");
  for (std::size_t end = 0; end < octets.size(); ++end) (void)parse_tnef(std::string_view(octets).substr(0, end));
  CHECK_FALSE(parse_tnef("no TNEF"));
  std::string wrong = octets;
  wrong.back() = static_cast<char>(wrong.back() ^ 1);
  CHECK(parse_tnef(wrong)->damaged);
}

TEST_CASE("packed RTF: references into what was written, plain, damaged") {
  std::string packed;
  append_number(packed, 0, 4);
  append_number(packed, 100, 4);
  append_number(packed, 0x75465a4c, 4);
  append_number(packed, 0, 4);
  packed.append(
      std::string_view("\x02"
                       "a\x0c\xf3"
                       "b",
                       5));  // 'a', then 5 octets from where 'a' stands, then 'b'.
  CHECK(unpacked_rtf(packed, 1'000) == "aaaaaab");
  CHECK(unpacked_rtf(packed, 3)->size() <= 20);
  CHECK_FALSE(unpacked_rtf("short", 10));
}

std::string piece(int number, std::string_view total, std::string_view body) {
  return "From: a@example.org\r\nSubject: outer\r\nMessage-ID: <" + std::to_string(number) +
         "@x>\r\nContent-Type: message/partial; id=\"i@x\"; number=" + std::to_string(number) + std::string(total) +
         "\r\n\r\n" + std::string(body);
}

TEST_RFC("2046 §5.2.2.1", "pieces make the whole, in any order, and only if all are there") {
  const std::string one = piece(1, "", "Subject: inner\r\nMessage-ID: <whole@x>\r\nX-Other: left out\r\n\r\nFirst ");
  const std::string two = piece(2, "; total=2", "second.\r\n");
  const Bytes both[] = {two, one, one};
  const auto whole = reassembled(both);
  REQUIRE(whole);
  CHECK(*whole == "From: a@example.org\r\nSubject: inner\r\nMessage-ID: <whole@x>\r\n\r\nFirst second.\r\n");
  const Bytes missing[] = {two};
  CHECK_FALSE(reassembled(missing));
  const Bytes unknown_total[] = {one};
  CHECK_FALSE(reassembled(unknown_total));
  CHECK_FALSE(reassembled(both, 10));
  std::string other = two;
  other.replace(other.find("i@x"), 3, "j@x");
  const Bytes two_messages[] = {one, other};
  CHECK_FALSE(reassembled(two_messages));
}

TEST_RFC("2046 §5.2.3", "external bodies: where the content is and what it is") {
  const std::string text =
      "Content-Type: message/external-body; access-type=URL; URL=\"ftp://example.org/\r\n a b\"; size=12\r\n\r\n"
      "Content-Type: image/png\r\nContent-ID: <c@x>\r\n\r\n";
  const auto tree = parse_mime(text);
  const auto external = external_body(text, tree.parts[0]);
  REQUIRE(external);
  CHECK(external->access_type == "url");
  CHECK(external->url == "ftp://example.org/ab");
  CHECK(external->size == 12u);
  CHECK(external->type.is("image", "png"));
  CHECK(external->content_id == "c@x");
  CHECK(tree.ambiguities.has(Ambiguity::external_body));
}

}  // namespace
}  // namespace facteur::message
