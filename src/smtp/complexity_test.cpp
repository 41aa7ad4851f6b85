// RELIABILITY G8: what a client or a server sends costs in proportion to its octets.
#include <array>

#include "growth_test.hpp"
#include "rfc_test.hpp"
#include "smtp/command_parser.hpp"
#include "smtp/reply_parser.hpp"
#include "smtp/session_test.hpp"

namespace facteur::smtp {
namespace {

using hostile::Input;
using hostile::repeated;
using hostile::under;

constexpr const char* opening = "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";

const std::array<Input, 16> sessions{{
    {"NOOPs", [](std::size_t n) { return repeated("NOOP\r\n", n); }},
    {"empty lines", [](std::size_t n) { return repeated("\r\n", n); }},
    {"a line without end", [](std::size_t n) { return repeated("x", n); }},
    {"RSETs", [](std::size_t n) { return under("EHLO c.example\r\n", "RSET\r\nMAIL FROM:<a@b.example>\r\n", n); }},
    {"recipients",
     [](std::size_t n) {
       return under("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", n);
     }},
    {"lines of content", [](std::size_t n) { return under(opening, "", 0) + "DATA\r\n" + repeated("line\r\n", n); }},
    {"dots", [](std::size_t n) { return under(opening, "", 0) + "DATA\r\n" + repeated("..\r\n", n); }},
    {"almost the end", [](std::size_t n) { return under(opening, "", 0) + "DATA\r\n" + repeated("\r\n.x", n); }},
    {"carriage returns", [](std::size_t n) { return under(opening, "", 0) + "DATA\r\n" + repeated("\r", n); }},
    {"line feeds", [](std::size_t n) { return under(opening, "", 0) + "DATA\r\n" + repeated("\n.", n); }},
    {"one line of content", [](std::size_t n) { return under(opening, "", 0) + "DATA\r\n" + repeated("x", n); }},
    {"chunks of one octet", [](std::size_t n) { return under(opening, "BDAT 1\r\nx", n); }},
    {"chunks of nothing", [](std::size_t n) { return under(opening, "BDAT 0\r\n", n); }},
    {"one chunk",
     [](std::size_t n) { return std::string(opening) + "BDAT " + std::to_string(n) + "\r\n" + repeated("x", n); }},
    {"small messages",
     [](std::size_t n) {
       return under("EHLO c.example\r\n",
                    "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nA: b\r\n\r\nx\r\n.\r\n", n);
     }},
    {"greetings", [](std::size_t n) { return repeated("EHLO c.example\r\n", n); }},
}};

const std::array<Input, 7> arguments{{
    {"parameters", [](std::size_t n) { return under("FROM:<a@b.example>", " X=1", n); }},
    {"one parameter", [](std::size_t n) { return under("FROM:<a@b.example> ENVID=", "+2B", n); }},
    {"a quoted local part", [](std::size_t n) { return under("FROM:<\"", "\\a", n) + "\"@b.example>"; }},
    {"labels", [](std::size_t n) { return under("FROM:<a@", "b.", n) + "c>"; }},
    {"a route", [](std::size_t n) { return under("FROM:<", "@a.example,", n) + "@b:c@d>"; }},
    {"UTF-8", [](std::size_t n) { return under("FROM:<", "\xc3\xa9", n) + "@b.example>"; }},
    {"U-labels", [](std::size_t n) { return under("FROM:<a@", "\xc3\xa9.", n) + "c>"; }},
}};

TEST_CASE("a hostile session costs in proportion to its octets") {
  const auto read = [](const std::string& text) {
    auto parameters = test::exchanger();
    parameters.errors = 1'000'000'000;
    test::TestServer server(parameters, {4096});
    for (Bytes rest = text; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 65536))) {
      server.say(rest.substr(0, 65536));
      server.content.clear();
      server.log.clear();
      server.messages.clear();
    }
  };
  for (const auto& input : sessions) growth::check(input, 100'000, read);
}

TEST_CASE("hostile arguments cost in proportion to their octets") {
  const auto read = [](const std::string& text) {
    (void)parse_mail(text);
    (void)parse_rcpt("TO" + text.substr(4), false);
  };
  for (const auto& input : arguments) growth::check(input, 30'000, read);
}

}  // namespace
}  // namespace facteur::smtp
