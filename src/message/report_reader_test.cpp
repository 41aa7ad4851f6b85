#include "message/report_reader.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "message/dsn.hpp"
#include "message/mbox.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

namespace fs = std::filesystem;

fs::path corpora() {
  const char* set = std::getenv("FACTEUR_CORPORA");
  return set ? set : "../shared/corpora";
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

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

// Files that are not recognised as what their place says, each with the reason. A change in either direction fails.
const std::set<std::string> explained = {
    // Complaints in prose, with no feedback report in them: RFC 5965 §2 wants one.
    "bsd/arf-22.eml",
    "bsd/arf-23.eml",
    // Notices of a web service about bounces, in JSON, from an address of its own.
    "bsd/lhost-amazonses-10.eml",
    "bsd/lhost-amazonses-12.eml",
    // An ordinary reply ("Re: ...") of an old James, whose text names no reason that others name.
    "bsd/lhost-apachejames-01.eml",
    "dos/lhost-apachejames-01.eml",
    "mac/lhost-apachejames-01.eml",
    // A mailing list tells its owner of a loop.
    "bsd/lhost-fml-03.eml",
    // A bounce that a person has forwarded.
    "bsd/lhost-sendmail-14.eml",
    // Said to be no bounce; it comes from postmaster, by the null path, and says that a message was not delivered.
    "not/rb-issue-368-bug.eml",
};

TEST_CASE("reports: the corpus bounces-sisimai") {
  const fs::path folder = corpora() / "bounces-sisimai" / "maildir";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: " << folder.string() << " is not here");
    return;
  }
  std::set<std::string> wrong;
  int all = 0;
  std::array<int, 6> kinds{};
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string place = entry.path().parent_path().filename().string();
    if (place != "bsd" && place != "dos" && place != "mac" && place != "not") continue;
    const auto read = read_report(as_mail(read_file(entry.path())));
    ++all;
    ++kinds[static_cast<std::size_t>(read.kind)];
    const bool report = read.kind != ReportKind::none;
    if (report == (place == "not")) wrong.insert(place + "/" + entry.path().filename().string());
  }
  MESSAGE("bounces-sisimai: " << all - static_cast<int>(wrong.size()) << " of " << all << "; delivery " << kinds[1]
                              << ", feedback " << kinds[3] << ", bounce " << kinds[4] << ", reply " << kinds[5]);
  for (const auto& name : wrong) CHECK_MESSAGE(explained.contains(name), "not recognised: " << name);
  for (const auto& name : explained) CHECK_MESSAGE(wrong.contains(name), "recognised by now: " << name);
}

TEST_CASE("reports: the corpora reports-mail-auth and reports-parsedmarc") {
  int all = 0;
  int good = 0;
  for (const fs::path& folder :
       {corpora() / "reports-mail-auth" / "arf", corpora() / "reports-parsedmarc" / "failure"}) {
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".eml") continue;
      const auto read = read_report(as_mail(read_file(entry.path())));
      ++all;
      good += read.kind == ReportKind::feedback && !read.field("feedback-type").empty();
      CHECK_MESSAGE(read.kind == ReportKind::feedback, entry.path().filename().string());
    }
  }
  MESSAGE("feedback reports: " << good << " of " << all);
}

}  // namespace
}  // namespace facteur::message
