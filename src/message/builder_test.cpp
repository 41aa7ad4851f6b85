#include "message/builder.hpp"

#include <algorithm>

#include "message/encoded_word.hpp"
#include "message/flowed.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/seven_bit.hpp"
#include "message/text.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

Origin origin() {
  Origin out{.at = UtcTime{1'700'000'000'000}, .offset_minutes = 60, .host = "example.org"};
  std::ranges::copy(std::string_view("0123456789abcdef"), out.chance.begin());
  return out;
}

Correspondent who(std::string name, std::string_view address) { return {std::move(name), *Address::parse(address)}; }

Draft sample() {
  Draft draft;
  draft.from = {who("Zoé D.", "zoe@example.org")};
  draft.to = {who("", "a@b.example"), who("B, C", "c@d.example")};
  draft.subject = "Été";
  draft.text = "Bonjour,\nà demain.";
  return draft;
}

std::string built(const Draft& draft) {
  auto out = build_message(draft, origin());
  REQUIRE(out);
  CHECK_FALSE(has_bare_line_end(out->octets));
  CHECK_FALSE(has_long_line(out->octets));
  if (!draft.transport.eight_bit && !draft.transport.utf8) CHECK_FALSE(has_eight_bit(out->octets));
  CHECK(out->octets.ends_with("\r\n"));
  return std::move(out->octets);
}

std::vector<std::string> types(const std::string& message) {
  std::vector<std::string> out;
  for (const auto& part : parse_mime(message).parts) {
    out.push_back(std::string(2UL * part.depth, ' ') + part.content_type.type + "/" + part.content_type.subtype);
  }
  return out;
}
using Types = std::vector<std::string>;

std::string field(const std::string& message, std::string_view name) {
  const auto value = first_field(message, name);
  return value ? unfolded(*value) : "none";
}

TEST_RFC("5322 §3.6", "a plain message, octet for octet") {
  Draft draft = sample();
  draft.subject = "Hello";
  draft.text = "Hi\nthere";
  draft.to = {who("", "a@b.example")};
  CHECK(built(draft) ==
        "Date: Tue, 14 Nov 2023 23:13:20 +0100\r\nFrom: =?UTF-8?Q?Zo=C3=A9_D=2E?= <zoe@example.org>\r\n"
        "To: a@b.example\r\nSubject: Hello\r\n"
        "Message-ID: <1700000000.30313233343536373839616263646566@example.org>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\nHi\r\nthere\r\n");
}

TEST_RFC("5322 §3.6.3", "Bcc is in the envelope only") {
  Draft draft = sample();
  draft.cc = {Group{"team", {who("", "d@e.example"), who("", "A@b.example")}}};
  draft.bcc = {who("Secret", "secret@example.org")};
  const auto out = build_message(draft, origin());
  REQUIRE(out);
  CHECK(out->octets.find("ecret") == std::string::npos);
  CHECK(out->octets.find("Bcc") == std::string::npos);
  CHECK(out->recipients.size() == 4);
  CHECK(out->recipients.back().text() == "secret@example.org");
  draft.to.clear();
  draft.cc.clear();
  CHECK(field(built(draft), "To") == "undisclosed-recipients:;");
}

TEST_RFC("5322 §3.6.2", "several authors need a sender") {
  Draft draft = sample();
  CHECK(field(built(draft), "Sender") == "none");
  draft.from.push_back(who("", "b@example.org"));
  CHECK(decoded_text(*first_field(built(draft), "Sender")) == "Zoé D. <zoe@example.org>");
  draft.from.clear();
  CHECK_FALSE(build_message(draft, origin()));
}

