#include "message/dsn.hpp"

#include "message/builder.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

Report sample() {
  Report report{.reporting_mta = "mx.example.org",
                .from = "MAILER-DAEMON@mx.example.org",
                .to = "jean@example.net",
                .message_id = "r1@mx.example.org",
                .boundary = "b1",
                .envelope_id = "env1"};
  report.at = UtcTime{1'700'000'000'000};
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
  const std::string message = build_report(sample());
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
  const std::string message = build_report(report);
  const auto tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 5);
  CHECK(message.substr(tree.parts[3].body, tree.parts[3].body_length) == report.original);
}

TEST_RFC("3464 §2.3.3", "delays and deliveries in French") {
  Report report = sample();
  report.language = Language::french;
  report.recipients[0].action = ReportAction::delayed;
  report.recipients[0].will_retry_until = UtcTime{1'700'100'000'000};
  std::string message = build_report(report);
  CHECK(decoded_text(*first_field(message, "Subject")) == "Courrier retardé : les essais continuent");
  CHECK(message.find("Will-Retry-Until: Thu, 16 Nov 2023 02:00:00 +0000\r\n") != std::string::npos);
  CHECK(decoded_body_text(message, parse_mime(message).parts[1]).find("Inutile de le renvoyer") != std::string::npos);
  report.recipients[0].action = ReportAction::delivered;
  message = build_report(report);
  CHECK(message.find("Action: delivered\r\n") != std::string::npos);
  for (const char c : message) CHECK(static_cast<unsigned char>(c) < 0x80);
}

TEST_CASE("a plain message by the builder") {
  Draft draft{
      .from = {"Zoé D.", "zoe@example.org"}, .to = {{"", "a@b.example"}, {"B, C", "c@d.example"}}, .subject = "Été"};
  draft.message_id = "1@example.org";
  draft.text = "Bonjour,\nà demain.";
  draft.attachments.push_back({"été.txt", "text/plain", std::string("\0\1\2", 3)});
  const std::string message = build_message(draft);
  for (const char c : message) CHECK(static_cast<unsigned char>(c) < 0x80);
  CHECK(decoded_text(*first_field(message, "From")) == "Zoé D. <zoe@example.org>");
  CHECK(decoded_text(*first_field(message, "Subject")) == "Été");
  const auto tree = parse_mime(message);
  REQUIRE(tree.parts.size() == 3);
  CHECK(decoded_body_text(message, tree.parts[1]) == "Bonjour,\r\nà demain.\r\n");
  CHECK(decoded_body(message, tree.parts[2]) == std::string("\0\1\2", 3));
  CHECK(language_of("fr_CA.UTF-8") == Language::french);
  CHECK(language_of("en-US") == Language::english);
  CHECK_FALSE(language_of("de").has_value());
}

}  // namespace
}  // namespace facteur::message
