// `facteur import` and `facteur export`: many messages into and out of an account, by files.
#pragma once

#include <string>
#include <vector>

#include "cli/context.hpp"
#include "cli/letters.hpp"
#include "message/mbox.hpp"

namespace facteur::cli {

struct ImportOptions {
  std::string address;
  std::string source;         // A file, a folder, "-".
  std::string format;         // box_format().
  std::string into;           // A mailbox; empty: as open_letters() says.
  bool again = false;         // Also what was imported before.
  bool ignore_quota = false;  // Also what the account has no room for.
};
// A second run imports nothing twice: the server remembers each message by content and place in the source, and goes on
// where a run was broken off.
int import_letters(const Context& context, const ImportOptions& options);

struct ExportOptions {
  std::string address;
  std::string target;                  // A folder.
  std::string format;                  // "mbox", "maildir", "eml".
  std::string dialect;                 // mbox_dialect().
  std::vector<std::string> mailboxes;  // Empty: all.
};
// What is there already is made anew (mbox), or completed (maildir, eml).
int export_letters(const Context& context, const ExportOptions& options);

}  // namespace facteur::cli
