// What a mail program knows of a message beside its text: flags and keywords. In mbox files they stand in fields of the
// header (Status, X-Status, X-Keywords, X-Mozilla-Status...), in Maildir in the name of the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

struct MailState {
  bool seen = false;
  bool answered = false;
  bool flagged = false;
  bool draft = false;
  bool deleted = false;
  bool expunged = false;              // Removed, and only still there because the file was not packed (Mozilla).
  std::vector<std::string> keywords;  // As IMAP keywords: "$Forwarded", "$label1", "work"; none twice.
  std::string uidl;                   // X-UIDL: what a POP3 client remembered it by; may be empty.

  void add_keyword(std::string_view keyword);  // Passed over if it is no IMAP atom, or there already.
  friend bool operator==(const MailState&, const MailState&) = default;
};

// RFC 9051 §9 flag-keyword: an atom, here of at most 100 printable ASCII characters.
bool is_keyword(std::string_view text);

// Takes what a field of an mbox file says. False: it is no field of a mail program, but one of the message.
bool take_state_field(std::string_view name, Bytes value, MailState& state);

// The fields for an mbox file: Status, X-Status, X-Keywords, X-UIDL, one line each, ended by `line_end`. Gives their
// number, too.
struct StateFields {
  std::string text;
  unsigned count = 0;
};
StateFields write_state_fields(const MailState& state, std::string_view line_end);

}  // namespace facteur::message
