#include "message/mdn.hpp"

#include <algorithm>

#include "message/complaint.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/report_reader.hpp"
#include "message/seven_bit.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using Answer = ReadingRequest::Answer;

std::pair<Answer, std::string> asked(const std::string& header) {
  const auto request = reading_request(header + "\r\nbody\r\n");
  return {request.answer, std::string(request.why)};
}

TEST_RFC("8098 §2.1", "who may be told of reading, and when a person must be asked") {
  const std::string to = "Disposition-Notification-To: Zo <zoe@Example.org>\r\n";
  const std::string path = "Return-Path: <zoe@example.org>\r\n";
  CHECK(asked(path) == std::pair(Answer::none, std::string()));
  CHECK(asked(path + to) == std::pair(Answer::automatic, std::string()));
  CHECK(asked("Return-Path: <\"zoe\"@example.org>\r\n" + to).first == Answer::automatic);
  CHECK(asked("Return-Path: <Zoe@example.org>\r\n" + to) == std::pair(Answer::ask, std::string("other_address")));
  CHECK(asked(to) == std::pair(Answer::ask, std::string("no_return_path")));
  CHECK(asked(path + path + to).first == Answer::ask);
  CHECK(asked(path + to + to).first == Answer::automatic);
  CHECK(asked(path + to + "Disposition-Notification-To: b@example.org\r\n") ==
        std::pair(Answer::ask, std::string("several_addresses")));
  CHECK(asked("Return-Path: <>\r\n" + to) == std::pair(Answer::never, std::string("null_sender")));
  CHECK(asked(path + "Disposition-Notification-To: nobody\r\n") == std::pair(Answer::never, std::string("no_address")));
  CHECK(asked(path + to + "Newsgroups: a.b\r\n") == std::pair(Answer::never, std::string("newsgroup")));
}

TEST_RFC("8098 §2.2", "options that must be understood and are not") {
  const std::string header = "Return-Path: <a@b.example>\r\nDisposition-Notification-To: a@b.example\r\n";
  CHECK(asked(header + "Disposition-Notification-Options: a=optional,x; b = REQUIRED , y\r\n") ==
        std::pair(Answer::never, std::string("unknown_option")));
  CHECK(asked(header + "Disposition-Notification-Options: a=optional,required\r\n").first == Answer::automatic);
}

TEST_RFC("8098 §3", "no notification about a notification") {
  CHECK(asked("Return-Path: <a@b.example>\r\nDisposition-Notification-To: a@b.example\r\n"
              "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n") ==
        std::pair(Answer::never, std::string("report")));
}

ReadingNotice sample() {
  ReadingNotice notice{.from = {"Anne", *Address::parse("anne@example.org")}};
  notice.to = {{"", *Address::parse("zoe@b.example")}};
  notice.origin = {.at = UtcTime{1'700'000'000'000}, .host = "example.org"};
  notice.original = "Message-ID: <1@b.example>\r\nSubject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\nbody\r\n";
  return notice;
}

TEST_RFC("8098 §3.1", "a notification with all its fields") {
  ReadingNotice notice = sample();
  notice.gateway = "gw.example.org";
  notice.original_recipient = "rfc822;a@example.org";
  notice.errors = {"no\r\nroom"};
  const auto built = build_reading_notice(notice);
  REQUIRE(built);
  const auto tree = parse_mime(built->octets);
  REQUIRE(tree.parts.size() == 4);
  CHECK(tree.parts[0].content_type.parameter("report-type") == "disposition-notification");
  CHECK(decoded_body(built->octets, tree.parts[2]) ==
        "Reporting-UA: facteur\r\nMDN-Gateway: dns; gw.example.org\r\nOriginal-Recipient: rfc822;a@example.org\r\n"
        "Final-Recipient: rfc822; anne@example.org\r\nOriginal-Message-ID: <1@b.example>\r\n"
        "Disposition: manual-action/MDN-sent-manually; displayed/error\r\nError: no room\r\n");
  CHECK(decoded_body(built->octets, tree.parts[3]) ==
        "Message-ID: <1@b.example>\r\nSubject: =?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\n");
  CHECK(decoded_text(*first_field(built->octets, "Subject")) == "Read: été");
  CHECK_FALSE(first_field(built->octets, "Disposition-Notification-To"));
  CHECK_FALSE(first_field(built->octets, "Auto-Submitted"));
  const auto read = read_report(built->octets);
  CHECK(read.kind == ReportKind::disposition);
  CHECK(read.original_message_id == "1@b.example");
  CHECK(read.field("disposition") == "manual-action/MDN-sent-manually; displayed/error");
  CHECK(reading_request("Disposition-Notification-To: a@b.example\r\n" + built->octets).answer == Answer::never);
}

