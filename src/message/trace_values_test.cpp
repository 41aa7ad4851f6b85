// Authentication-Results and list fields as values.
#include "message/authentication_results.hpp"
#include "message/list_fields.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

TEST_RFC("8601 §2.2", "Authentication-Results with several methods, comments, reasons and properties") {
  const auto all = parse_authentication_results(
      " mx.example.org (our server) 1;\r\n"
      "\tdkim = pass (1024-bit key) reason=\"good; signature\" header.d=example.net header.i=@example.net;\r\n"
      "\tSPF=Fail smtp.mailfrom=\"a b\"@example.net ; dmarc/1=none policy . p = reject;\r\n");
  REQUIRE(all);
  CHECK(all->server == "mx.example.org");
  CHECK(all->version == 1);
  REQUIRE(all->results.size() == 3);
  CHECK(all->results[0].method == "dkim");
  CHECK(all->results[0].value == "pass");
  CHECK(all->results[0].reason == "good; signature");
  CHECK(all->results[0].comment == "1024-bit key");
  CHECK(all->results[0].property("header", "i") == "@example.net");
  CHECK(all->results[0].property("header", "b").empty());
  CHECK(all->results[1].method == "spf");
  CHECK(all->results[1].value == "fail");
  CHECK(all->results[1].property("smtp", "mailfrom") == "a b@example.net");
  CHECK(all->results[2].version == 1);
  CHECK(all->results[2].property("policy", "p") == "reject");
}

TEST_RFC("8601 §2.2", "no results, and what is no Authentication-Results") {
  const auto none = parse_authentication_results("example.org; none");
  REQUIRE(none);
  CHECK(none->results.empty());
  CHECK(parse_authentication_results("example.org"));
  for (const auto* text : {"", ";", "spf=pass smtp.mailfrom=a", "example.org; spf", "example.org; =pass",
                           "example.org x;", "example.org; spf=pass what"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_authentication_results(text));
  }
}

TEST_RFC("8617 §4.1.1", "ARC-Authentication-Results begin with their instance") {
  const auto all = parse_authentication_results("i=2; lists.example.org; arc=pass");
  REQUIRE(all);
  CHECK(all->instance == 2u);
  CHECK(all->server == "lists.example.org");
  CHECK(all->results.front().method == "arc");
}

TEST_RFC("2369 §2", "list fields: several URIs, comments, folded ones") {
  const auto list = read_list_fields(
      "From: a@example.org\r\n"
      "List-Id: =?utf-8?q?Caf=C3=A9?= <Talk.Example.ORG>\r\n"
      "List-Unsubscribe: (Use this) <https://example.org/\r\n u?x=1>, <mailto:leave@example.org>\r\n"
      "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
      "List-Post: NO (posting is closed)\r\n"
      "List-Help: <mailto:a@example.org>, not one\r\n\r\n");
  CHECK(list.any());
  CHECK(list.id == "talk.example.org");
  CHECK(list.id_name == "Caf\xc3\xa9");
  CHECK(list.unsubscribe == std::vector<std::string>{"https://example.org/u?x=1", "mailto:leave@example.org"});
  CHECK(list.no_posting);
  CHECK(list.post.empty());
  CHECK(list.help.size() == 1);
  CHECK(list.one_click);
}

TEST_RFC("8058 §3.1", "one click needs an https URI") {
  const auto list = read_list_fields(
      "List-Unsubscribe: <mailto:leave@example.org>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n");
  CHECK_FALSE(list.one_click);
  CHECK_FALSE(read_list_fields("From: a@example.org\r\n\r\n").any());
}

TEST_RFC("2919 §3", "list identifiers with and without a phrase and brackets") {
  std::string name;
  CHECK(parse_list_id("\"A <b> list\" <a.example>", &name) == "a.example");
  CHECK(name == "A <b> list");
  CHECK(parse_list_id(" bare.example.org ") == "bare.example.org");
  CHECK(parse_list_id("<unclosed.example") == "unclosed.example");
}

}  // namespace
}  // namespace facteur::message
