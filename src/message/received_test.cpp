#include "message/received.hpp"

#include "rfc_test.hpp"

namespace facteur::message {
namespace {

TEST_RFC("5321 §4.4", "Received fields of common mailers") {
  const auto postfix = parse_received(
      " from mail.example.net (mail.example.net [192.0.2.7])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 "
      "(256/256 bits))\r\n\t(No client certificate requested)\r\n\tby mx.example.org (Postfix) with ESMTPS id "
      "4ABC\r\n\t"
      "for <marie@example.org>; Fri, 20 Nov 2026 10:00:00 +0100 (CET)");
  REQUIRE(postfix);
  CHECK(postfix->from == "mail.example.net");
  CHECK(postfix->from_reverse == "mail.example.net");
  CHECK(postfix->from_ip == IpAddress::v4(192, 0, 2, 7));
  CHECK(postfix->by == "mx.example.org");
  CHECK(postfix->by_comment == "Postfix");
  CHECK(postfix->with == "ESMTPS");
  CHECK(postfix->id == "4ABC");
  CHECK(postfix->for_address == "marie@example.org");
  CHECK(postfix->tls_version == "TLSv1.3");
  CHECK(postfix->tls_cipher == "TLS_AES_256_GCM_SHA384");
  CHECK(postfix->date->offset_minutes == 60);

  const auto exim = parse_received(
      "from [198.51.100.4] (helo=client.example) by mx with esmtpsa (TLS1.2) tls TLS_X (Exim 4.96) id 1x-00; Fri, 20 "
      "Nov 2026 10:00:00 GMT");
  REQUIRE(exim);
  CHECK(exim->from == "client.example");
  CHECK(exim->from_ip == IpAddress::v4(198, 51, 100, 4));
  CHECK(exim->from_reverse == "");
  CHECK(exim->with == "esmtpsa");
  CHECK(exim->tls_version == "TLS1.2");
  CHECK(exim->tls_cipher == "TLS_X");

  const auto qmail =
      parse_received("from unknown (HELO box) (203.0.113.9)\n  by 0 with SMTP; 20 Nov 2026 10:00:00 -0000");
  REQUIRE(qmail);
  CHECK(qmail->from == "box");
  CHECK(qmail->from_ip == IpAddress::v4(203, 0, 113, 9));
  CHECK(qmail->date->zone_known == false);

  const auto invoked = parse_received("(qmail 123 invoked by uid 0); 20 Nov 2026 10:00:00 -0000");
  REQUIRE(invoked);
  CHECK(invoked->invoked == "qmail 123 invoked by uid 0");

  const auto exchange = parse_received(
      "from A.example (2603:10a6::1) by B.example (2603:10a6::2) with Microsoft SMTP Server (version=TLS1_2, "
      "cipher=TLS_ECDHE_X) id 15.20.1 via Frontend Transport; Fri, 20 Nov 2026 10:00:00 +0000");
  REQUIRE(exchange);
  CHECK(exchange->with == "Microsoft SMTP Server");
  CHECK(exchange->via == "Frontend Transport");
  CHECK(exchange->from_ip == IpAddress::parse("2603:10a6::1"));
  CHECK(exchange->tls_version == "TLS1_2");
  CHECK(exchange->tls_cipher == "TLS_ECDHE_X");

  const auto google =
      parse_received("by 2002:a05:6512:3d0d:b0:500:0:1 with SMTP id d13; Fri, 20 Nov 2026 02:00:00 -0800 (PST)");
  REQUIRE(google);
  CHECK(google->by_ip.has_value());
  CHECK(google->from.empty());
}

TEST_CASE("what is no Received field, and one cut anywhere") {
  CHECK_FALSE(parse_received("").has_value());
  CHECK_FALSE(parse_received("nothing of use").has_value());
  const std::string_view text = "from a ((b) [1.2.3.4]) by c (\\() with d id e for <f@g>; 1 Jan 2020 00:00:00 +0000";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK_NOTHROW(parse_received(text.substr(0, cut)));
  CHECK(parse_received("from by by from; 1 Jan 2020 00:00 GMT")->from == "by");
}

TEST_RFC("3848", "keywords of the protocols") {
  ReceivedBy by;
  CHECK(with_keyword(by) == "ESMTP");
  by.tls = true;
  CHECK(with_keyword(by) == "ESMTPS");
  by.authenticated = true;
  CHECK(with_keyword(by) == "ESMTPSA");
  by.utf8 = true;
  CHECK(with_keyword(by) == "UTF8SMTPSA");
  by.lmtp = true;
  CHECK(with_keyword(by) == "UTF8LMTPSA");
  by.utf8 = false;
  CHECK(with_keyword(by) == "LMTPSA");
  CHECK(with_keyword(ReceivedBy{.extended = false}) == "SMTP");
}

TEST_RFC("5321 §4.4", "our own field is read back, and a peer cannot break it") {
  ReceivedBy by{.helo = "evil;\r\nX: (",
                .peer = IpAddress::v4(192, 0, 2, 1),
                .reverse_name = "r.example",
                .by = "mx.example.org"};
  by.tls = true;
  by.tls_version = "TLSv1.3";
  by.tls_cipher = "TLS_AES_128_GCM_SHA256";
  by.id = "abc123";
  by.for_address = "u@example.org";
  by.at = UtcTime{1'700'000'000'000};
  const std::string field = write_received(by);
  CHECK(
      field ==
      "Received: from evil___X:__ (r.example [192.0.2.1])\r\n\tby mx.example.org (Facteur) with ESMTPS (TLSv1.3)\r\n\t"
      "id abc123\r\n\tfor <u@example.org>\r\n\ttls TLS_AES_128_GCM_SHA256;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n");
  const auto read = parse_received(field.substr(9));
  REQUIRE(read);
  CHECK(read->from_ip == by.peer);
  CHECK(read->from_reverse == "r.example");
  CHECK(read->tls_cipher == by.tls_cipher);
  CHECK(read->for_address == by.for_address);
  CHECK(read->date->time == by.at);
  CHECK(write_return_path(std::nullopt) == "Return-Path: <>\r\n");
  CHECK(write_return_path(Address::parse("\"a b\"@c.example")) == "Return-Path: <\"a b\"@c.example>\r\n");
}

}  // namespace
}  // namespace facteur::message
