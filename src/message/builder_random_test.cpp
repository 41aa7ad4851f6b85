// Random messages: built, read again, the same.
#include <algorithm>
#include <array>
#include <random>

#include "base/ascii.hpp"
#include "message/builder.hpp"
#include "message/encoded_word.hpp"
#include "message/flowed.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "message/seven_bit.hpp"
#include "message/text.hpp"
#include "message/verify.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : chance_(seed) {}

  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(chance_); }
  bool maybe(std::size_t one_of = 2) { return below(one_of) == 0; }

  // Words of several scripts, long ones, blanks, and what has a meaning somewhere in a message.
  std::string words(std::size_t most) {
    static constexpr std::array<std::string_view, 22> some = {
        "word", "été", "日本語", "😀",   "Привет", "a",  "\"quoted\"", "\\", "=?utf-8?q?x?=", "(comment)", "<a@b>", ",",
        ";",    "=20", "--",     "From", ".",      "  ", "%41",        "'",  "\u0301",        "=?"};
    std::string out;
    for (std::size_t count = below(most + 1); count > 0; --count) {
      out.append(maybe(30) ? std::string(below(200), 'x') : std::string(some[below(some.size())]));
      if (maybe()) out += ' ';
    }
    return out;
  }
  std::string name() { return maybe(3) ? std::string() : words(6); }
  // Lines of text, with what quoting, flowing, boundaries and SMTP could trip over.
  std::string text() {
    static constexpr std::array<std::string_view, 9> starts = {"",      "> ",    ">> ", " ", ".",
                                                               "From ", "--=_x", "-- ", "\t"};
    std::string out;
    for (std::size_t lines = below(12); lines > 0; --lines) {
      out.append(starts[below(starts.size())]).append(words(30)).append(maybe() ? "\r\n" : "\n");
      if (maybe(12)) out.append(below(3000), 'y');
    }
    return out;
  }
  std::string octets() {
    if (maybe()) return text();
    std::string out(below(400), '\0');
    for (char& c : out) c = static_cast<char>(below(256));
    return out;
  }
  Correspondent who(bool utf8) {
    static constexpr std::array<std::string_view, 6> ascii = {"a@b.example",           "\"a b\"@c.example",
                                                              "x+y=z@d.example",       "u@[192.0.2.1]",
                                                              "o'neil@bücher.example", "A.B@e.example"};
    const std::string_view address = utf8 && maybe(3) ? "jürgen@b.example" : ascii[below(ascii.size())];
    return {name(), *Address::parse(address)};
  }
  std::vector<Destination> destinations(bool utf8) {
    std::vector<Destination> out;
    for (std::size_t count = below(5); count > 0; --count) {
      if (maybe(5)) {
        Group group{.name = "g " + words(3), .members = {}};
        while (maybe()) group.members.push_back(who(utf8));
        out.emplace_back(std::move(group));
      } else {
        out.emplace_back(who(utf8));
      }
    }
    return out;
  }
  std::vector<std::string> ids() {
    std::vector<std::string> out;
    while (!maybe(4) && out.size() < 30)
      out.push_back(std::to_string(below(1'000'000)) + "." + std::string(below(90), 'i') + "@x.example");
    return out;
  }
  DraftFile file() {
    static constexpr std::array<std::string_view, 5> types = {"application/pdf", "text/plain", "text/x-patch",
                                                              "image/png", "application/octet-stream"};
    return {.type = std::string(types[below(types.size())]),
            .name = name(),
            .octets = octets(),
            .description = maybe(4) ? words(20) : ""};
  }

  Draft draft() {
    Draft out;
    out.transport = {.eight_bit = maybe(), .utf8 = maybe(3)};
    const bool utf8 = out.transport.utf8;
    do out.from.push_back(who(utf8));
    while (maybe(6));
    out.to = destinations(utf8);
    out.cc = destinations(utf8);
    out.bcc = destinations(utf8);
    out.subject = words(25);
    out.in_reply_to = ids();
    out.references = ids();
    if (maybe(4)) out.fields.emplace_back("X-Anything", words(40));
    if (!maybe(6)) out.text = text();
    out.flowed = maybe(3);
    if (maybe(3)) out.html = "<p>" + text();
    while (out.html && maybe()) {
      out.inlined.push_back(file());
      out.inlined.back().content_id = std::to_string(out.inlined.size()) + "@cid.example";
    }
    while (maybe()) out.attached.push_back(file());
    while (maybe(4) && depth_ < 3) out.forwarded.push_back(message());
    return out;
  }
  std::string message() {
    ++depth_;
    Draft inner = draft();
    std::string out = build_message(inner, origin()).value().octets;
    --depth_;
    return out;
  }
  Origin origin() {
    Origin out{.at = UtcTime{static_cast<std::int64_t>(below(2'000'000'000)) * 1000}, .host = "example.org"};
    for (char& c : out.chance) c = static_cast<char>(below(256));
    return out;
  }

 private:
  std::mt19937 chance_;
  int depth_ = 0;
};

// Lines as text has them, however they were ended; a TAB in a header is a blank.
void check_addresses(const std::string& message, const char* name, const std::vector<Destination>& list) {
  const auto value = first_field(message, name);
  std::vector<Correspondent> wanted;
  std::vector<std::string> groups;
  for (const auto& one : list) {
    if (const auto* group = std::get_if<Group>(&one)) {
      groups.push_back(group->name);
      wanted.insert(wanted.end(), group->members.begin(), group->members.end());
    } else {
      wanted.push_back(std::get<Correspondent>(one));
    }
  }
  if (list.empty()) return;
  REQUIRE(value);
  std::size_t next = 0;
  std::size_t next_group = 0;
  for (const auto& read : parse_address_list(*value)) {
    if (read.kind == ListedAddress::Kind::group_start) {
      REQUIRE(next_group < groups.size());
      CHECK(decoded_text(read.name) == groups[next_group++]);
    }
    if (read.kind != ListedAddress::Kind::mailbox) continue;
    REQUIRE(next < wanted.size());
    CHECK(decoded_text(read.name) == wanted[next].name);
    CHECK(read.local == wanted[next].address.local);
    CHECK(read.domain == wanted[next].address.domain.text());
    ++next;
  }
  CHECK(next == wanted.size());
  CHECK(next_group == groups.size());
}

void check_file(const std::string& message, const Part& part, const DraftFile& file) {
  CHECK(decoded_body(message, part) == file.octets);
  const std::string header = message.substr(part.header, part.header_length);
  const auto disposition = parse_disposition(*first_field(header, "Content-Disposition"));
  REQUIRE(disposition);
  if (!file.name.empty()) {
    REQUIRE(disposition->parameters.size() == 1);
    CHECK(disposition->parameters[0].second == file.name);
    // As text, which has no blanks at its ends.
    CHECK(ascii::trimmed(decoded_text(part.content_type.parameter("name"))) == ascii::trimmed(file.name));
  }
  if (!file.description.empty()) CHECK(decoded_text(*first_field(header, "Content-Description")) == file.description);
}

// The parts that stand beside each other in a multipart.
std::vector<std::uint32_t> children(const PartTree& tree, std::uint32_t index) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t at = tree.parts[index].first_child; at != Part::none; at = tree.parts[at].next_sibling)
    out.push_back(at);
  return out;
}

void check_text(const std::string& message, const Part& part, const Draft& draft) {
  const std::string body = decoded_body_text(message, part);
  if (!draft.flowed) {
    CHECK(body == with_crlf(*draft.text));
    return;
  }
  CHECK(part.content_type.parameter("format") == "flowed");
  const bool delsp = part.content_type.parameter("delsp") == "yes";
  // What flowing gives up, by its rules: blanks at the ends of paragraphs; and quote marks are all written the same
  // way.
  CHECK(unflowed(body, delsp) == unflowed(flowed(with_crlf(*draft.text), delsp), delsp));
}

void check_body(const std::string& message, const PartTree& tree, const Draft& draft) {
  std::uint32_t reading = 0;
  if (!draft.attached.empty() || !draft.forwarded.empty()) {
    auto parts = children(tree, 0);
    const bool read = draft.text || draft.html;
    REQUIRE(parts.size() == draft.attached.size() + draft.forwarded.size() + (read ? 1 : 0));
    reading = parts[0];
    if (read) parts.erase(parts.begin());
    for (std::size_t i = 0; i < draft.attached.size(); ++i)
      check_file(message, tree.parts[parts[i]], draft.attached[i]);
    for (std::size_t i = 0; i < draft.forwarded.size(); ++i) {
      const Part& part = tree.parts[parts[draft.attached.size() + i]];
      const std::string got = decoded_body(message, part);
      if (got == draft.forwarded[i]) continue;
      // Only a message that had to be made 7bit is changed, and only in its encodings.
      CHECK(part.content_type.is("message", "rfc822"));
      CHECK(got == to_seven_bit(draft.forwarded[i]).value());
    }
    if (!read) return;
  }
  if (draft.text && draft.html) {
    REQUIRE(tree.parts[reading].content_type.is("multipart", "alternative"));
    const auto both = children(tree, reading);
    REQUIRE(both.size() == 2);
    check_text(message, tree.parts[both[0]], draft);
    reading = both[1];
  } else if (draft.text) {
    return check_text(message, tree.parts[reading], draft);
  } else if (!draft.html) {
    return;
  }
  if (!draft.inlined.empty()) {
    const auto related = children(tree, reading);
    REQUIRE(related.size() == draft.inlined.size() + 1);
    reading = related[0];
    for (std::size_t i = 0; i < draft.inlined.size(); ++i)
      check_file(message, tree.parts[related[i + 1]], draft.inlined[i]);
  }
  CHECK(decoded_body_text(message, tree.parts[reading]) == with_crlf(*draft.html));
}

TEST_RFC("5322 §2.1", "random drafts: every line is one, and reading gives back what was put in") {
  for (std::uint32_t seed = 0; seed < 3'000; ++seed) {
    CAPTURE(seed);
    Maker maker(seed);
    const Draft draft = maker.draft();
    const auto out = build_message(draft, maker.origin());
    REQUIRE(out);
    const std::string& message = out->octets;
    REQUIRE_FALSE(has_bare_line_end(message));
    REQUIRE_FALSE(has_long_line(message));
    REQUIRE(message.ends_with("\r\n"));
    const bool ascii_only = !draft.transport.eight_bit && !draft.transport.utf8;
    if (ascii_only) REQUIRE_FALSE(has_eight_bit(message));
    if (!draft.transport.utf8) REQUIRE_FALSE(needs_utf8_transport(message));
    CHECK(decoded_text(*first_field(message, "Subject")) == draft.subject);
    const auto header = Bytes(message).substr(0, header_length(message));  // RFC 2047 §2: no word is empty.
    CHECK(header.find("?Q?"
                      "?=") == Bytes::npos);
    CHECK(header.find("?B?"
                      "?=") == Bytes::npos);
    if (!draft.references.empty()) CHECK(parse_message_ids(*first_field(message, "References")) == draft.references);
    if (!draft.fields.empty()) CHECK(decoded_text(*first_field(message, "X-Anything")) == draft.fields[0].second);
    std::vector<Destination> from(draft.from.begin(), draft.from.end());
    check_addresses(message, "From", from);
    check_addresses(message, "To", draft.to);
    check_addresses(message, "Cc", draft.cc);
    CHECK_FALSE(first_field(message, "Bcc"));
    const auto tree = parse_mime(message);
    // RFC 6532 §3.7 allows base64 on message/global, but programs that know only older rules read it otherwise.
    if (message.find("message/global") == std::string::npos) CHECK(tree.ambiguities.text() == "");
    check_body(message, tree, draft);
    for (const auto& finding : verify(message)) CHECK(finding.weight != Finding::Weight::error);
  }
}

}  // namespace
}  // namespace facteur::message
