#include "message/trace.hpp"

#include "message/charset.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

// The header that students of a French course are asked about: five Received fields, a content filter among them, a
// damaged Content-Type line.
constexpr std::string_view exercise =
    "Return-Path: <mlegas@hotmail.fr>\r\n"
    "Delivered-To: berthet@iut-velizy.uvsq.fr\r\n"
    "Received: from localhost (unknown [127.0.0.1])\r\n"
    "    by horus.iut-velizy.uvsq.fr (Postfix) with ESMTP id E1F5339800\r\n"
    "    for <berthet@iut-velizy.uvsq.fr>; Tue, 26 Aug 2012 11:19:06 +0200 (CEST)\r\n"
    "Received: from horus.iut-velizy.uvsq.fr ([127.0.0.1])\r\n"
    "    by localhost (horus.iut-velizy.uvsq.fr [127.0.0.1]) (amavisd-new, port 10024)\r\n"
    "    with ESMTP id uctqB4e33R6B for <berthet@iut-velizy.uvsq.fr>;\r\n"
    "    Tue, 26 Aug 2012 11:18:41 +0200 (CEST)\r\n"
    "Received: from soleil.uvsq.fr (soleil.uvsq.fr [193.51.24.1])\r\n"
    "    by horus.iut-velizy.uvsq.fr (Postfix) with ESMTP id BCE9239804\r\n"
    "    for <berthet@iut-velizy.uvsq.fr>; Tue, 26 Aug 2012 11:18:41 +0200 (CEST)\r\n"
    "Received: from bay0-omc2-s6.bay0.hotmail.com (bay0-omc2-s6.bay0.hotmail.com\r\n"
    "    [65.54.246.142]) by soleil.uvsq.fr (8.14.1/jtpda-5.4) with ESMTP id m7Q9IWmj059857\r\n"
    "    for <berthet@iut-velizy.uvsq.fr>; Tue, 26 Aug 2012 11:18:38 +0200 (CEST)\r\n"
    "Received: from BAY130-W1 ([65.55.135.36]) by bay0-omc2-s6.bay0.hotmail.com with\r\n"
    "    Microsoft SMTPSVC(6.0.3790.3959); Tue, 26 Aug 2012 01:47:09 -0700\r\n"
    "Message-ID: <BAY130-W196A51BC81C645318122CAB660@phx.gbl>\r\n"
    "Content-Type: multipart/alternative; boundary=\"_8dec2f80-8523-462c-9a33-\r\n"
    "810edf2371bd_\"\r\n"
    "From: =?iso-8859-1?Q?M=E9lanie_Legas?= <mlegas@hotmail.fr>\r\n"
    "To: <berthet@iut-velizy.uvsq.fr>\r\n"
    "Subject: =?iso-8859-1?Q?FW: Rattrapage_r=E9seaux?=\r\n"
    "Date: Tue, 26 Aug 2012 10:47:09 +0200\r\nMIME-Version: 1.0\r\n\r\n";

// The header of another course: a step between the two that are shown is left out.
constexpr std::string_view lecture =
    "Return-path: <bmaheux@free.fr>\r\n"
    "Received: from phuly.ac-creteil.fr (phuly.ac-creteil.fr [195.98.247.74])\r\n by saigon.ac-creteil.fr\r\n"
    " (Oracle Communications Messaging Exchange Server 7u4-18.01 64bit (built Jul 15\r\n 2010))\r\n"
    " with ESMTP id <0M6V00BZOQZ08ME0@saigon.ac-creteil.fr> for\r\n bmaheux@ac-creteil.fr; Mon,\r\n"
    " 09 Jul 2012 08:21:00 +0200 (CEST)\r\n"
    "Received: from [127.0.0.1] (unknown [82.237.223.96])\r\n by smtp1-g21.free.fr (Postfix) with ESMTP id B02A49400D3 "
    "for\r\n"
    " <bmaheux@ac-creteil.fr>; Mon, 09 Jul 2012 08:20:55 +0200 (CEST)\r\n"
    "Date: Mon, 09 Jul 2012 08:20:53 +0200\r\nFrom: Barbara Maheux <bmaheux@free.fr>\r\n"
    "Subject: Essai d'envoi de mail\r\nTo: Barbara Maheux <bmaheux@ac-creteil.fr>\r\n"
    "Message-id: <4FFA7845.5080504@free.fr>\r\nX-Virus-Scanned: amavisd-new at ac-creteil.fr\r\n\r\nbody";

TEST_RFC("5321 §4.4", "the questions of a course are answered: who, through what, how long") {
  const Trace trace = analyse_trace(exercise);
  CHECK(trace.from == "Mélanie Legas <mlegas@hotmail.fr>");
  CHECK(trace.return_path == "mlegas@hotmail.fr");
  CHECK(trace.delivered_to == "berthet@iut-velizy.uvsq.fr");
  CHECK(trace.subject == "FW: Rattrapage réseaux");
  REQUIRE(trace.hops.size() == 5);
  std::string servers;
  for (const auto& server : trace.servers) {
    servers += (server.origin ? "(" : "") + server.name + (server.ip ? " " + to_string(*server.ip) : "") +
               (server.origin ? ")" : "") + "; ";
  }
  CHECK(servers ==
        "(BAY130-W1 65.55.135.36); bay0-omc2-s6.bay0.hotmail.com 65.54.246.142; soleil.uvsq.fr 193.51.24.1; "
        "horus.iut-velizy.uvsq.fr; ");
  CHECK(trace.total_seconds == 31 * 60 + 57);
  std::string delays;
  for (const auto& hop : trace.hops) {
    delays +=
        std::to_string(*hop.delay_seconds) + (hop.smtp ? "s" : "-") + (hop.local ? "l" : "-") + (hop.gap ? "g " : " ");
  }
  CHECK(delays == "0s- 1889s- 3s- 0sl 25sl ");
  CHECK(trace.hops[4].added == std::vector<std::string>{"Return-Path", "Delivered-To"});
  CHECK(trace.added_by_sender.front() == "Message-ID");
}

