// Messages in files: mbox, Maildir with its folders, single messages, and whole trees of these.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "message/mail_state.hpp"

namespace facteur::cli {

enum class BoxFormat : std::uint8_t { automatic, mbox, maildir, eml };
std::optional<BoxFormat> box_format(std::string_view name);

// One message found.
struct Letter {
  std::string mailbox;  // UTF-8, levels separated by '/'; "INBOX" for the inbox.
  std::string octets;
  message::MailState state;
  std::optional<UtcTime> received;
  bool only_mailbox = false;  // No message: this mailbox exists, and may be empty.
};

// All messages of a file or folder, one after the other, with memory for the largest one only.
class Letters {
 public:
  virtual ~Letters() = default;
  virtual bool next(Letter& into) = 0;        // False: there are no more.
  virtual std::uint64_t skipped() const = 0;  // Expunged, too large, unreadable: not given by next().
};

// `path`: a file, a folder, or "-" for an mbox or a message on standard input. `into`: the mailbox of a single file,
// and what the mailboxes of a folder stand below; empty: INBOX, and nothing.
Result<std::unique_ptr<Letters>> open_letters(const std::string& path, BoxFormat format, const std::string& into);

}  // namespace facteur::cli
