// Writes the messages of one mailbox into files: an mbox, a Maildir, or one file for each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "cli/letters.hpp"
#include "message/mbox.hpp"

namespace facteur::cli {

struct LetterKept {
  std::uint64_t uid = 0;
  std::uint64_t id = 0;  // Of the message in its mailbox; never used again.
  message::MailState state;
  UtcTime received;
};

class BoxWriter {
 public:
  virtual ~BoxWriter() = default;
  virtual bool has(const LetterKept& letter) = 0;  // It is there already, with these flags.
  virtual Result<void> write(const LetterKept& letter, const std::string& octets) = 0;
  virtual Result<void> finish() = 0;  // Everything is under its name now.
};

// `folder` is made if it is not there. Never writes over a file that is not of this program's making.
Result<std::unique_ptr<BoxWriter>> open_box(const std::string& folder, const std::string& mailbox, BoxFormat format,
                                            message::MboxDialect dialect);

}  // namespace facteur::cli
