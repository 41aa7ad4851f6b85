// One whole command, from text to value (RFC 3501 and RFC 9051 §9). Linear in the length of the text.
//
// Syntax only: whether a command is legal now is decided by server_session.cpp, what it does by the service.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "imap/command.hpp"

namespace facteur::imap {

// In which states a command is legal (RFC 9051 §3): bits.
namespace legal {
constexpr std::uint8_t greeted = 1;   // Not authenticated.
constexpr std::uint8_t known = 2;     // Authenticated.
constexpr std::uint8_t selected = 4;  // Selected.
constexpr std::uint8_t inside = known | selected;
constexpr std::uint8_t always = greeted | inside;
}  // namespace legal

struct ParsedCommand {
  Command command;
  std::uint8_t legal_states = legal::always;
};

// What is wrong, for the tagged BAD (or an untagged one, when the tag cannot be read).
struct SyntaxError {
  std::string tag;   // Empty: none could be read.
  std::string code;  // A response code ("BADCHARSET (US-ASCII UTF-8)"): then the reply is NO, not BAD. Mostly empty.
  std::string text;
};

// `text`: without the CRLF at its end, literals as on the wire. `utf8`: names are UTF-8 (ENABLE IMAP4rev2 or
// UTF8=ACCEPT), else modified UTF-7.
std::expected<ParsedCommand, SyntaxError> parse_command(Bytes text, bool utf8);

// Tag and verb (in capitals) at the start of a command that may not be whole yet; empty where they cannot be read.
struct CommandStart {
  std::string tag;
  std::string verb;
};
CommandStart parse_start(Bytes text);

// Whether there is a command of this name ("UID" included).
bool is_verb(Bytes verb);

// APPEND up to a literal (RFC 9051 §6.3.12): `text` ends where the literal begins.
struct AppendStart {
  enum class Kind : std::uint8_t {
    name,     // The literal is the mailbox name: it belongs to the text, ask again with more.
    message,  // The literal is a message: `parameters` but for its size are known.
  };
  Kind kind = Kind::name;
  AppendParameters parameters;
};
std::expected<AppendStart, SyntaxError> parse_append(Bytes text, bool utf8);

// What follows a message of an APPEND: nothing (the command is whole), or the options of one more message
// (RFC 3502). `text` is without CRLF, or ends where the literal begins.
// `behind_utf8`: the message was in UTF8 (~{n}...), so a ')' must come first.
std::expected<std::optional<AppendParameters>, SyntaxError> parse_append_rest(Bytes text, bool behind_utf8,
                                                                              bool literal_follows);

}  // namespace facteur::imap