TEST_RFC("8098 §3.2.6", "modes and types of disposition, in French") {
  ReadingNotice notice = sample();
  notice.language = Language::french;
  notice.automatic_action = notice.sent_automatically = true;
  for (const auto& [disposition, name] :
       {std::pair(Fate::deleted, "deleted"), {Fate::dispatched, "dispatched"}, {Fate::processed, "processed"}}) {
    notice.fate = disposition;
    const auto built = build_reading_notice(notice);
    REQUIRE(built);
    CHECK(read_report(built->octets).field("disposition") ==
          std::string("automatic-action/MDN-sent-automatically; ") + name);
    CHECK(decoded_text(*first_field(built->octets, "Subject")) == "Lu : été");
    CHECK(first_field(built->octets, "Auto-Submitted"));
  }
}

TEST_RFC("6533 §5", "addresses beyond ASCII") {
  ReadingNotice notice = sample();
  notice.from.address = *Address::parse("jürgen@example.org");
  CHECK_FALSE(build_reading_notice(notice));  // The header cannot say who it is from.
  notice.transport.utf8 = true;
  const auto built = build_reading_notice(notice);
  REQUIRE(built);
  CHECK(built->utf8);
  const auto tree = parse_mime(built->octets);
  CHECK(tree.parts[2].content_type.is("message", "global-disposition-notification"));
  CHECK(read_report(built->octets).field("final-recipient") == "utf-8; jürgen@example.org");
  notice.to.clear();
  CHECK_FALSE(build_reading_notice(notice));
}

TEST_RFC("5965 §3", "a complaint with all its fields is read again") {
  Complaint complaint{.from = {"", *Address::parse("abuse@example.org")}};
  complaint.to = {{"", *Address::parse("fbl@b.example")}};
  complaint.origin = {.at = UtcTime{1'700'000'000'000}, .host = "example.org"};
  complaint.kind = ComplaintKind::fraud;
  complaint.envelope_id = "e1";
  complaint.mail_from = "<spam@b.example>";
  complaint.arrived = UtcTime{1'699'999'000'000};
  complaint.reporting_mta = "mx.example.org";
  complaint.source_ip = IpAddress::parse("2001:db8::1");
  complaint.incidents = 3;
  complaint.recipients = {"<a@example.org>", "<b@example.org>"};
  complaint.authentication_results = {"mx.example.org;\r\n spf=fail smtp.mailfrom=spam@b.example"};
  complaint.reported_domains = {"b.example"};
  complaint.reported_uris = {"http://b.example/buy"};
  complaint.original = "Received: x\r\nSubject: buy\r\nMessage-ID: <s@b.example>\r\n\r\nnow\r\n";
  for (const bool headers_only : {false, true}) {
    complaint.headers_only = headers_only;
    const auto built = build_complaint(complaint);
    REQUIRE(built);
    CHECK_FALSE(has_eight_bit(built->octets));
    CHECK(decoded_text(*first_field(built->octets, "Subject")) == "FW: buy");
    const auto tree = parse_mime(built->octets);
    REQUIRE(tree.parts.size() == (headers_only ? 4 : 5));
    CHECK(tree.parts[0].content_type.parameter("report-type") == "feedback-report");
    CHECK(tree.parts[3].content_type.subtype == (headers_only ? "rfc822-headers" : "rfc822"));
    const auto read = read_report(built->octets);
    CHECK(read.kind == ReportKind::feedback);
    CHECK(read.original_message_id == "s@b.example");
    CHECK(read.field("feedback-type") == "fraud");
    CHECK(read.field("version") == "1");
    CHECK(read.field("user-agent") == "facteur/1");
    CHECK(read.field("source-ip") == "2001:db8::1");
    CHECK(read.field("incidents") == "3");
    CHECK(read.field("original-mail-from") == "<spam@b.example>");
    CHECK(read.field("arrival-date") == "Tue, 14 Nov 2023 21:56:40 +0000");
    CHECK(read.field("authentication-results") == "mx.example.org; spf=fail smtp.mailfrom=spam@b.example");
    CHECK(std::ranges::count(read.fields, "original-rcpt-to", &std::pair<std::string, std::string>::first) == 2);
  }
  CHECK(complaint_kind("NOT-spam") == ComplaintKind::not_spam);
  CHECK_FALSE(complaint_kind("x"));
}

}  // namespace
}  // namespace facteur::message
