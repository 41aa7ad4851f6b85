// RELIABILITY G8: what a client sends costs in proportion to its octets, and answers to it as well.
#include <algorithm>
#include <array>
#include <variant>

#include "growth_test.hpp"
#include "imap/command_parser.hpp"
#include "imap/mailbox_name.hpp"
#include "imap/sequence_set.hpp"
#include "imap/server_session.hpp"
#include "rfc_test.hpp"

namespace facteur::imap {
namespace {

using hostile::Input;
using hostile::repeated;
using hostile::under;

// Octets in segments of 4,096, answered at once.
struct Driver {
  ServerSession session;

  explicit Driver() : session(parameters(), Instant{1}) { run(); }

  static ServerParameters parameters() {
    ServerParameters p;
    p.hostname = "mx.example.org";
    p.plaintext_login = true;
    p.nonce_seed = "0123456789abcdef";
    return p;
  }
  void on(const Execute& execute) {
    Outcome outcome;
    if (std::holds_alternative<SelectCommand>(execute.command->body)) outcome.move = Outcome::Move::select;
    session.executed(outcome);
  }
  void on(const FetchVerifier&) { session.verifier(std::nullopt); }
  void on(const Authenticate&) { session.logged_in(); }
  void on(const BeginAppend&) { session.append_accepted(); }
  void on(const AppendContent&) { session.content_taken(); }
  void on(const Announce&) { session.announced(); }
  void on(const Send&) { session.sent(); }
  void on(const StartTls&) { session.tls_started(Instant{2}); }
  void on(const AbandonAppend&) {}
  void on(const Close&) {}
  void run() {
    while (auto action = session.next()) std::visit([this](const auto& what) { on(what); }, *action);
  }
  void give(Bytes octets) {
    while (!octets.empty() && !session.closed()) {
      const auto room = session.room();
      const auto count = std::min({octets.size(), room.size(), std::size_t{4096}});
      std::copy_n(octets.begin(), count, room.begin());
      octets.remove_prefix(count);
      session.received(count, Instant{1});
      run();
    }
  }
};

void read_session(const std::string& text) {
  Driver driver;
  driver.give("a LOGIN anne secret\r\na SELECT INBOX\r\n");
  driver.give(text);
}

// Whole commands without the limits of a session, which would hide a parser that is not linear.
void read_command(const std::string& text) {
  for (const bool utf8 : {false, true}) (void)parse_command(text, utf8);
  (void)parse_start(text);
  (void)parse_append(text, true);
}

std::string closed(std::string_view head, std::string_view piece, std::size_t octets, std::string_view tail) {
  return under(head, piece, octets).append(tail);
}

const std::array<Input, 22> commands{{
    {"open lists", [](std::size_t n) { return under("a FETCH 1 ", "(", n); }},
    {"fetch items", [](std::size_t n) { return closed("a FETCH 1 (", "FLAGS UID ", n, "UID)"); }},
    {"header fields", [](std::size_t n) { return closed("a FETCH 1 BODY[HEADER.FIELDS (", "X ", n, "X)]"); }},
    {"part numbers", [](std::size_t n) { return closed("a FETCH 1 BODY[", "1.", n, "TEXT]"); }},
    {"sets of ranges", [](std::size_t n) { return closed("a FETCH ", "1:*,", n, "1 FLAGS"); }},
    {"sets of numbers going down",
     [](std::size_t n) {
       std::string set;
       for (std::size_t i = 9'999'999; set.size() < n; --i) set += std::to_string(i) + ",";
       return "a UID FETCH " + set + "1 FLAGS";
     }},
    {"NOT NOT", [](std::size_t n) { return closed("a SEARCH ", "NOT ", n, "ALL"); }},
    {"OR OR", [](std::size_t n) { return under("a SEARCH ", "OR ", n); }},
    {"keys in parentheses", [](std::size_t n) { return under("a SEARCH ", "(", n); }},
    {"many keys", [](std::size_t n) { return closed("a SEARCH ", "SEEN TEXT x ", n, "ALL"); }},
    {"one long text", [](std::size_t n) { return closed("a SEARCH BODY \"", "x", n, "\""); }},
    {"quoted pairs", [](std::size_t n) { return closed("a SEARCH BODY \"", "\\\\", n, "\""); }},
    {"flags", [](std::size_t n) { return closed("a STORE 1 +FLAGS (", "$key ", n, "x)"); }},
    {"different flags",
     [](std::size_t n) {
       std::string list = "a STORE 1 +FLAGS (";
       for (std::size_t i = 0; list.size() < n; ++i) list += "k" + std::to_string(i) + " ";
       return list + "x)";
     }},
    {"small literals", [](std::size_t n) { return closed("a SEARCH ", "SUBJECT {1+}\r\nx ", n, "ALL"); }},
    {"ID pairs", [](std::size_t n) { return closed("a ID (", "\"a\" \"b\" ", n, "\"a\" \"b\")"); }},
    {"patterns of LIST", [](std::size_t n) { return closed("a LIST \"\" (", "x% ", n, "x)"); }},
    {"status items", [](std::size_t n) { return closed("a STATUS x (", "MESSAGES ", n, "UIDNEXT)"); }},
    {"modified UTF-7", [](std::size_t n) { return closed("a SELECT \"", "&AOk-", n, "\""); }},
    {"broken modified UTF-7", [](std::size_t n) { return closed("a SELECT \"", "&", n, "\""); }},
    {"known uids", [](std::size_t n) { return closed("a SELECT x (QRESYNC (1 1 ", "1,", n, "1))"); }},
    {"one long atom", [](std::size_t n) { return under("a ", "x", n); }},
}};

const std::array<Input, 12> sessions{{
    {"NOOPs", [](std::size_t n) { return repeated("a NOOP\r\n", n); }},
    {"empty lines", [](std::size_t n) { return repeated("\r\n", n); }},
    {"a line without end", [](std::size_t n) { return repeated("x", n); }},
    {"one command in many literals",
     [](std::size_t n) { return repeated("a SEARCH TEXT {1+}\r\nx TEXT {1+}\r\ny\r\n", n); }},
    {"literals of nothing", [](std::size_t n) { return under("a SEARCH ", "TEXT {0+}\r\n ", n); }},
    {"wrong commands", [](std::size_t n) { return repeated("a FETCH (\r\n", n); }},
    {"a large message", [](std::size_t n) { return "a APPEND x {" + std::to_string(n) + "+}\r\n" + repeated("y", n); }},
    {"many messages in one APPEND", [](std::size_t n) { return closed("a APPEND x", " {1+}\r\ny", n, "\r\n"); }},
    {"many APPENDs", [](std::size_t n) { return repeated("a APPEND x {1+}\r\ny\r\n", n); }},
    {"IDLE and DONE", [](std::size_t n) { return repeated("a IDLE\r\nDONE\r\n", n); }},
    {"cancelled logins", [](std::size_t n) { return repeated("a AUTHENTICATE PLAIN\r\n*\r\n", n); }},
    {"long commands", [](std::size_t n) { return repeated("a SEARCH " + repeated("NOT SEEN ", 8000) + "ALL\r\n", n); }},
}};

TEST_CASE("reading a hostile command costs in proportion to its octets") {
  for (const auto& input : commands) growth::check(input, 300'000, read_command);
}

TEST_CASE("a hostile session costs in proportion to its octets") {
  for (const auto& input : sessions) growth::check(input, 100'000, read_session);
}

TEST_CASE("sequence sets cost in proportion to their octets, whatever they span") {
  const auto read = [](const std::string& text) {
    const auto set = parse_sequence_set(text);
    REQUIRE(set);
    const auto ranges = resolve(*set, 4'000'000'000U);
    (void)to_set_text(ranges);
    for (std::uint32_t i = 0; i < 100; ++i) (void)contains(ranges, i);
  };
  const std::array<Input, 4> sets{{
      {"the same range", [](std::size_t n) { return repeated("1:4000000000,", n) + "1"; }},
      {"every other number",
       [](std::size_t n) {
         std::string set;
         for (std::size_t i = 1'000'001; set.size() < n; i += 2) set += std::to_string(i) + ",";
         return set + "1";
       }},
      {"ranges going down",
       [](std::size_t n) {
         std::string set;
         for (std::size_t i = 9'999'999; set.size() < n; i -= 3)
           set += std::to_string(i) + ":" + std::to_string(i + 1) + ",";
         return set + "1";
       }},
      {"ranges that overlap",
       [](std::size_t n) {
         std::string set;
         for (std::size_t i = 1'000'000; set.size() < n; ++i)
           set += std::to_string(i) + ":" + std::to_string(2 * i) + ",";
         return set + "*";
       }},
  }};
  for (const auto& input : sets) growth::check(input, 200'000, read);
}

TEST_RFC("9051 §6.3.9", "patterns of LIST cost in proportion to pattern and to name") {
  const std::string name = repeated("aaaa/", 2000) + "b";
  const auto by_pattern = [&](const std::string& pattern) { (void)matches_pattern(pattern, name); };
  const std::array<Input, 5> patterns{{
      {"%*%*", [](std::size_t n) { return repeated("%*", n) + "c"; }},
      {"*a*a", [](std::size_t n) { return repeated("*a", n) + "c"; }},
      {"%/%/", [](std::size_t n) { return repeated("%/", n) + "c"; }},
      {"%%%%", [](std::size_t n) { return repeated("%", n) + "c"; }},
      {"aaaa", [](std::size_t n) { return "*" + repeated("a", n) + "c"; }},
  }};
  for (const auto& input : patterns) growth::check(input, 1000, by_pattern);
  const auto by_name = [](const std::string& text) {
    for (const auto* pattern : {"%*%*%*%*%*%*a*b", "*a*a*a*a*a*c", "%a%a%a%a%c", "*/%/*/%c"}) {
      (void)matches_pattern(pattern, text);
    }
  };
  const std::array<Input, 3> names{{
      {"one level", [](std::size_t n) { return repeated("a", n); }},
      {"many levels", [](std::size_t n) { return repeated("a/", n); }},
      {"empty levels", [](std::size_t n) { return repeated("/", n); }},
  }};
  for (const auto& input : names) growth::check(input, 20'000, by_name);
}

}  // namespace
}  // namespace facteur::imap
