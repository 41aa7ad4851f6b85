// What reading costs grows with the octets read and not faster: twice the octets, at most 2.5 times the time.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "growth_test.hpp"
#include "hostile_messages.hpp"
#include "message/address.hpp"
#include "message/authentication_results.hpp"
#include "message/date.hpp"
#include "message/encoded_word.hpp"
#include "message/enriched.hpp"
#include "message/header.hpp"
#include "message/list_fields.hpp"
#include "message/mbox.hpp"
#include "message/mime.hpp"
#include "message/received.hpp"
#include "message/references.hpp"
#include "message/rtf.hpp"
#include "message/structure.hpp"
#include "message/text.hpp"
#include "message/tnef.hpp"
#include "message/trace.hpp"
#include "message/wrapped.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

void read_message(const std::string& text) {
  const std::string record = make_structure("Return-Path: <>\r\n", text);
  const auto structure = Structure::open(record);
  REQUIRE(structure);
  (void)structure->entities();
  const auto tree = parse_mime(text);
  (void)display_text(text, tree);
  (void)searchable_text(text, tree);
  (void)analyse_trace(text);
}

void read_value(const std::string& text) {
  (void)parse_address_list(text);
  if (const auto type = parse_content_type(text)) (void)type->parameter("z");
  (void)parse_disposition(text);
  (void)decoded_text(text);
  (void)base_subject(text);
  (void)parse_message_ids(text);
  (void)parse_date(text);
  (void)parse_received(text);
  (void)parse_authentication_results(text);
  (void)parse_list_uris(text);
  (void)parse_list_id(text);
  (void)parse_path(text, true);
  (void)read_list_fields("List-Id: " + text);
}

TEST_CASE("reading a hostile message costs in proportion to its octets") {
  for (const auto& input : hostile::messages()) growth::check(input, 100'000, read_message);
}

TEST_CASE("reading a hostile field value costs in proportion to its octets") {
  for (const auto& input : hostile::values()) growth::check(input, 30'000, read_value);
}

void read_boxes(const std::string& text) {
  for (const auto dialect :
       {std::optional<MboxDialect>(), std::optional(MboxDialect::mboxo), std::optional(MboxDialect::mboxcl2)}) {
    MboxReader reader(dialect);
    MboxLetter letter;
    // In pieces, as a file is read.
    for (Bytes rest = text; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 65536))) {
      reader.add(rest.substr(0, 65536));
      while (reader.next(letter) == MboxReader::Step::letter) {
      }
    }
    reader.end();
    while (reader.next(letter) == MboxReader::Step::letter) {
    }
  }
}