TEST_RFC("5321 §4.4", "a step that is not recorded is pointed out") {
  const Trace trace = analyse_trace(lecture);
  REQUIRE(trace.hops.size() == 2);
  CHECK(trace.hops[0].field.from_ip == IpAddress::v4(82, 237, 223, 96));
  CHECK_FALSE(trace.hops[0].gap);
  CHECK(trace.hops[1].gap);
  CHECK(trace.hops[1].field.id == "<0M6V00BZOQZ08ME0@saigon.ac-creteil.fr>");
  REQUIRE(trace.servers.size() == 4);
  CHECK(trace.servers[1].name == "smtp1-g21.free.fr");
  CHECK(trace.servers[2].name == "phuly.ac-creteil.fr");
  CHECK(trace.servers[3].name == "saigon.ac-creteil.fr");
  CHECK(trace.total_seconds == 7);
}

TEST_RFC("3848", "encryption, login, other protocols, and clocks that are wrong") {
  const Trace trace = analyse_trace(
      "X-Filter: yes\nReceived: from a.example (a.example [192.0.2.1]) by b.example with LMTPS; 1 Jan 2024 00:00:10 "
      "+0000\n"
      "Received: by a.example with HTTP; 1 Jan 2024 00:00:20 +0000\n"
      "Received: from c (unknown [192.0.2.9]) (using TLSv1.2 with cipher X) by a.example with ESMTPSA id 1; 1 Jan 2024 "
      "00:00:00 +0000\nReceived: (from root@localhost) by c (8.14/Submit) id x; garbage\nSubject: a\n\n");
  REQUIRE(trace.hops.size() == 4);
  CHECK_FALSE(trace.hops[0].smtp);
  CHECK_FALSE(trace.hops[0].delay_seconds.has_value());
  CHECK(trace.hops[1].encrypted);
  CHECK(trace.hops[1].authenticated);
  CHECK(trace.hops[1].field.tls_version == "TLSv1.2");
  CHECK_FALSE(trace.hops[2].smtp);
  CHECK(trace.hops[2].delay_seconds == 20);
  CHECK(trace.hops[3].clock_skew);
  CHECK(trace.hops[3].delay_seconds == -10);
  CHECK(trace.hops[3].encrypted);
  CHECK(trace.hops[3].added == std::vector<std::string>{"X-Filter"});
}

TEST_CASE("the trace as text, in two languages, and as JSON") {
  const Trace trace = analyse_trace(exercise);
  const std::string text = write_trace(trace, Language::english);
  CHECK(text.find("5 Received fields, 5 of them for SMTP; 3 servers, in order:\n") != std::string::npos);
  CHECK(text.find("   1. bay0-omc2-s6.bay0.hotmail.com [65.54.246.142]\n") != std::string::npos);
  CHECK(text.find("+31 min 29 s\n") != std::string::npos);
  CHECK(text.find("Time taken: 31 min 57 s\n") != std::string::npos);
  const std::string french = write_trace(trace, Language::french);
  CHECK(french.find("Émetteur : Mélanie Legas <mlegas@hotmail.fr>\n") != std::string::npos);
  CHECK(french.find("Durée du trajet : 31 min 57 s\n") != std::string::npos);
  const std::string json = write_trace_json(trace);
  CHECK(json.find("\"total_seconds\":1917") != std::string::npos);
  CHECK(json.find("{\"name\":\"soleil.uvsq.fr\",\"ip\":\"193.51.24.1\",\"origin\":false}") != std::string::npos);
  CHECK(json.ends_with("]}\n"));
  CHECK(write_trace(analyse_trace("Subject: x\r\n\r\n"), Language::english).find("No Received field") !=
        std::string::npos);
  const Trace hostile =
      analyse_trace("From: \x1b[31mred\r\nReceived: from \x1b]0;x\x07 by y; 1 Jan 2024 00:00:00 +0000\r\n\r\n");
  CHECK(write_trace(hostile, Language::english).find('\x1b') == std::string::npos);
  CHECK(write_trace_json(hostile).find('\x1b') == std::string::npos);
}

TEST_RFC("8259 §8.1", "a trace is UTF-8 and has no tabs of strangers, whatever octets the header has") {
  const Trace hostile =
      analyse_trace("Received: from a by b (\xa0\tP\xffostfix) with SMTP; 1 Jan 2024 00:00:00 +0000\r\n\r\n");
  REQUIRE(hostile.hops.size() == 1);
  CHECK(is_utf8(write_trace_json(hostile)));
  CHECK(write_trace_json(hostile).find("\\u0009") != std::string::npos);
  CHECK(is_utf8(write_trace(hostile, Language::french)));
  CHECK(write_trace(hostile, Language::english).find('\t') == std::string::npos);
}

TEST_CASE("a trace cut at any octet is read") {
  for (std::size_t cut = 0; cut <= exercise.size(); ++cut) {
    const Trace trace = analyse_trace(exercise.substr(0, cut));
    CHECK(trace.hops.size() <= 5);
    CHECK_FALSE(write_trace(trace, Language::french).empty());
  }
}

}  // namespace
}  // namespace facteur::message
