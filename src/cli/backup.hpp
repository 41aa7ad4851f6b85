// `facteur backup`, `verify`, `restore`: the server's mail, queue, configuration, certificates and keys in a folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/context.hpp"

namespace facteur::cli {

struct BackupOptions {
  std::string folder;    // Made if it is not there.
  std::size_t keep = 0;  // Generations; 0: all.
};
// Adds a generation. A running server only holds its files still; this process copies them.
int back_up(const Context& context, const BackupOptions& options);

struct VerifyOptions {
  std::string folder;
  std::string at;       // A generation; empty: the newest.
  std::string scratch;  // Where the index is made; empty: the system's folder for temporary files.
};
// Every checksum of all generations; then one is opened, each message read, and what it holds is said.
int verify(const Context& context, const VerifyOptions& options);

struct RestoreOptions {
  std::string folder;
  std::string at;
  std::string to;      // A data folder that is empty or not there.
  bool moved = false;  // The server has not run since: clients have seen nothing that the backup does not know.
};
int restore(const Context& context, const RestoreOptions& options);

struct RestoreMailOptions {
  std::string folder;
  std::string at;
  std::string scratch;             // As VerifyOptions.
  std::string account;             // In the backup.
  std::string for_account;         // That gets the mail; empty: the same.
  std::string mailbox;             // With those below it; empty: all.
  std::vector<std::uint64_t> ids;  // Messages; empty: all.
  std::string match;               // In sender or subject; empty: all.
  std::string into;                // Where it goes; empty: mailboxes of the same names.
  bool list = false;               // Only shows what would be restored or is there.
};
// Files what is missing, with flags and times: what the mailbox has already is not filed again, however it came there.
int restore_mail(const Context& context, const RestoreMailOptions& options);

// The generations of a backup.
int list_backups(const Context& context, const std::string& folder);

}  // namespace facteur::cli
