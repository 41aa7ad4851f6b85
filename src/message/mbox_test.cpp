#include "message/mbox.hpp"

#include <boost/json.hpp>

#include "base/ascii.hpp"
#include "corpora_test.hpp"
#include "message/header.hpp"
#include "message/mime.hpp"
#include "rfc_test.hpp"

namespace facteur::message {
namespace {

constexpr UtcTime moment{820'631'134'000};  // 1996-01-03 01:05:34.

std::vector<MboxLetter> read(Bytes file, std::size_t piece = 1 << 20, std::optional<MboxDialect> dialect = {}) {
  MboxReader reader(dialect);
  std::vector<MboxLetter> out;
  MboxLetter letter;
  while (true) {
    const auto step = reader.next(letter);
    if (step == MboxReader::Step::end) return out;
    if (step == MboxReader::Step::letter) {
      out.push_back(std::move(letter));
    } else if (file.empty()) {
      reader.end();
    } else {
      reader.add(file.substr(0, piece));
      file.remove_prefix(std::min(piece, file.size()));
    }
  }
}

const std::vector<std::string>& odd_messages() {
  static const std::vector<std::string> messages = {
      "Subject: a\r\n\r\nFrom here on\r\n>From there\r\n>>From afar\r\n\r\nFrom me Sat Jan  3 01:05:34 1996\r\nX: "
      "y\r\n",
      "Subject: b\r\n\r\nno line end",
      "Subject: c",
      "Subject: d\r\n",
      "Subject: e\r\n\r\n",
      "Subject: f\r\n\r\n\r\n\r\n",
      "",
      "\r\n",
      "Subject: g\n\nonly LF\nFrom here\n",
      "Subject: h\r\n\r\nmixed\nlines\rand\r\n",
      "Status: RO\r\nX-Keywords: mine\r\nContent-Length: 3\r\n\r\nthe fields are the message's own\r\n",
      std::string("Subject: i\r\n\r\nnul \0 octet\r\n", 28),
      "no header at all\r\n",
      "X-Facteur-Fields: 1 mboxrd 5\r\nStatus: RO\r\n\r\nnot ours\r\n",
  };
  return messages;
}

TEST_CASE("mbox: what was written comes back exactly, in the dialects that can, cut anywhere") {
  MailState state;
  state.seen = state.flagged = true;
  state.add_keyword("$Forwarded");
  state.add_keyword("work");
  state.uidl = "42";
  for (const auto dialect : {MboxDialect::mboxo, MboxDialect::mboxrd, MboxDialect::mboxcl, MboxDialect::mboxcl2}) {
    std::string file;
    for (const auto& message : odd_messages()) append_mbox(file, message, "jean@example.org", moment, state, dialect);
    append_mbox(file, odd_messages()[0], "", moment, {}, dialect);
    CHECK(is_our_mbox(file));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{64}, file.size()}) {
      CAPTURE(piece);
      const auto letters = read(file, piece);
      REQUIRE(letters.size() == odd_messages().size() + 1);
      for (std::size_t i = 0; i < odd_messages().size(); ++i) {
        CHECK(letters[i].octets == odd_messages()[i]);
        CHECK(letters[i].state == state);
        CHECK(letters[i].sender == "jean@example.org");
        CHECK(letters[i].received == moment);
      }
      CHECK(letters.back().state == MailState{});
      CHECK(letters.back().sender == "MAILER-DAEMON");
    }
  }
}

TEST_CASE("mbox: the four dialects as others write them") {
  const std::string begin = "From a@b Wed Jan  3 01:05:34 1996\n";
  const std::string header = "Subject: x\n";
  const auto body_of = [](const MboxLetter& letter) { return letter.octets.substr(header_length(letter.octets)); };
  // mboxo and mboxrd look alike; what differs is told by the caller.
  const std::string quoted = begin + header + "\n>From a\n>>From b\n\n" + begin + header + "\nlast\n";
  auto letters = read(quoted, 9);
  REQUIRE(letters.size() == 2);
  CHECK(body_of(letters[0]) == "From a\r\n>From b\r\n");
  CHECK(body_of(letters[1]) == "last\r\n");
  letters = read(quoted, 9, MboxDialect::mboxo);
  CHECK(body_of(letters[0]) == "From a\r\n>>From b\r\n");
  // mboxcl: quoted and counted; the field counts the quoted text and is not part of the message.
  const std::string counted = begin + header + "Content-Length: 18\n\n>From a\n>>From b\n\n" + begin + header + "\nz\n";
  letters = read(counted, 9);
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].octets == "Subject: x\r\n\r\nFrom a\r\n>>From b\r\n\r\n");
  // mboxcl2: counted, nothing quoted.
  const std::string plain =
      begin + header + "Content-Length: 40\n\nFrom a\n\n" + begin + ">From b\n\nx\n\n" + begin + header + "\nz\n";
  letters = read(plain, 9);
  REQUIRE(letters.size() == 3);  // The count is wrong, as is common: then "From " lines decide.
  std::string right = plain;
  right.replace(right.find(": 40"), 4, ": 53");
  letters = read(right, 9);
  REQUIRE(letters.size() == 2);
  CHECK(body_of(letters[0]) == "From a\r\n\r\nFrom a@b Wed Jan  3 01:05:34 1996\r\n>From b\r\n\r\nx\r\n");
}

