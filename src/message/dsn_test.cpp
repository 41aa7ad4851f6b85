#include "message/dsn.hpp"

#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/report_parts.hpp"
#include "message/report_reader.hpp"
#include "message/seven_bit.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

Report sample() {
  Report report{.reporting_mta = "mx.example.org",
                .from = *Address::parse("MAILER-DAEMON@mx.example.org"),
                .to = *Address::parse("jean@example.net"),
                .origin = {.at = UtcTime{1'700'000'000'000}, .host = "mx.example.org"},
                .envelope_id = "env1"};
  report.arrived = UtcTime{1'699'999'000'000};
  report.recipients.push_back({.final_recipient = "nobody@example.org",
                               .original_recipient = "rfc822;nobody@example.org",
                               .action = ReportAction::failed,
                               .status = "5.1.1",
                               .remote_mta = "mx2.example.org",
                               .diagnostic = "550 5.1.1\r\nno such user"});
  report.original = "Subject: hello\r\nFrom: jean@example.net\r\n\r\nbody\r\n";
  return report;
}

TEST_RFC("3464 §2", "a report has a text, a status and the header of the original") {
  const std::string message = build_report(sample()).octets;
  const auto tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 4);
  CHECK(tree.parts[0].content_type.is("multipart", "report"));
  CHECK(tree.parts[0].content_type.parameter("report-type") == "delivery-status");
  CHECK(tree.parts[2].content_type.is("message", "delivery-status"));
  CHECK(message.substr(tree.parts[2].body, tree.parts[2].body_length) ==
        "Original-Envelope-Id: env1\r\nReporting-MTA: dns; mx.example.org\r\nArrival-Date: Tue, 14 Nov 2023 21:56:40 "
        "+0000\r\n"
        "\r\nOriginal-Recipient: rfc822;nobody@example.org\r\nFinal-Recipient: rfc822; nobody@example.org\r\n"
        "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx2.example.org\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n");
  CHECK(tree.parts[3].content_type.is("text", "rfc822-headers"));
  CHECK(message.substr(tree.parts[3].body, tree.parts[3].body_length) ==
        "Subject: hello\r\nFrom: jean@example.net\r\n\r\n");
  CHECK(unfolded(*first_field(message, "Auto-Submitted")) == "auto-replied");
  CHECK(decoded_body_text(message, tree.parts[1]).find("<nobody@example.org>") != std::string::npos);
}

TEST_RFC("6522 §3", "the whole message is returned as message/rfc822 when asked for") {
  Report report = sample();
  report.headers_only = false;
  const std::string message = build_report(report).octets;
  const auto tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 5);
  CHECK(message.substr(tree.parts[3].body, tree.parts[3].body_length) == report.original);
}

TEST_RFC("3464 §2.3.3", "delays and deliveries in French") {
  Report report = sample();
  report.language = Language::french;
  report.recipients[0].action = ReportAction::delayed;
  report.recipients[0].will_retry_until = UtcTime{1'700'100'000'000};
  std::string message = build_report(report).octets;
  CHECK(decoded_text(*first_field(message, "Subject")) == "Courrier retardé : les essais continuent");
  CHECK(message.find("Will-Retry-Until: Thu, 16 Nov 2023 02:00:00 +0000\r\n") != std::string::npos);
  CHECK(decoded_body_text(message, parse_mime(message).parts[1]).find("Inutile de le renvoyer") != std::string::npos);
  report.recipients[0].action = ReportAction::delivered;
  message = build_report(report).octets;
  CHECK(message.find("Action: delivered\r\n") != std::string::npos);
  for (const char c : message) CHECK(static_cast<unsigned char>(c) < 0x80);
}