TEST_RFC("2045 §6", "texts travel as they are where that is possible") {
  Draft draft = sample();
  const std::string french = built(draft);
  CHECK(field(french, "Content-Transfer-Encoding") == "quoted-printable");
  CHECK(decoded_body_text(french, parse_mime(french).parts[0]) == "Bonjour,\r\nà demain.\r\n");
  draft.transport.eight_bit = true;
  CHECK(field(built(draft), "Content-Transfer-Encoding") == "8bit");
  draft.transport.eight_bit = false;
  draft.text = "日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語\n";
  CHECK(field(built(draft), "Content-Transfer-Encoding") == "base64");
  draft.text = std::string(3'000, 'x');
  CHECK(field(built(draft), "Content-Transfer-Encoding") == "quoted-printable");
  draft.text = "plain";
  CHECK(field(built(draft), "Content-Transfer-Encoding") == "none");
  draft.text = "\xff";
  CHECK_FALSE(build_message(draft, origin()));
}

TEST_RFC("2046 §5.1.4", "text, HTML with its images, files and a forwarded message") {
  Draft draft = sample();
  draft.html = "<p>été <img src=\"cid:logo@example.org\">";
  draft.inlined = {{.type = "image/png", .name = "logo.png", .octets = "\x89PNG", .content_id = "logo@example.org"}};
  draft.attached = {{.type = "application/pdf", .name = "compte-rendu de l'été.pdf", .octets = std::string("\0\1", 2)},
                    {.type = "text/plain", .name = "a.txt", .octets = "one\ntwo\n"}};
  const std::string inner = "DKIM-Signature: v=1;\r\n  b=abc\r\nSubject: inner\r\n\r\nbody\r\n";
  draft.forwarded = {inner};
  const std::string message = built(draft);
  CHECK(types(message) == Types{"multipart/mixed", "  multipart/alternative", "    text/plain", "    multipart/related",
                                "      text/html", "      image/png", "  application/pdf", "  text/plain",
                                "  message/rfc822", "    text/plain"});
  const auto tree = parse_mime(message);
  const auto body = [&](std::size_t i) { return decoded_body(message, tree.parts[i]); };
  CHECK(body(2) == "Bonjour,\r\nà demain.\r\n");
  CHECK(body(4) == "<p>été <img src=\"cid:logo@example.org\">\r\n");
  CHECK(body(5) == "\x89PNG");
  CHECK(body(6) == std::string("\0\1", 2));
  CHECK(body(7) == "one\ntwo\n");
  // RFC 2046 §5.2.1: what others have written, and signed, is not touched.
  CHECK(message.substr(tree.parts[8].body, tree.parts[8].body_length) == inner);
  CHECK(tree.parts[3].content_type.parameter("type") == "text/html");
  const auto& pdf = tree.parts[6];
  const std::string header = message.substr(pdf.header, pdf.header_length);
  CHECK(parse_disposition(*first_field(header, "Content-Disposition"))->parameters[0].second ==
        "compte-rendu de l'été.pdf");
  CHECK(decoded_text(pdf.content_type.parameter("name")) == "compte-rendu de l'été.pdf");
  CHECK(field(message.substr(tree.parts[5].header, tree.parts[5].header_length), "Content-ID") == "<logo@example.org>");
  CHECK(tree.ambiguities.empty());
}

TEST_CASE("drafts that no message can hold are refused") {
  const auto refused = [](auto change) {
    Draft draft = sample();
    change(draft);
    const auto out = build_message(draft, origin());
    return !out && out.error().kind == Failure::Kind::refused && !out.error().text.empty();
  };
  CHECK(refused([](Draft& draft) { draft.subject = "a\r\nBcc: x@y.example"; }));
  CHECK(refused([](Draft& draft) { draft.fields = {{"Bcc", "x"}}; }));
  CHECK(refused([](Draft& draft) { draft.fields = {{"content-TYPE", "x"}}; }));
  CHECK(refused([](Draft& draft) { draft.fields = {{"X-A\r\nY", "x"}}; }));
  CHECK(refused([](Draft& draft) { draft.fields = {{"X-A", "x\ny"}}; }));
  CHECK(refused([](Draft& draft) { draft.attached = {{.type = "text/plain\r\nX: y"}}; }));
  CHECK(refused([](Draft& draft) { draft.attached = {{.type = "multipart/mixed"}}; }));
  CHECK(refused([](Draft& draft) { draft.attached = {{.name = "a\nb"}}; }));
  CHECK(refused([](Draft& draft) { draft.inlined = {{.content_id = "x@y"}}; }));
  CHECK(refused([](Draft& draft) { draft.html = "", draft.inlined = {{}}; }));
  CHECK(refused([](Draft& draft) { draft.html = "", draft.inlined = {{.content_id = "x"}, {.content_id = "x"}}; }));
  CHECK(refused([](Draft& draft) { draft.in_reply_to = {"a> <b"}; }));
  CHECK(refused([](Draft& draft) { draft.to = {who("", "é@b.example")}; }));
  CHECK(refused([](Draft& draft) { draft.html = "\xff"; }));
}

TEST_RFC("6532 §3", "a message in UTF-8 when it may be, and ordinary mail when it need not be") {
  Draft draft = sample();
  draft.transport.utf8 = true;
  draft.to.push_back(who("Jürgen", "jürgen@example.org"));
  auto out = build_message(draft, origin());
  REQUIRE(out);
  CHECK(out->utf8);
  CHECK(out->octets.find("\r\nSubject: Été\r\n") != std::string::npos);
  CHECK(out->octets.find("Jürgen <jürgen@example.org>") != std::string::npos);
  draft = sample();
  draft.transport.utf8 = true;
  draft.subject = "ete";
  draft.from = {who("Zoe", "zoe@example.org")};
  out = build_message(draft, origin());
  REQUIRE(out);
  CHECK_FALSE(out->utf8);
  CHECK(out->eight_bit);
}

TEST_RFC("2046 §5.2.1", "messages of others, with what a message/rfc822 may not hold") {
  Draft draft = sample();
  const auto forwarded = [&](const std::string& message) {
    draft.forwarded = {message};
    const std::string whole = built(draft);
    const auto tree = parse_mime(whole);
    REQUIRE(tree.parts.size() >= 3);
    const auto& part = tree.parts[2];
    return std::pair(part.content_type.subtype, decoded_body(whole, part));
  };
  const std::string eight = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nété\r\n";
  auto [type, octets] = forwarded(eight);
  CHECK(type == "rfc822");
  CHECK(decoded_body_text(octets, parse_mime(octets).parts[0]) == "été\r\n");
  const std::string sealed =
      "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nété\r\n--b\r\n\r\nx\r\n--b--\r\n";
  const std::string header = "Subject: été\r\n\r\nx\r\n";
  const std::string lines = "Subject: x\n\nbare\n";
  for (const auto& whole : {sealed, header, lines}) {
    CHECK(forwarded(whole) == std::pair<std::string, std::string>("global", whole));
  }
  draft.transport.eight_bit = true;
  CHECK(forwarded(sealed) == std::pair<std::string, std::string>("rfc822", sealed));
  CHECK(field(built(draft), "Content-Transfer-Encoding") == "8bit");  // RFC 2045 §6.4, of the multipart.
  CHECK(forwarded(header) == std::pair<std::string, std::string>("global", header));
}

TEST_RFC("2046 §5.1.1", "a boundary stands in none of the parts") {
  Draft draft = sample();
  draft.forwarded = {""};
  const std::string first = built(draft);
  const auto boundary = std::string(parse_mime(first).parts[0].content_type.parameter("boundary"));
  CHECK(boundary.size() <= 70);
  draft.forwarded = {first};
  const std::string second = built(draft);
  CHECK(parse_mime(second).parts[0].content_type.parameter("boundary") != boundary);
  const auto tree = parse_mime(second);
  CHECK(second.substr(tree.parts[2].body, tree.parts[2].body_length) == first);
}

TEST_RFC("3676 §4", "flowed text: paragraphs again at the reader") {
  Draft draft = sample();
  std::string text = "A long paragraph";
  for (int i = 0; i < 40; ++i) text += " of many words";
  text += "\n\n> quoted, " + text + ">> deeper\n From here\nFrom there\n-- \nsignature\n";
  draft.text = text;
  draft.flowed = true;
  std::string message = built(draft);
  auto tree = parse_mime(message);
  CHECK(tree.parts[0].content_type.parameter("format") == "flowed");
  CHECK(tree.parts[0].content_type.parameter("delsp").empty());
  std::string body = decoded_body_text(message, tree.parts[0]);
  for (std::size_t at = 0, end = 0; (end = body.find("\r\n", at)) != std::string::npos; at = end + 2)
    CHECK(end - at <= 78);
  CHECK(unflowed(body, false) == text);
  std::string ideographs;
  for (int i = 0; i < 100; ++i) ideographs += "日本語";
  draft.text = ideographs + "\n> " + ideographs + "\n";
  message = built(draft);
  tree = parse_mime(message);
  CHECK(tree.parts[0].content_type.parameter("delsp") == "yes");
  body = decoded_body_text(message, tree.parts[0]);
  CHECK(std::ranges::count(body, '\n') > 10);
  CHECK(unflowed(body, true) == *draft.text);
}

TEST_RFC("3676 §4", "scripts that put blanks between words are flowed at these and are not wide") {
  CHECK(wants_delsp("日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語"));
  for (const std::string letter : {"\u1ea1", "\u1ff7", "\u10d0", "\u0e81", "\u2c80"}) {  // The last below U+2E80.
    CAPTURE(letter);
    std::string word;
    for (int i = 0; i < 60; ++i) word += letter;
    CHECK_FALSE(wants_delsp(word));
    CHECK(flowed(word + " " + word + "\r\n", false) == word + " \r\n" + word + "\r\n");
    CHECK(flowed(word + "\r\n", true) == word + "\r\n");
  }
  std::string wide;
  for (int i = 0; i < 60; ++i) wide += "\u2e80";
  CHECK(wants_delsp(wide));
}

TEST_RFC("3676 §4.3", "only the signature mark is written as one") {
  const std::string odd = "--\n-- \n--- \n -- \n--  x\n-- " + std::string(90, 'x') + "\n> -- \n";
  for (const bool delsp : {false, true}) {
    const std::string expected = "--\n-- \n---\n --\n--  x\n-- " + std::string(90, 'x') + "\n> -- \n";
    CHECK(unflowed(flowed(odd, delsp), delsp) == expected);
  }
}

}  // namespace
}  // namespace facteur::message
