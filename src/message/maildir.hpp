// Maildir: each message a file, its flags in the name of the file; Maildir++: folders as ".Folder.Sub" beside cur.
// Only names and texts: the files themselves are read and written by others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "message/mail_state.hpp"

namespace facteur::message {

// The name of a file in cur or new: "1204680122.M1P2.host,S=2326,W=2372:2,FS".
struct MaildirName {
  std::string base;                    // "1204680122.M1P2.host": what names the message whatever its flags.
  std::optional<std::uint64_t> size;   // S=: octets of the file.
  std::optional<std::uint64_t> vsize;  // W=: octets with CRLF lines.
  MailState state;                     // From the letters; its keywords hold "$Forwarded" for P only.
  std::string letters;                 // a to z, for keywords, each once: see MaildirKeywords.

  UtcTime delivered() const;  // The seconds the base begins with; 1970 if it does not.
};
MaildirName parse_maildir_name(std::string_view name);
std::string write_maildir_name(const MaildirName& name);

// Whether the octets of the file are the message (true), or its lines have lost their CRs (false): then crlf_lines
// (mbox.hpp) gives the message. W= that equals the size of the file says that it is as it was.
bool is_verbatim(const MaildirName& name, std::uint64_t file_size);

// The file dovecot-keywords: lines "0 work", where 0 is the letter a. At most 26.
class MaildirKeywords {
 public:
  static MaildirKeywords parse(Bytes text);
  std::string write() const;

  std::optional<char> letter(std::string_view keyword);  // A new one if it is new; nullopt: there are 26 already.
  std::string_view keyword(char letter) const;           // Empty: that letter means nothing.

 private:
  std::map<char, std::string> keywords_;
};

// Maildir++ folder names. Levels in modified UTF-7 (RFC 3501 §5.1.3), as others write them, are not decoded here.
// ".Lists.dev" -> {"Lists", "dev"}; empty: no folder name.
std::vector<std::string> parse_maildir_folder(std::string_view name);
std::string write_maildir_folder(const std::vector<std::string>& levels);

}  // namespace facteur::message
