// `facteur message compose|receipt|complaint|join`: messages made from files, to standard output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/context.hpp"

namespace facteur::cli {

struct ComposeOptions {
  std::vector<std::string> from, sender, to, cc, bcc, reply_to;  // Address lists as a header field has them.
  std::string subject;
  std::string text, html;              // Files; "-": standard input; empty: none.
  std::vector<std::string> attached;   // Files.
  std::vector<std::string> inlined;    // "CID=FILE".
  std::vector<std::string> forwarded;  // Files with a message each.
  std::string parent;                  // A file with the message that is answered.
  bool all = false;                    // To all of the parent's recipients.
  bool quote = false;                  // The parent's text behind ours.
  bool flowed = false;
  bool notify = false;  // Asks for a notification of reading.
  bool eight_bit = false;
  bool utf8 = false;
  std::string split;  // "64 KiB": pieces of at most so much; empty: whole.
};
int message_compose(const Context& context, const ComposeOptions& options);

struct ReceiptOptions {
  std::string file;
  std::string from;
  std::string disposition = "displayed";
  bool automatic = false;  // No person was asked.
};
int message_receipt(const Context& context, const ReceiptOptions& options);

struct ComplaintOptions {
  std::string file;
  std::string from;
  std::vector<std::string> to;
  std::string kind = "abuse";
  bool headers_only = false;
};
int message_complaint(const Context& context, const ComplaintOptions& options);

int message_join(const Context& context, const std::vector<std::string>& files);

}  // namespace facteur::cli