TEST_CASE("mbox: what begins a message and what does not") {
  CHECK(read("From - Sat Jan  3 01:05:34 1996\nA: b\n\nx\n\nFrom -\nA: c\n\ny\n").size() == 2);
  CHECK(read("From 18443@xxx\nA: b\n\nx\n\nFrom 18443@xxx Tue Sep 30 10:00:00 +0000 2025\nA: c\n\ny\n").size() == 2);
  CHECK(read("From a Sat Jan  3 01:05:34 1996\nA: b\n\nFrom here on, 1996\n\nFrom x@y\nand z\n").size() == 1);
  CHECK(read("From a Sat Jan  3 01:05:34 1996\nA: b\n\nno blank line\nFrom c Sat Jan  3 01:05:34 1996\nA: b\n\nx")
            .size() == 2);
  CHECK(read("\xef\xbb\xbf\n\nFrom a Sat Jan  3 01:05:34 1996\nA: b\n\nx\n").size() == 1);
  CHECK(read("").empty());
  CHECK(read("\n\n").empty());
  MboxReader reader;
  reader.add("no mailbox\n");
  reader.end();
  MboxLetter letter;
  CHECK(reader.next(letter) == MboxReader::Step::end);
  CHECK(reader.passed_over() == 11);
  CHECK(looks_like_mbox("From a Sat Jan  3 01:05:34 1996\n"));
  CHECK_FALSE(looks_like_mbox("From: a@b\n"));
  const auto zoned = read("From a@b Fri, 21 Nov 1997 09:55:06 -0600\nA: b\n\nx\n");
  REQUIRE(zoned.size() == 1);
  CHECK(zoned[0].received == UtcTime{880'127'706'000});
}

TEST_CASE("mbox: lines of a DOS file stay as they are") {
  const auto letters = read("From a Sat Jan  3 01:05:34 1996\r\nA: b\r\nStatus: R\r\n\r\nx\r\ny\n\r\n", 3);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].octets == "A: b\r\n\r\nx\r\ny\n");
  CHECK(letters[0].state.seen);
}

TEST_CASE("mbox: state of mail programs: Status, X-Status, Mozilla, X-UIDL") {
  const auto state_of = [](const std::string& fields) {
    const auto letters = read("From a Sat Jan  3 01:05:34 1996\n" + fields + "Subject: s\n\nx\n");
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].octets == "Subject: s\r\n\r\nx\r\n");
    return letters[0].state;
  };
  MailState wanted;
  CHECK(state_of("") == wanted);
  CHECK(state_of("Status: O\n") == wanted);
  wanted.seen = wanted.answered = wanted.flagged = true;
  CHECK(state_of("Status: RO\nX-Status: AF\n") == wanted);
  CHECK(state_of("X-Mozilla-Status: 0007\nX-Mozilla-Status2: 00000000\n") == wanted);
  wanted = {};
  wanted.keywords = {"$Forwarded", "$label3", "holiday", "$label1"};
  CHECK(state_of("X-Mozilla-Status: 1000\nX-Mozilla-Status2: 06000000\nX-Mozilla-Keys: holiday $label1 $LABEL3   \n") ==
        wanted);
  wanted = {};
  wanted.expunged = true;
  CHECK(state_of("X-Mozilla-Status: 0008\n") == wanted);
  wanted = {};
  wanted.uidl = "UID1-2";
  wanted.draft = wanted.deleted = true;
  CHECK(state_of("X-UIDL: UID1-2\nX-IMAPbase: 1 2\nX-UID: 7\nX-Status: TD\nX-Mozilla-Status: what\n") == wanted);
}

