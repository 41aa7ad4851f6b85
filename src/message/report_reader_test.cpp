#include "message/report_reader.hpp"

#include <algorithm>

#include "corpora_test.hpp"
#include "message/dsn.hpp"
#include "message/mbox.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;

// Files of the corpora end lines with LF, CRLF or CR, and some begin with a "From " line.
std::string as_mail(std::string text) {
  if (text.find('\n') == std::string::npos) std::ranges::replace(text, '\r', '\n');
  text = crlf_lines(text);
  if (text.starts_with("From ")) text.erase(0, text.find('\n') + 1);
  return text;
}

TEST_RFC("3464 §2.1", "what we write of a delivery is read again") {
  Report report{.reporting_mta = "mx.example.org",
                .from = *Address::parse("MAILER-DAEMON@mx.example.org"),
                .to = *Address::parse("jean@example.net"),
                .origin = {.at = UtcTime{}, .host = "mx.example.org"},
                .envelope_id = "env1"};
  report.recipients.push_back({.final_recipient = "nobody@example.org",
                               .original_recipient = "rfc822;no.body@example.org",
                               .status = "5.1.1",
                               .remote_mta = "mx2.example.org",
                               .diagnostic = "550 5.1.1 no such user"});
  report.recipients.push_back({.final_recipient = "b@example.org", .action = ReportAction::delayed, .status = "4.4.1"});
  report.original = "Message-ID: <1@example.net>\r\nSubject: hello\r\n\r\nbody\r\n";
  for (const bool eight_bit : {false, true}) {
    report.eight_bit = eight_bit;
    const auto read = read_report(build_report(report).octets);
    CHECK(read.kind == ReportKind::delivery);
    CHECK(read.field("reporting-mta") == "dns; mx.example.org");
    CHECK(read.field("original-envelope-id") == "env1");
    CHECK(read.original_message_id == "1@example.net");
    REQUIRE(read.recipients.size() == 2);
    CHECK(read.recipients[0].final_recipient == "nobody@example.org");
    CHECK(read.recipients[0].original_recipient == "no.body@example.org");
    CHECK(read.recipients[0].action == "failed");
    CHECK(read.recipients[0].status == "5.1.1");
    CHECK(read.recipients[0].remote_mta == "mx2.example.org");
    CHECK(read.recipients[0].diagnostic == "550 5.1.1 no such user");
    CHECK(read.recipients[1].action == "delayed");
  }
}

TEST_RFC("8098 §3.1", "a disposition notification") {
  const auto read = read_report(
      "Content-Type: multipart/report; report-type=disposition-notification; "
      "boundary=b\r\n\r\n--b\r\n\r\nread\r\n--b\r\n"
      "Content-Type: message/disposition-notification\r\n\r\nReporting-UA: x\r\nFinal-Recipient: rfc822;a@b.example\r\n"
      "Original-Message-ID: <1@c.example>\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n--b--\r\n");
  CHECK(read.kind == ReportKind::disposition);
  CHECK(read.field("disposition") == "manual-action/MDN-sent-manually; displayed");
  CHECK(read.original_message_id == "1@c.example");
}

TEST_RFC("5965 §3", "a feedback report") {
  const auto read = read_report(
      "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nabuse\r\n--b\r\n"
      "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n--b\r\n"
      "Content-Type: message/rfc822\r\n\r\nMessage-ID: <2@c.example>\r\n\r\nspam\r\n--b--\r\n");
  CHECK(read.kind == ReportKind::feedback);
  CHECK(read.field("feedback-type") == "abuse");
  CHECK(read.original_message_id == "2@c.example");
}

TEST_RFC("3834 §5", "automatic replies, bounces in prose, and mail of people") {
  const auto kind = [](const std::string& text) { return name_of(read_report(text).kind); };
  CHECK(kind("Subject: Out of Office: hello\r\nReturn-Path: <>\r\n\r\naway\r\n") == "reply");
  CHECK(kind("From: MAILER-DAEMON@x.example\r\nSubject: failure notice\r\n\r\n<a@b.example>:\r\nno such user\r\n") ==
        "bounce");
  CHECK(kind("From: anne@b.example\r\nSubject: failure notice\r\n\r\nlook what I got\r\n") == "none");
  CHECK(kind("From: postmaster@b.example\r\nSubject: meeting\r\n\r\nat noon\r\n") == "none");
  CHECK(kind("") == "none");
}

// Recognised or not is what the place of a file says; which kind of report it is, its name says in part.
TEST_CASE("reports: the corpus bounces-sisimai") {
  const fs::path folder = root() / "bounces-sisimai" / "maildir";
  if (!present(folder)) return;
  Suite suite("bounces-sisimai");
  for (const auto& path : files_below(folder)) {
    const std::string place = path.parent_path().filename().string();
    if (place != "bsd" && place != "dos" && place != "mac" && place != "not") continue;
    const auto kind = read_report(as_mail(read_file(path))).kind;
    suite.add(place + "/" + path.filename().string(), (kind == ReportKind::none) == (place == "not"), name_of(kind),
              place == "not" ? "none" : "a report");
  }
  suite.report();
}

}  // namespace
}  // namespace facteur::message