TEST_RFC("6533 §4.1", "recipients beyond ASCII: a status in UTF-8, and nothing of it in the header") {
  Report report = sample();
  report.recipients[0].final_recipient = "josé@example.org";
  report.recipients[0].original_recipient = "utf-8;jos\\x{E9}@example.org";
  report.recipients[0].diagnostic = "550 5.1.1 <josé@example.org> inconnu";
  report.original = "Subject: été\r\nMessage-ID: <1@example.net>\r\n\r\nx\r\n";
  for (const bool eight_bit : {false, true}) {
    report.eight_bit = eight_bit;
    const Built built = build_report(report);
    CHECK_FALSE(built.utf8);
    CHECK(built.eight_bit == eight_bit);
    CHECK_FALSE(needs_utf8_transport(built.octets));
    const auto tree = parse_mime(built.octets);
    REQUIRE(tree.parts.size() == 4);
    CHECK(tree.parts[2].content_type.is("message", "global-delivery-status"));
    CHECK(tree.parts[3].content_type.is("message", "global-headers"));
    CHECK(decoded_body(built.octets, tree.parts[3]) == "Subject: été\r\nMessage-ID: <1@example.net>\r\n\r\n");
    const auto read = read_report(built.octets);
    REQUIRE(read.recipients.size() == 1);
    CHECK(read.recipients[0].final_recipient == "josé@example.org");
    CHECK(read.recipients[0].original_recipient == "josé@example.org");
    CHECK(read.recipients[0].diagnostic == "550 5.1.1 <josé@example.org> inconnu");
    CHECK(read.original_message_id == "1@example.net");
  }
}

TEST_RFC("6533 §4.5", "a message in UTF-8 comes back in base64 where the way back may not know SMTPUTF8") {
  Report report = sample();
  report.headers_only = false;
  report.original = "Subject: été\r\n\r\nx\r\n";
  const Built there = build_report(report);
  CHECK_FALSE(has_eight_bit(there.octets));
  const auto tree = parse_mime(there.octets);
  CHECK(tree.parts[3].content_type.is("message", "global"));
  CHECK(decoded_body(there.octets, tree.parts[3]) == report.original);
  report.to = *Address::parse("jürgen@example.net");
  const Built built = build_report(report);
  CHECK(built.utf8);
  CHECK(built.octets.find("\r\nTo: jürgen@example.net\r\n") != std::string::npos);
  CHECK(needs_utf8_transport(built.octets));
}

TEST_RFC("6533 §3", "addresses of type utf-8 in seven bits") {
  CHECK(typed_address("a@b.example", false) == "rfc822; a@b.example");
  CHECK(typed_address("é +x@b.example", false) == "utf-8; \\x{E9}\\x{20}\\x{2B}x@b.example");
  CHECK(typed_address("é@b.example", true) == "utf-8; é@b.example");
  CHECK(typed_address("\xff@b.example", true) == "rfc822; ?@b.example");
  CHECK(typed_recipient("utf-8;\\x{1F600}@x", true) == "utf-8; 😀@x");
  CHECK(typed_recipient("utf-8;\\x{1F600}@x", false) == "utf-8; \\x{1F600}@x");
  CHECK(typed_recipient("rfc822;a@b", false) == "rfc822;a@b");
  CHECK(typed_recipient("a@b", false).empty());
  CHECK(from_unitext("\\x{E9}\\x{zz}\\x{E9") == "é\\x{zz}\\x{E9");
  CHECK(from_unitext("a\\x{0D}\\x{0A}b") == "a  b");
}

TEST_RFC("3464 §2.1", "what others said is one line of the report, however it came") {
  Report report = sample();
  report.recipients[0].diagnostic = "550 a\r\nFinal-Recipient: rfc822; other@example.org\r\n\r\n--x\xff\x01";
  report.recipients[0].remote_mta = "mx\r\nX: y";
  report.envelope_id = "a\nb";
  report.recipients[0].original_recipient = "rfc822;x\r\nStatus: 2.0.0";
  const Built built = build_report(report);
  const auto read = read_report(built.octets);
  REQUIRE(read.recipients.size() == 1);
  CHECK(read.recipients[0].final_recipient == "nobody@example.org");
  CHECK(read.recipients[0].status == "5.1.1");
  CHECK(read.recipients[0].diagnostic == "550 a Final-Recipient: rfc822; other@example.org --x?");
}

TEST_CASE("languages by their tags") {
  CHECK(language_of("fr_CA.UTF-8") == Language::french);
  CHECK(language_of("en-US") == Language::english);
  CHECK_FALSE(language_of("de").has_value());
}

}  // namespace
}  // namespace facteur::message
