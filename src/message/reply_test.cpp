#include "message/reply.hpp"

#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using Ids = std::vector<std::string>;

std::vector<std::string> addresses(const std::vector<Destination>& list) {
  std::vector<std::string> out;
  for (const auto& one : list) out.push_back(std::get<Correspondent>(one).address.text());
  return out;
}

TEST_RFC("5322 §3.6.4", "a reply names its parent and all before it") {
  const auto ids = [](std::string_view header) {
    const Draft draft = reply_to(std::string(header) + "\r\n", {});
    return std::pair(draft.in_reply_to, draft.references);
  };
  CHECK(ids("Message-ID: <c@x>\r\nReferences: <a@x>\r\n <b@x>\r\n") == std::pair(Ids{"c@x"}, Ids{"a@x", "b@x", "c@x"}));
  CHECK(ids("Message-ID: <c@x>\r\nIn-Reply-To: <a@x>\r\n") == std::pair(Ids{"c@x"}, Ids{"a@x", "c@x"}));
  CHECK(ids("Message-ID: <c@x>\r\nIn-Reply-To: <a@x> <b@x>\r\n") == std::pair(Ids{"c@x"}, Ids{"c@x"}));
  CHECK(ids("References: <a@x>\r\n") == std::pair(Ids{}, Ids{"a@x"}));
  CHECK(ids("Subject: x\r\n") == std::pair(Ids{}, Ids{}));
  CHECK(ids("Message-ID: <\xff@x>\r\n") == std::pair(Ids{}, Ids{}));
  std::string long_thread = "Message-ID: <last@x>\r\nReferences: <first@x>";
  for (int i = 0; i < 500; ++i) long_thread += "\r\n <" + std::to_string(i) + "@x>";
  const auto [parents, all] = ids(long_thread + "\r\n");
  REQUIRE(all.size() == 50);
  CHECK(all.front() == "first@x");
  CHECK(all[1] == "452@x");
  CHECK(all.back() == "last@x");
}

TEST_RFC("5322 §3.6.2", "to whom a reply goes") {
  const std::string parent =
      "From: =?utf-8?q?Zo=C3=A9?= <zoe@a.example>\r\nTo: me@b.example, x@c.example\r\nCc: G: y@c.example, bad;,\r\n"
      " Zoe@a.example\r\nSubject: Re: re:  =?utf-8?q?=C3=A9t=C3=A9?=\r\n\r\nx\r\n";
  Draft one = reply_to(parent, {});
  CHECK(addresses(one.to) == Ids{"zoe@a.example"});
  CHECK(std::get<Correspondent>(one.to[0]).name == "Zoé");
  CHECK(one.cc.empty());
  CHECK(one.subject == "Re: été");
  const Draft all = reply_to(parent, {.all = true, .own = {*Address::parse("me@b.example")}});
  CHECK(addresses(all.cc) == Ids{"x@c.example", "y@c.example"});
  one = reply_to("Reply-To: list@c.example\r\n" + parent, {.all = true});
  CHECK(addresses(one.to) == Ids{"list@c.example"});
  CHECK(addresses(one.cc) == Ids{"zoe@a.example", "me@b.example", "x@c.example", "y@c.example"});
}

TEST_RFC("5322 §3.6.5", "a forward has the message as it is, a reply its text quoted") {
  const std::string parent = "Subject: x\r\n\r\none\r\n> two\r\n\r\nthree\r\n";
  const Draft draft = forward_of(parent);
  CHECK(draft.subject == "Fwd: x");
  CHECK(draft.forwarded == Ids{parent});
  CHECK(quoted_text(parent) == "> one\n>> two\n> \n> three\n");
}

TEST_RFC("5322 §3.6.6", "a message sent on keeps every octet behind the new fields") {
  const std::string message = "DKIM-Signature: v=1;\r\n\tb=x\r\nTo: a@b.example\r\n\r\nx\r\n";
  const Origin origin{.at = UtcTime{1'700'000'000'000}, .host = "example.org"};
  const auto out = resent(
      message, {.from = {"", *Address::parse("me@b.example")}, .to = {{"", *Address::parse("c@d.example")}}}, origin);
  REQUIRE(out);
  CHECK(out->ends_with(message));
  CHECK(
      out->starts_with("Resent-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nResent-From: me@b.example\r\n"
                       "Resent-To: c@d.example\r\nResent-Message-ID: <"));
}

}  // namespace
}  // namespace facteur::message