TEST_CASE("mbox: a message larger than the limit is told of, and the next one is read") {
  std::string file = "From a Sat Jan  3 01:05:34 1996\nA: b\n\n";
  for (int i = 0; i < 5000; ++i) file += "a line of a very long letter\n";
  file += "\nFrom a Sat Jan  3 01:05:34 1996\nA: c\n\ny\n";
  MboxReader reader({}, 4096);
  int large = 0;
  int small = 0;
  MboxLetter letter;
  for (Bytes rest = file; true;) {
    const auto step = reader.next(letter);
    if (step == MboxReader::Step::end) break;
    if (step == MboxReader::Step::letter) ++(letter.too_large ? large : small);
    if (step != MboxReader::Step::more) continue;
    if (rest.empty()) reader.end();
    reader.add(rest.substr(0, 1000));
    rest.remove_prefix(std::min<std::size_t>(1000, rest.size()));
  }
  CHECK(large == 1);
  CHECK(small == 1);
}

TEST_CASE("mbox: the corpus mbox-mimekit") {
  const auto folder = corpora::root() / "mbox-mimekit";
  if (!corpora::present(folder)) return;
  corpora::Suite suite("mbox-mimekit");
  const auto text_of = [&](const std::string& name) { return corpora::read_file(folder / name); };
  // Where each message begins, by the list of offsets: those of parts are indented further.
  const auto offsets = [&](const std::string& name) {
    std::vector<std::size_t> out;
    const std::string text = text_of(name);
    for (std::size_t at = text.find("\n    \"beginOffset\": "); at != std::string::npos;) {
      out.push_back(std::strtoull(text.c_str() + at + 20, nullptr, 10));
      at = text.find("\n    \"beginOffset\": ", at + 1);
    }
    return out;
  };
  for (const std::string name : {"content-length", "issue1189"}) {
    for (const bool dos : {false, true}) {
      std::string file = text_of(name + ".mbox.txt");
      if (dos) file = crlf_lines(file);
      const auto wanted = offsets(name + (dos ? ".dos-offsets.json" : ".unix-offsets.json"));
      const auto letters = read(file, 4096);
      const std::string id = name + (dos ? ".dos" : ".unix");
      suite.add(id + "/count", std::to_string(letters.size()), std::to_string(wanted.size()));
      for (std::size_t i = 0; i < std::min(wanted.size(), letters.size()); ++i) {
        // The message begins where the list says: its first line is there, unless it is a field of a mail program.
        const std::string first = letters[i].octets.substr(0, letters[i].octets.find('\r'));
        suite.add(id + "/" + std::to_string(i), file.compare(wanted[i], first.size(), first) == 0);
      }
    }
  }
  suite.add("simple/count", std::to_string(read(text_of("simple.mbox.txt")).size()), "3");
  // "From Russia with love" begins no message.
  suite.add("unmunged/count", std::to_string(read(text_of("unmunged.mbox.txt")).size()), "2");
  suite.report();
}

// Parts in the order of their headers: type, and where header, body and end are, from the start of the message.
void wanted_parts(const boost::json::value& part, std::int64_t start, std::vector<std::string>& out) {
  const auto offset = [&](const char* name) { return std::to_string(part.at(name).as_int64() - start); };
  out.push_back(ascii::lower(part.at("mimeType").as_string()) + " " + offset("beginOffset") + " " +
                offset("headersEndOffset") + " " + offset("endOffset"));
  const auto& object = part.as_object();
  if (object.contains("message")) wanted_parts(object.at("message").at("body"), start, out);
  if (!object.contains("children")) return;
  for (const auto& child : object.at("children").as_array()) wanted_parts(child, start, out);
}

