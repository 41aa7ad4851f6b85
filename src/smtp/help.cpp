#include "smtp/help.hpp"

#include <array>
#include <utility>

#include "base/ascii.hpp"

namespace facteur::smtp {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 18> texts{{
    {"",
     "Commands: HELO EHLO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP STARTTLS AUTH\n"
     "HELP <command> says more about one of them (RFC 5321 section 4.1.1.8)"},
    {"HELO", "HELO <domain>: who you are, without extensions (RFC 5321 section 4.1.1.1)"},
    {"EHLO", "EHLO <domain>: who you are; the reply lists the extensions (RFC 5321 section 4.1.1.1)"},
    {"LHLO", "LHLO <domain>: EHLO of LMTP (RFC 2033 section 4.1)"},
    {"MAIL",
     "MAIL FROM:<sender> [SIZE=n] [BODY=8BITMIME] [SMTPUTF8] [RET=FULL|HDRS] [ENVID=id] [AUTH=mailbox]\n"
     "Begins a message (RFC 5321 section 4.1.1.2, RFC 1870, 6152, 6531, 3461, 4954)"},
    {"RCPT",
     "RCPT TO:<recipient> [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=type;address]\n"
     "Names one recipient (RFC 5321 section 4.1.1.3, RFC 3461)"},
    {"DATA", "DATA: the message follows, a line with a single dot ends it (RFC 5321 section 4.1.1.4)"},
    {"BDAT", "BDAT <octets> [LAST]: a piece of the message follows (RFC 3030 section 2)"},
    {"RSET", "RSET: forgets the message begun (RFC 5321 section 4.1.1.5)"},
    {"NOOP", "NOOP: nothing (RFC 5321 section 4.1.1.9)"},
    {"QUIT", "QUIT: ends the session (RFC 5321 section 4.1.1.10)"},
    {"VRFY", "VRFY <name>: is there such a mailbox? 252 where that is not told (RFC 5321 section 3.5.3)"},
    {"EXPN", "EXPN <list>: not offered (RFC 5321 section 7.3)"},
    {"HELP", "HELP [command]: this (RFC 5321 section 4.1.1.8)"},
    {"STARTTLS", "STARTTLS: begins TLS; then EHLO again (RFC 3207 section 4)"},
    {"AUTH", "AUTH <mechanism> [initial response]: log in (RFC 4954 section 4)"},
    {"ETRN", "ETRN <domain>: try the mail that waits for it now (RFC 1985)"},
    {"TURN", "TURN: not offered (RFC 5321 appendix F.1)"},
}};

}  // namespace

std::string_view help(std::string_view command) {
  for (const auto& [name, text] : texts) {
    if (ascii::equal_ignoring_case(name, command)) return text;
  }
  return "";
}

}  // namespace facteur::smtp
