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
#include "message/header.hpp"
#include "message/list_fields.hpp"
#include "message/mbox.hpp"
#include "message/mime.hpp"
#include "message/received.hpp"
#include "message/references.hpp"
#include "message/structure.hpp"
#include "message/text.hpp"
#include "message/trace.hpp"
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

}  // namespace
}  // namespace facteur::message
