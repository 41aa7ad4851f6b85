// fsck.
#include "cli/command_line.hpp"
#include "cli/fsck.hpp"

namespace facteur::cli {

void add_fsck_command(CommandLine& line) {
  const auto options = values<FsckOptions>();
  auto* out = line.command(&line.app(), "fsck", [&line, options] { return fsck(line.context(), *options); });
  out->add_flag("--repair", options->repair, line.say("help.fsck.repair"));
  out->add_option("--account", options->account, line.say("help.fsck.account"));
}

}  // namespace facteur::cli
