// Writes a plain message: for the demo, notices and tests.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace facteur::message {

struct Correspondent {
  std::string name;     // UTF-8; may be empty.
  std::string address;  // "user@example.org".
};

struct Draft {
  Correspondent from;
  std::vector<Correspondent> to;
  std::vector<Correspondent> cc;
  std::string subject;     // UTF-8.
  std::string message_id;  // Without angle brackets.
  std::string in_reply_to;
  UtcTime at;
  int offset_minutes = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // More fields, ASCII.
  std::string text;                                         // UTF-8; lines ended by LF or CRLF.
  struct Attachment {
    std::string name;  // UTF-8.
    std::string type;  // "application/pdf".
    std::string octets;
  };
  std::vector<Attachment> attachments;
  std::string boundary = "=_facteur";  // Used if there are attachments.
};

// CRLF lines of at most 998 octets; ASCII only.
std::string build_message(const Draft& draft);

// "Name <address>" with the name quoted or encoded as needed.
std::string written(const Correspondent& who);

}  // namespace facteur::message