std::vector<std::string> found_parts(Bytes content) {
  std::vector<std::string> out;
  for (const Part& part : parse_mime(content).parts) {
    out.push_back(part.content_type.type + "/" + part.content_type.subtype + " " + std::to_string(part.header) + " " +
                  std::to_string(part.body) + " " + std::to_string(part.body + part.body_length));
  }
  return out;
}

// The corpus has the offsets of all parts of all messages of its mbox files. One of these files is not there, but
// its messages are in the corpus mime-jwz.
TEST_RFC("2046 §5.1", "where parts begin and end in the corpus mbox-mimekit, to the octet") {
  const auto folder = corpora::root() / "mbox-mimekit";
  if (!corpora::present(folder)) return;
  corpora::Suite suite("mbox-mimekit/parts");
  const auto compare = [&](const std::string& id, Bytes content, const boost::json::value& message) {
    const auto start = message.at("beginOffset").as_int64();
    // The line end in front of the next "From " line is the mbox's.
    const auto length = static_cast<std::size_t>(message.at("endOffset").as_int64() - start);
    std::vector<std::string> wanted;
    wanted_parts(message.at("body"), start, wanted);
    const auto got = found_parts(content.substr(0, length));
    std::size_t same = 0;
    while (same < std::min(got.size(), wanted.size()) && got[same] == wanted[same]) ++same;
    suite.add(id, got == wanted, same < got.size() ? got[same] : "", same < wanted.size() ? wanted[same] : "");
  };
  const auto lists = [&](const std::string& name) {
    return boost::json::parse(corpora::read_file(folder / (name + "-offsets.json"))).as_array();
  };
  for (const std::string name : {"content-length", "issue1189"}) {
    for (const bool dos : {false, true}) {
      std::string file = corpora::read_file(folder / (name + ".mbox.txt"));
      if (dos) file = crlf_lines(file);
      int number = 0;
      for (const auto& message : lists(name + (dos ? ".dos" : ".unix"))) {
        const auto start = static_cast<std::size_t>(message.at("beginOffset").as_int64());
        const std::string id = name + (dos ? ".dos/" : ".unix/") + std::to_string(++number);
        REQUIRE(start <= file.size());
        compare(id, Bytes(file).substr(start), message);
      }
    }
  }
  const auto wanted = lists("jwz.unix");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto file = corpora::root() / "mime-jwz/input/mbox/jwz" / std::to_string(i + 1);
    if (corpora::fs::exists(file)) compare("jwz/" + std::to_string(i + 1), corpora::read_file(file), wanted[i]);
  }
  suite.report();
}

// Lines "   Content-Type: type/subtype" of one message, deeper parts further in.
std::string found_types(Bytes content) {
  std::string out;
  for (const Part& part : parse_mime(content).parts) {
    out += std::string(3u * part.depth, ' ') + "Content-Type: " + part.content_type.type + "/" +
           part.content_type.subtype + "\n";
  }
  return out;
}

TEST_RFC("2046 §5.1.2", "boundaries that begin or are one another in the corpus mime-gmime") {
  const auto folder = corpora::root() / "mime-gmime/mbox";
  if (!corpora::present(folder)) return;
  corpora::Suite suite("mime-gmime/mbox");
  const auto letters = read(corpora::read_file(folder / "input/substring.mbox"));
  std::ifstream in(folder / "output/substring.mbox");
  std::vector<std::string> wanted;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("message offsets")) wanted.emplace_back();
    if (line.find("Content-Type: ") != std::string::npos && !wanted.empty()) wanted.back() += line + "\n";
  }
  suite.add("count", std::to_string(letters.size()), std::to_string(wanted.size()));
  for (std::size_t i = 0; i < std::min(letters.size(), wanted.size()); ++i) {
    suite.add(std::to_string(i + 1), found_types(letters[i].octets), wanted[i]);
  }
  suite.report();
}

}  // namespace
}  // namespace facteur::message
