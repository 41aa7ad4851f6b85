#include "smtp/content_reader.hpp"

#include <random>
#include <string>
#include <vector>

#include "rfc_test.hpp"

namespace facteur::smtp {
namespace {

using Fault = ContentReader::Fault;

struct Outcome {
  std::string content;
  std::string rest;
  bool ended = false;
  Fault fault = Fault::none;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds `text` cut at the given sizes (repeated).
Outcome feed(std::string_view text, const std::vector<std::size_t>& cuts, bool chunk = false) {
  ContentReader reader;
  Outcome outcome;
  std::size_t i = 0;
  while (!text.empty() && !outcome.ended && outcome.fault == Fault::none) {
    std::string piece(text.substr(0, cuts[i++ % cuts.size()]));
    text.remove_prefix(piece.size());
    const auto got = chunk ? reader.read_chunk(piece) : reader.read(piece);
    CHECK(got.consumed <= piece.size());
    CHECK((got.consumed == piece.size() || got.ended || got.fault != Fault::none));
    outcome.content += piece.substr(0, got.length);
    outcome.ended = got.ended;
    outcome.fault = got.fault;
    if (got.ended) outcome.rest = piece.substr(got.consumed) + std::string(text);
  }
  return outcome;
}

// What the standard says, in the plainest words: line by line.
Outcome reference(std::string_view text) {
  Outcome outcome;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find_first_of(std::string_view("\r\n\0", 3), at);
    if (end == std::string_view::npos) {
      outcome.content += text[at] == '.' && (at == 0 || text[at - 1] == '\n') ? text.substr(at + 1) : text.substr(at);
      return outcome;
    }
    std::string_view line = text.substr(at, end - at);
    const bool stuffed = line.starts_with('.');
    if (text[end] == '\0') {
      outcome.fault = Fault::nul;
    } else if (text[end] == '\n') {
      outcome.fault = Fault::bare_lf;
    } else if (end + 1 < text.size() && text[end + 1] != '\n') {
      outcome.fault = Fault::bare_cr;
    } else if (line == ".") {
      outcome.ended = end + 1 < text.size();
      if (outcome.ended) outcome.rest = text.substr(end + 2);
      return outcome;
    }
    if (outcome.fault != Fault::none) return outcome;
    if (stuffed) line.remove_prefix(1);
    outcome.content += line;
    outcome.content += text.substr(end, 2);
    at = end + 2;
  }
  return outcome;
}

}  // namespace

TEST_RFC("5321 §4.5.2", "dots are unstuffed, and only CRLF dot CRLF ends") {
  CHECK(feed("a\r\n.\r\nQUIT\r\n", {1000}) == Outcome{"a\r\n", "QUIT\r\n", true, Fault::none});
  CHECK(feed(".\r\n", {1000}) == Outcome{"", "", true, Fault::none});
  CHECK(feed("..\r\n..a\r\n.b\r\n.\r\n", {1000}) == Outcome{".\r\n.a\r\nb\r\n", "", true, Fault::none});
  CHECK(feed("a\r\n. \r\n.\r\n", {1000}) == Outcome{"a\r\n \r\n", "", true, Fault::none});
  CHECK(feed("a.\r\n.\r\n", {1000}) == Outcome{"a.\r\n", "", true, Fault::none});
  CHECK(feed("a\r\n.", {1000}) == Outcome{"a\r\n", "", false, Fault::none});
}

TEST_RFC("5321 §2.3.8", "CR, LF and NUL alone are faults") {
  CHECK(feed("a\nb", {1000}).fault == Fault::bare_lf);
  CHECK(feed("a\rb", {1000}).fault == Fault::bare_cr);
  CHECK(feed("a\r\r\n", {1000}).fault == Fault::bare_cr);
  CHECK(feed(std::string("a\0b", 3), {1000}).fault == Fault::nul);
  CHECK(feed("\r\n.\n", {1000}).fault == Fault::bare_lf);
  CHECK(feed("\r\n.\rx", {1000}).fault == Fault::bare_cr);
}

TEST_RFC("3030 §3", "in a chunk a dot means nothing") {
  CHECK(feed("a\r\n.\r\n..b\r\n", {1000}, true) == Outcome{"a\r\n.\r\n..b\r\n", "", false, Fault::none});
  CHECK(feed("a\nb", {1000}, true).fault == Fault::bare_lf);
}

TEST_RFC("5321 §4.5.2", "any octets in any segmentation give what the plain reading of the standard gives") {
  std::mt19937 random(20);
  const std::string_view alphabet("\r\n.a\r\n.\0", 8);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const std::size_t length = random() % 400;
    const unsigned common = random() % 12;  // Mostly letters in some rounds, so that whole blocks are quick.
    while (text.size() < length) {
      if (common > 3 && random() % common != 0) {
        text += 'x';
      } else if (random() % 3 != 0) {
        text += "\r\n";
      } else if (random() % 40 == 0) {
        text += alphabet[random() % alphabet.size()];
      } else {
        text += '.';
      }
    }
    text += "\r\n.\r\nQUIT";
    const Outcome expected = reference(text);
    for (int i = 0; i < 4; ++i) {
      const Outcome got = feed(text, {1 + random() % 70, 1 + random() % 3, 1 + random() % 200});
      CHECK(got.ended == expected.ended);
      CHECK(got.fault == expected.fault);
      if (expected.fault == Fault::none) CHECK(got.content == expected.content);
      CHECK(got.rest == expected.rest);
    }
  }
}

}  // namespace facteur::smtp
