// Texts of the corpora header-mail-parser, header-jakarta, mime-gmime and mime-summary: lists, tokens, folds, filters,
// charsets.
#include <boost/json.hpp>

#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/address.hpp"
#include "message/charset.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/html.hpp"
#include "message/mime.hpp"
#include "message/text.hpp"
#include "message/value_cursor.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

using namespace corpora;
namespace json = boost::json;

TEST_RFC("5322 §3.6.5", "lists of texts in the corpus header-mail-parser") {
  if (!present(root() / "header-mail-parser")) return;
  Suite suite("header-mail-parser/list");
  int number = 0;
  for (const auto& one : json::parse(read_file(root() / "header-mail-parser/list.json")).as_array()) {
    std::string wanted;
    for (const auto& text : one.at("expected").as_array()) wanted += std::string(text.as_string()) + "|";
    std::string got;
    for (const auto& text : decoded_list(std::string(one.at("header").as_string()))) got += text + "|";
    suite.add(std::to_string(++number), got, wanted);
  }
  suite.report();
}

// RFC 5322 §3.2.3 specials, and how the suite names what it finds.
std::string tokens_of(Bytes value) {
  std::string out;
  ValueCursor cursor(value);
  for (;;) {
    (void)cursor.skip_blanks();
    if (cursor.done()) return out;
    const char c = cursor.peek();
    if (c == '"') {
      out += "QUOTEDSTRING " + cursor.quoted() + "\n";
    } else if (std::string_view("<>@,;:.[]()\\").find(c) != std::string_view::npos) {
      out += std::string("SPECIAL ") + c + "\n";
      cursor.skip();
    } else {
      out += "ATOM " + std::string(cursor.token("<>@,;:.[]()\\\"")) + "\n";
    }
  }
}

TEST_RFC("5322 §3.2.3", "tokens of the corpus header-jakarta") {
  if (!present(root() / "header-jakarta")) return;
  Suite suite("header-jakarta/tokenlist");
  std::ifstream in(root() / "header-jakarta/internet/tokenlist");
  int number = 0;
  int refusals = 0;
  std::string value;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("To: ")) {
      value = line.substr(4);
    } else if (line.starts_with("        ")) {
      value += "\r\n" + line;
    }
    if (!line.starts_with("Expect: ")) continue;
    ++number;
    const auto count = ascii::number<int>(std::string_view(line).substr(8));
    const std::string got = tokens_of(value);  // Ends, whatever the value is.
    refusals += !count;
    if (!count) continue;
    std::string wanted;
    for (int i = 0; i < *count && std::getline(in, line); ++i) {
      std::string token = line.substr(1);
      std::ranges::replace(token, '\t', ' ');
      wanted += token + "\n";
    }
    suite.add(std::to_string(number), got, wanted);
  }
  MESSAGE("header-jakarta/tokenlist: " << refusals << " that the suite refuses are read");
  suite.report();
}

TEST_RFC("5322 §2.2.3", "folded address lists of the corpus header-jakarta are the addresses they were made of") {
  if (!present(root() / "header-jakarta")) return;
  Suite suite("header-jakarta/addrfolddata");
  std::ifstream in(root() / "header-jakarta/internet/addrfolddata");
  const auto until_mark = [&in] {
    std::string text;
    for (std::string line; std::getline(in, line);) {
      text += text.empty() ? line : "\r\n" + line;
      if (text.ends_with('$')) break;
    }
    if (text.ends_with('$')) text.pop_back();
    return text;
  };
  const auto blanks_as_one = [](std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (!is_value_blank(c)) {
        out += c;
      } else if (!out.ends_with(' ')) {
        out += ' ';
      }
    }
    return out;
  };
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("FOLD ")) continue;
    std::string wanted;
    for (int left = ascii::number<int>(std::string_view(line).substr(5)).value_or(0); left > 0; --left) {
      for (const auto& one : parse_address_list(until_mark())) {
        wanted += blanks_as_one(one.name) + "<" + one.local + "@" + one.domain + ">";
      }
    }
    std::getline(in, line);  // EXPECT
    std::string got;
    for (const auto& one : parse_address_list(until_mark())) {
      got += blanks_as_one(one.name) + "<" + one.local + "@" + one.domain + ">";
    }
    suite.add(std::to_string(++number), got, wanted);
  }
  suite.report();
}

std::string words_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_value_blank(c)) {
      out += c;
    } else if (!out.empty() && !out.ends_with(' ')) {
      out += ' ';
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// GMime makes HTML of texts: what it made says the same when it is read.
TEST_CASE("HTML and enriched text of the corpus mime-gmime have the words of their sources") {
  const fs::path folder = root() / "mime-gmime/filters";
  if (!present(folder)) return;
  Suite suite("mime-gmime, filters");
  const std::string source = read_file(folder / "html-input.txt");
  for (const std::string how : {"mark", "cite", "blockquote"}) {
    std::string text = html_to_text(read_file(folder / ("html-output." + how + ".html")), 1u << 20);
    std::string wanted = source;
    for (std::size_t at = 0; (at = text.find("\xc2\xa0", at)) != std::string::npos;) text.replace(at, 2, " ");
    const auto unquote = [](std::string& lines, bool all) {
      lines.insert(0, "\n");
      for (std::size_t at = 0; (at = lines.find("\n>", at)) != std::string::npos; at += !all) {
        lines.erase(at + 1, 1 + (lines.compare(at + 2, 1, " ") == 0));
      }
    };
    if (how == "cite") unquote(text, false);
    if (how == "blockquote") unquote(wanted, true);  // What was quoted lies in blocks there.
    suite.add("html-" + how, words_of(text), words_of(wanted));
  }
  const std::string enriched = "Content-Type: text/enriched\r\n\r\n" + read_file(folder / "enriched.txt");
  suite.add("enriched", words_of(display_text(enriched, parse_mime(enriched))),
            words_of(html_to_text(read_file(folder / "enriched.html"), 1u << 20)));
  suite.report();
}

TEST_RFC("2045 §6", "whole parts of the corpus mime-gmime") {
  const fs::path folder = root() / "mime-gmime/mime-part";
  if (!present(folder)) return;
  Suite suite("mime-gmime/mime-part");
  const std::string picture = read_file(folder / "raptors.png");
  for (const auto* name : {"raptors.b64.txt", "raptors.uu.txt"}) {
    const std::string part = read_file(folder / name);
    const auto tree = parse_mime(part);
    suite.add(std::string(name) + "/octets", decoded_body(part, tree.parts[0]) == picture);
    suite.add(std::string(name) + "/name", file_name(Bytes(part).substr(0, tree.parts[0].header_length)),
              "raptors.png");
  }
  suite.report();
}

TEST_CASE("texts of the corpus mime-summary whose charset nobody says") {
  const fs::path folder = root() / "mime-summary/charset-detection/input";
  if (!present(folder)) return;
  Suite suite("mime-summary/charset-detection");
  for (const auto& path : files_below(folder)) {
    const std::string charset = path.stem().string();
    const std::string octets = read_file(path);
    suite.add(charset, body_to_utf8(octets, ""), to_utf8(octets, charset));
    suite.add(charset + ",called-us-ascii", body_to_utf8(octets, "us-ascii"), to_utf8(octets, charset));
  }
  suite.report();
}

}  // namespace
}  // namespace facteur::message