TEST_CASE("reading a hostile mbox costs in proportion to its octets") {
  using hostile::repeated;
  using hostile::under;
  constexpr const char* postmark = "From a@b Thu Jan  1 00:00:00 2026\n";
  static const std::string start(postmark);
  for (const auto& input : std::vector<hostile::Input>{
           {"empty letters", [](std::size_t n) { return repeated(start + "\n", n); }},
           {"one letter", [](std::size_t n) { return under(start + "A: b\n\n", "text\n", n); }},
           {"one line", [](std::size_t n) { return under(start + "A: b\n\n", "x", n); }},
           {"lines that are no postmark", [](std::size_t n) { return under(start + "A: b\n\n", "\nFrom x\n", n); }},
           {"quoted postmarks", [](std::size_t n) { return under(start + "A: b\n\n", ">From x\n", n); }},
           {"many quotes", [](std::size_t n) { return under(start + "A: b\n\n", ">", n); }},
           {"wrong lengths", [](std::size_t n) { return repeated(start + "Content-Length: 1000000\n\nx\n\n", n); }},
           {"lengths that lead nowhere",
            [](std::size_t n) { return repeated(start + "Content-Length: 7\n\nx\n\n", n); }},
           {"fields", [](std::size_t n) { return under(start, "Status: RO\n", n); }},
           {"no postmark", [](std::size_t n) { return repeated("line\n", n); }},
       }) {
    growth::check(input, 200'000, read_boxes);
  }
}

// ---- texts wrapped in other forms

constexpr std::size_t all = std::size_t{1} << 30;  // Nothing is cut, so that all octets are read.

TEST_CASE("reading hostile RTF costs in proportion to its octets") {
  using hostile::repeated;
  using hostile::under;
  for (const auto& input : std::vector<hostile::Input>{
           {"words", [](std::size_t n) { return under("{\\rtf1 ", "words of a text ", n); }},
           {"groups in groups", [](std::size_t n) { return under("{\\rtf1 ", "{", n); }},
           {"groups opened and closed", [](std::size_t n) { return under("{\\rtf1 ", "{a}", n); }},
           {"groups closed only", [](std::size_t n) { return under("{\\rtf1 ", "}", n); }},
           {"hidden groups", [](std::size_t n) { return under("{\\rtf1 ", "{\\*\\x a}{\\pict 00}", n); }},
           {"one long word of control", [](std::size_t n) { return under("{\\rtf1\\", "a", n); }},
           {"one long number", [](std::size_t n) { return under("{\\rtf1\\u", "9", n); }},
           {"words of control", [](std::size_t n) { return under("{\\rtf1 ", "\\b0\\i", n); }},
           {"paragraphs", [](std::size_t n) { return under("{\\rtf1 ", "\\par a", n); }},
           {"characters by number", [](std::size_t n) { return under("{\\rtf1 ", "\\u8364?", n); }},
           {"fallbacks", [](std::size_t n) { return under("{\\rtf1\\uc16 ", "\\u233", n); }},
           {"halves of pairs", [](std::size_t n) { return under("{\\rtf1 ", "\\u-10179?", n); }},
           {"octets by number", [](std::size_t n) { return under("{\\rtf1 ", "\\'e9", n); }},
           {"pieces in a charset", [](std::size_t n) { return under("{\\rtf1\\ansicpg932 ", "\\'93\\'fa\\par ", n); }},
           {"pieces in no charset", [](std::size_t n) { return under("{\\rtf1\\ansicpg99999 ", "\\'93\\par ", n); }},
           {"charsets in turn",
            [](std::size_t n) { return under("{\\rtf1 ", "\\ansicpg1251 \\'cf\\par\\ansicpg932 \\'93\\par ", n); }},
           {"binary pieces", [](std::size_t n) { return under("{\\rtf1 ", "\\bin1 x", n); }},
           {"wrapped HTML", [](std::size_t n) { return under("{\\rtf1\\fromhtml1 ", "\\htmlrtf a\\htmlrtf0 b", n); }},
           {"nothing but backslashes", [](std::size_t n) { return under("{\\rtf1 ", "\\", n); }},
       }) {
    growth::check(input, 200'000, [](const std::string& text) { (void)rtf_to_text(text, all); });
  }
}

TEST_CASE("reading hostile enriched text costs in proportion to its octets") {
  using hostile::repeated;
  for (const auto& input : std::vector<hostile::Input>{
           {"lines", [](std::size_t n) { return repeated("a line of it\r\n", n); }},
           {"line ends", [](std::size_t n) { return repeated("\r\n", n); }},
           {"commands", [](std::size_t n) { return repeated("<bold>a</bold>", n); }},
           {"commands that do not end", [](std::size_t n) { return repeated("<a", n); }},
           {"commands nearly too long", [](std::size_t n) { return repeated("<" + std::string(60, 'x') + ">", n); }},
           {"brackets", [](std::size_t n) { return repeated("<", n); }},
           {"brackets apart", [](std::size_t n) { return repeated("< ", n); }},
           {"parameters in parameters", [](std::size_t n) { return repeated("<param>", n); }},
           {"verbatim", [](std::size_t n) { return repeated("<nofill>\n", n); }},
           {"paragraphs of richtext", [](std::size_t n) { return repeated("<nl>", n); }},
       }) {
    growth::check(input, 200'000, [](const std::string& text) { (void)enriched_to_text(text, all); });
  }
}

std::string little(std::uint64_t value, int octets) {
  std::string out;
  for (int i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
// MS-OXTNEF §2.1.3: level, tag, length, value, and a checksum that is wrong, which hinders nobody.
std::string tnef_attribute(char level, std::uint32_t tag, const std::string& value) {
  return level + little(tag, 4) + little(value.size(), 4) + value + little(0, 2);
}
const std::string tnef_start = little(0x223e9f78, 4) + little(1, 2);
constexpr std::uint32_t message_properties = 0x69003;
constexpr std::uint32_t file_rendering = 0x69002;
constexpr std::uint32_t file_octets = 0x6800f;
constexpr std::uint32_t file_properties = 0x69005;

std::string many(const std::string& attribute, std::size_t n) { return tnef_start + hostile::repeated(attribute, n); }
// One list that says to hold as many properties as there can be.
std::string one_list(std::uint32_t tag, const std::string& property, std::size_t n) {
  const std::string list = little(0xffffffff, 4) + hostile::repeated(property, n);
  return tnef_start + tnef_attribute(tag == message_properties ? 1 : 2, tag, list);
}
// MS-OXRTFCP §2.2: packed, each two octets make seventeen.
std::string packed_rtf(std::size_t n) {
  return little(n, 4) + little(0xffffffff, 4) + little(0x75465a4c, 4) + little(0, 4) +
         hostile::repeated("\xff" + hostile::repeated(std::string("\x00\x0f", 2), 16), n);
}

TEST_CASE("reading hostile TNEF costs in proportion to its octets") {
  for (const auto& input : std::vector<hostile::Input>{
           {"files without anything", [](std::size_t n) { return many(tnef_attribute(2, file_rendering, ""), n); }},
           {"the same file again", [](std::size_t n) { return many(tnef_attribute(2, file_octets, "octets"), n); }},
           {"subjects", [](std::size_t n) { return many(tnef_attribute(1, 0x18004, "s"), n); }},
           {"bodies", [](std::size_t n) { return many(tnef_attribute(1, 0x2800c, "a text"), n); }},
           {"names", [](std::size_t n) { return many(tnef_attribute(2, 0x18010, "/a/b"), n); }},
           {"code pages",
            [](std::size_t n) {
              return many(tnef_attribute(1, 0x69007, little(932, 4)) + tnef_attribute(1, 0x2800c, "\x93\xfa"), n);
            }},
           {"code pages that are none",
            [](std::size_t n) {
              return many(tnef_attribute(1, 0x69007, little(99999, 4)) + tnef_attribute(1, 0x2800c, "\x93\xfa"), n);
            }},
           {"attributes nobody knows", [](std::size_t n) { return many(tnef_attribute(1, 0x12345, ""), n); }},
           {"numbers",
            [](std::size_t n) { return one_list(message_properties, little(0x00010003, 4) + little(1, 4), n); }},
           {"values of no octets",
            [](std::size_t n) {
              return one_list(message_properties, little(0x0037001e, 4) + little(1, 4) + little(0, 4), n);
            }},
           {"one property of many values",
            [](std::size_t n) {
              return one_list(message_properties,
                              little(0x0037101e, 4) + little(0xffffffff, 4) + hostile::repeated(little(0, 4), n), 1);
            }},
           {"names of properties",
            [](std::size_t n) {
              return one_list(message_properties,
                              little(0x80000003, 4) + std::string(16, '\0') + little(1, 4) + little(4, 4) +
                                  std::string("a\0b\0", 4) + little(7, 4),
                              n);
            }},
           {"HTML again and again",
            [](std::size_t n) {
              return one_list(message_properties, little(0x10130102, 4) + little(1, 4) + little(4, 4) + "<p>x", n);
            }},
           {"names of files in UTF-16",
            [](std::size_t n) {
              return one_list(file_properties,
                              little(0x3707001f, 4) + little(1, 4) + little(4, 4) + std::string("a\0b\0", 4), n);
            }},
           {"packed RTF",
            [](std::size_t n) {
              const std::string rtf = packed_rtf(n);
              return one_list(message_properties, little(0x10090102, 4) + little(1, 4) + little(rtf.size(), 4) + rtf,
                              1);
            }},
           {"packed RTF in pieces",
            [](std::size_t n) {
              const std::string rtf = packed_rtf(100) + "  ";
              return one_list(message_properties,
                              little(0x10090102, 4) + little(1, 4) + little(rtf.size() - rtf.size() % 4, 4) +
                                  rtf.substr(0, rtf.size() - rtf.size() % 4),
                              n);
            }},
           {"one text",
            [](std::size_t n) { return many(tnef_attribute(1, 0x2800c, hostile::repeated("text ", n)), 1); }},
           {"text files",
            [](std::size_t n) {
              return many(tnef_attribute(2, file_rendering, "") + tnef_attribute(2, 0x18010, "a.html") +
                              tnef_attribute(2, file_octets, "<b>a</b>"),
                          n);
            }},
           {"messages in messages",
            [](std::size_t n) {
              constexpr std::string_view message_interface(
                  "\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46", 16);
              std::string inner = tnef_start + tnef_attribute(1, 0x2800c, hostile::repeated("text ", n));
              for (int depth = 0; depth < 8; ++depth) {
                const std::string value = std::string(message_interface) + inner;
                inner = tnef_start + tnef_attribute(2, file_rendering, "") +
                        tnef_attribute(2, file_properties,
                                       little(1, 4) + little(0x3701000d, 4) + little(1, 4) + little(value.size(), 4) +
                                           value + std::string((4 - value.size() % 4) % 4, '\0'));
              }
              return inner;
            }},
       }) {
    growth::check(input, 100'000, [](const std::string& octets) {
      REQUIRE(parse_tnef(octets));
      (void)tnef_text(octets, all);
      (void)tnef_searchable(octets, all);
    });
  }
}

}  // namespace
}  // namespace facteur::message
