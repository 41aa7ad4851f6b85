// Dialogues of other servers' test suites and of the lectures, played against the engine. What is compared is the code
// of each reply: the words are theirs.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/ascii.hpp"
#include "rfc_test.hpp"
#include "smtp/client_session.hpp"
#include "smtp/content_reader.hpp"
#include "smtp/session_test.hpp"

namespace facteur::smtp {
namespace {

namespace fs = std::filesystem;
using test::TestServer;

fs::path corpora() {
  if (const char* set = std::getenv("FACTEUR_CORPORA")) return set;
  return "../shared/corpora";
}

// False, and said so, if the corpus is not there.
bool present(const fs::path& path) {
  if (fs::exists(path)) return true;
  MESSAGE("skipped: " << path.string() << " is not here");
  return false;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The string expressions of the dialogues: 'a\r\n', (x), x * 3, x + y.
class Expression {
 public:
  explicit Expression(std::string_view text) : rest_(text) {}
  std::string sum() {
    std::string value = product();
    while (take('+')) value += product();
    return value;
  }

 private:
  bool take(char c) {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string product() {
    std::string value;
    if (take('(')) {
      value = sum();
      take(')');
    } else if (take('\'')) {
      while (!take('\'')) value += character();
    }
    if (!take('*')) return value;
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
    std::size_t times = 0;
    while (!rest_.empty() && ascii::is_digit(rest_.front())) {
      times = times * 10 + static_cast<std::size_t>(rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += value;
    return all;
  }
  char character() {
    char c = rest_.front();
    rest_.remove_prefix(1);
    if (c != '\\') return c;
    c = rest_.front();
    rest_.remove_prefix(1);
    return c == 'n' ? '\n' : c == 'r' ? '\r' : c;
  }
  std::string_view rest_;
};

// Plays a dialogue of chasquid; what differs, by "line: expected/got".
class Dialogue {
 public:
  explicit Dialogue(std::map<std::string, std::string> deviations) : deviations_(std::move(deviations)) {}

  void play(const fs::path& path) {
    int number = 0;
    for (const auto& line : lines_of(read_file(path))) {
      ++number;
      if (!line.starts_with("c ")) continue;
      const auto space = line.find(' ', 2);
      const auto operation = line.substr(2, space - 2);
      const auto text = space == std::string::npos ? std::string() : line.substr(space + 1);
      where_ = path.filename().string() + ":" + std::to_string(number);
      step(operation, text);
    }
  }
  int compared = 0;

 private:
  void step(const std::string& operation, const std::string& text) {
    if (operation == "tcp_connect") {
      auto parameters = test::exchanger();
      parameters.message_size = 1 << 20;
      server_ = std::make_unique<TestServer>(parameters);
      heard_ = server_->take();
    } else if (operation == "->") {
      heard_ += server_->say(text + "\r\n");
    } else if (operation == "~>") {
      heard_ += server_->say(Expression(text).sum());
    } else if (operation == "<-" || operation == "<~" || operation == "<...") {
      const auto expected = text.substr(0, 3);
      const auto got = next_code();
      const auto known = deviations_.find(where_);
      CAPTURE(where_);
      CHECK(got == (known == deviations_.end() ? expected : known->second));
      ++compared;
    }
  }
  std::string next_code() {
    for (;;) {
      const auto end = heard_.find("\r\n");
      if (end == std::string::npos) return "none";
      const auto line = heard_.substr(0, end);
      heard_.erase(0, end + 2);
      if (line.size() < 4 || line[3] != '-') return line.substr(0, 3);
    }
  }

  std::map<std::string, std::string> deviations_;
  std::unique_ptr<TestServer> server_;
  std::string heard_, where_;
};

// "S:" lines of an MPT script as the codes of whole replies, "C:" lines as octets.
void play_mpt(const fs::path& path, ServerParameters parameters, const std::string& first,
              const std::map<std::string, std::string>& deviations) {
  TestServer server(std::move(parameters));
  std::string heard = TestServer::codes(server.take());
  if (!first.empty()) server.say(first);
  std::string expected;
  const auto compare = [&] {
    if (expected.empty()) return;
    CAPTURE(path.filename().string());
    const auto known = deviations.find(expected);
    CHECK(heard == (known == deviations.end() ? expected : known->second));
    heard.clear();
    expected.clear();
  };
  const auto lines = lines_of(read_file(path));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& line = lines[i];
    if (line.starts_with("C:")) {
      compare();
      const auto codes = server.code((line.size() > 3 ? line.substr(3) : "") + "\r\n");
      if (!codes.empty()) heard += (heard.empty() ? "" : " ") + codes;
    } else if (line.starts_with("S: ")) {
      const auto text = line.substr(3);
      const bool goes_on =
          text.size() > 3 && (text[3] == '-' || (i + 1 < lines.size() && lines[i + 1].starts_with("S: 250-")));
      if (!goes_on) expected += (expected.empty() ? "" : " ") + text.substr(0, 3);
    }
  }
  compare();
}

}  // namespace

TEST_CASE("chasquid's dialogues end in the same codes, but for what is explained here") {
  const auto base = corpora() / "smtp-chasquid";
  if (!present(base)) return;
  // Ours on the right.
  const std::map<std::string, std::string> deviations{
      // AUTH is not offered at the exchanger at all: RFC 5321 §4.2.4.
      {"auth_not_tls.cmy:8", "502"},
      // A wrong argument of a known command is 501: RFC 5321 §4.2.2.
      {"bad_mail_from.cmy:8", "501"},
      {"bad_mail_from.cmy:11", "501"},
      {"bad_rcpt_to.cmy:11", "501"},
      {"bad_rcpt_to.cmy:14", "501"},
      {"bad_rcpt_to.cmy:41", "553"},  // Without SMTPUTF8: RFC 6531 §3.5.
      // Whether a header can be parsed is not the engine's business.
      {"bad_data.cmy:35", "250"},
      // RFC 5321 §4.5.3.1.4: longer lines than 512 are read; the name is what is too long.
      {"line_too_long.cmy:5", "501"},
      // RFC 5321 §4.2.2 has no 521 for content: 554, and the connection ends.
      {"bad_data_dot_2.cmy:28", "554"},
      {"bad_data_dot_on_message_too_big.cmy:36", "554"},
      {"wrong_proto.cmy:5", "554"},
      {"wrong_proto.cmy:10", "554"},
      {"wrong_proto.cmy:15", "554"},
  };
  Dialogue dialogue(deviations);
  for (const auto& entry : fs::directory_iterator(base / "t-12-minor_dialogs")) {
    if (entry.path().extension() == ".cmy") dialogue.play(entry.path());
  }
  dialogue.play(base / "t-05-null_address" / "sendmail.cmy");
  CHECK(dialogue.compared > 60);
}

TEST_CASE("chasquid's message with stuffed dots arrives as it says") {
  const auto base = corpora() / "smtp-chasquid" / "t-12-minor_dialogs";
  if (!present(base)) return;
  TestServer server(test::exchanger());
  test::envelope(server);
  server.say("DATA\r\n");
  bool content = false;
  for (const auto& line : lines_of(read_file(base / "data_dot_stuffing.cmy"))) {
    if (line.starts_with("c -> ") && content) server.say(line.substr(5) + "\r\n");
    if (line == "c ->" && content) server.say("\r\n");
    if (line == "c <~ 354") content = true;
    if (line == "c <~ 250") content = content && server.messages.empty();
  }
  REQUIRE(server.messages.size() == 1);
  // Their .verify file is the header (in any order) and this body.
  const auto verify = read_file(base / "data_dot_stuffing.cmy.verify");
  const auto body = verify.substr(verify.find("\n\n") + 2);
  std::string ours = server.messages[0].substr(server.messages[0].find("\r\n\r\n") + 4);
  std::erase(ours, '\r');
  CHECK(ours == body);
}

TEST_CASE("connections that chasquid's fuzzer found, octet by octet and whole") {
  const auto base = corpora() / "smtp-chasquid" / "smtpsrv" / "testdata" / "fuzz" / "FuzzConnection";
  if (!present(base)) return;
  int played = 0;
  for (const auto& entry : fs::directory_iterator(base)) {
    const auto lines = lines_of(read_file(entry.path()));
    if (lines.size() < 3) continue;
    const auto begin = lines[2].find('"') + 1;
    std::string literal = lines[2].substr(begin, lines[2].rfind('"') - begin);
    for (std::size_t at = 0; (at = literal.find("\\n", at)) != std::string::npos;) literal.replace(at, 2, "\r\n");
    for (const std::size_t cut : {std::size_t{1}, std::size_t{1 << 20}}) {
      TestServer server(test::submission(), {cut});
      server.say(literal);
      server.session.ended();
      server.pump();
      CHECK(server.session.closed());
      CHECK(server.messages.empty());  // None of them has logged in.
    }
    ++played;
  }
  CHECK(played > 3);
}

TEST_CASE("James's dialogues: the same codes, and nothing that was said in the clear counts after STARTTLS") {
  const auto base = corpora() / "smtp-mpt";
  if (!present(base)) return;
  auto parameters = test::exchanger();
  parameters.plaintext_login = true;
  parameters.mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain};
  // RFC 4954 §4: AUTH is an extension, so EHLO comes first; the script leaves it out.
  play_mpt(base / "authplain.test", parameters, "EHLO client.example\r\n", {});
  play_mpt(base / "helo.test", parameters, "", {});
  play_mpt(base / "rcpt_with_starttls.test", parameters, "", {});
  play_mpt(base / "data_with_starttls.test", parameters, "", {});
  // James refuses STARTTLS in the middle of a message; RFC 3207 §4.2 has it forget the message and the login, which
  // server_session_test.cpp checks.
  play_mpt(base / "starttls_session_fixation.test", parameters, "", {{"501", "220"}});
}

TEST_CASE("messages of Stalwart's tests pass from client to server octet for octet") {
  const auto base = corpora() / "smtp-data-stalwart";
  if (!present(base)) return;
  int passed = 0;
  for (const auto& entry : fs::recursive_directory_iterator(base)) {
    if (!entry.is_regular_file()) continue;
    std::string text;
    for (const auto& line : lines_of(read_file(entry.path()))) {
      text += line.substr(0, line.size() - (line.ends_with('\r') ? 1 : 0)) + "\r\n";
    }
    std::erase(text, '\0');
    if (text.empty()) continue;
    Transaction transaction;
    transaction.recipients = {{message::Address::parse("b@example.org").value(), {}}};
    transaction.content = {text};
    ClientParameters mine;
    mine.hostname = "client.example";
    mine.tls = ClientParameters::Tls::never;
    ClientSession client(mine, test::start);
    TestServer server(test::exchanger());
    std::string to_client = server.take();
    bool begun = false;
    for (int turn = 0; turn < 100 && !client.closed(); ++turn) {
      for (std::size_t at = 0; at < to_client.size();) {
        const Room room = client.room();
        const auto count = std::min(room.size(), to_client.size() - at);
        std::copy_n(to_client.data() + at, count, room.data());
        client.received(count, test::start);
        at += count;
      }
      to_client.clear();
      while (auto action = client.next(test::start)) {
        if (const auto* send = std::get_if<Send>(&*action)) to_client += server.say(send->replies);
        if (!std::holds_alternative<Ready>(*action)) continue;
        if (begun) {
          client.quit(test::start);
        } else {
          client.begin(transaction, test::start);
        }
        begun = true;
      }
    }
    CAPTURE(entry.path().filename().string());
    const bool bare =
        text.find('\r') != std::string::npos && find_bare_line_end({{text}}) != ContentReader::Fault::none;
    REQUIRE(server.messages.size() == (bare ? 0 : 1));
    if (!bare) CHECK(server.messages[0] == text);
    ++passed;
  }
  CHECK(passed > 20);
}

TEST_RFC("5321 §D.1", "the session of lecture 001: a message from wanadoo.fr to hotmail.com") {
  TestServer server(test::exchanger());
  CHECK(TestServer::codes(server.take()) == "220");
  CHECK(server.code("EHLO skyrunner.home\r\n") == "250");
  CHECK(server.code("MAIL FROM:<benja.roux@wanadoo.fr>\r\n") == "250");
  CHECK(server.code("RCPT TO:<skyrunner63@hotmail.com>\r\n") == "250");
  CHECK(server.code("DATA\r\n") == "354");
  CHECK(server.code("Test SMTP\r\n.\r\n") == "250");
  CHECK(server.code("QUIT\r\n") == "221");
  CHECK(server.messages == std::vector<std::string>{"Test SMTP\r\n"});
  CHECK(server.log == "EHLO skyrunner.home;MAIL benja.roux@wanadoo.fr;RCPT skyrunner63@hotmail.com;ACCEPT;CLOSE;");
}

TEST_RFC("5321 §D.1", "the sessions of lecture 004: HELO as in 1999, and the extensions as in 2001") {
  TestServer old(test::exchanger());
  CHECK(TestServer::codes(old.take()) == "220");
  CHECK(old.code("HELO liti.ibp.fr\r\n") == "250");
  CHECK(old.code("MAIL From:<im@liti.ibp.fr>\r\n") == "250");
  CHECK(old.code("RCPT To:<lo@artemis.ibp.fr>\r\n") == "250");
  CHECK(old.code("DATA\r\n") == "354");
  CHECK(old.code("From: im@liti.ibp.fr\r\n\r\nBonjour\r\n.\r\n") == "250");
  CHECK(old.code("QUIT\r\n") == "221");

  TestServer server(test::exchanger());
  CHECK(server.code("EHLO soleil.jussieu.fr\r\n") == "220 250");
  CHECK(server.code("MAIL FROM: <jean@jussieu.fr> RET=HDRS ENVID=toto\r\n") == "250");
  // The lecture writes "rfe822": any address type is taken and passed on (RFC 3461 §4.2).
  CHECK(server.code("RCPT TO: <paul@uvsq.fr> NOTIFY=SUCCESS ORCPT=rfe822;paul@uvsq.fr\r\n") == "250");
  CHECK(server.code("DATA\r\n") == "354");
  CHECK(server.code("Subject: x\r\n\r\nx\r\n.\r\n") == "250");
  // "SIZE=nnnnn" and "BODY=8BITMIME" of the same pages; TRANSID (CHECKPOINT, RFC 1845) is not offered: 555.
  CHECK(server.code("MAIL FROM: <jean@jussieu.fr> SIZE=12345 BODY=8BITMIME\r\nRSET\r\n") == "250 250");
  CHECK(server.code("MAIL FROM: <jean@jussieu.fr> TRANSID=<12345@claude.bellcore.com>\r\n") == "555");
}

}  // namespace facteur::smtp
