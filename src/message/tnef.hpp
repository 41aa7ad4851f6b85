// TNEF ("winmail.dat", application/ms-tnef): the message Outlook wraps up, taken apart (MS-OXTNEF §2.1).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace facteur::message {

struct TnefFile {
  std::string name;        // UTF-8, without a path; empty if it has none.
  std::string type;        // "image/png", if it says so.
  std::string content_id;  // Without angle brackets.
  std::string octets;
  bool embedded_message = false;  // octets is itself TNEF.
};

struct Tnef {
  std::string message_class;  // "IPM.Note", "IPM.Schedule.Meeting.Request"...
  std::string subject;        // UTF-8.
  std::string text;           // UTF-8; empty if the message has none in plain text.
  std::string html;           // As it stands.
  std::string rtf;            // Decompressed (MS-OXRTFCP §2.2).
  std::vector<TnefFile> files;
  bool damaged = false;  // A checksum or a length was wrong: what came before it is here.
};

// nullopt: no TNEF signature. Never loops, allocates no more than some times the size of `octets`; at most 10,000
// files, and of compressed text at most 8 MiB come out.
std::optional<Tnef> parse_tnef(Bytes octets);

}  // namespace facteur::message
