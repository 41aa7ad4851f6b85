// backup, verify, restore: everything the server has, kept elsewhere.
#include "cli/backup.hpp"
#include "cli/command_line.hpp"

namespace facteur::cli {

void add_backup_commands(CommandLine& line) {
  CLI::App* top = &line.app();
  struct Values {
    BackupOptions backup;
    bool list = false;
  };
  const auto v = values<Values>();
  auto* backup = line.command(top, "backup", [&line, v] {
    return v->list ? list_backups(line.context(), v->backup.folder) : back_up(line.context(), v->backup);
  });
  backup->add_option("folder", v->backup.folder, line.say("help.backup.folder"))->required();
  backup->add_option("--keep", v->backup.keep, line.say("help.backup.keep"))->check(CLI::Range(1, 1'000'000));
  backup->add_flag("--list", v->list, line.say("help.backup.list"));

  const auto checked = values<VerifyOptions>();
  auto* verify_it = line.command(top, "verify", [&line, checked] { return verify(line.context(), *checked); });
  verify_it->add_option("folder", checked->folder, line.say("help.backup.folder"))->required();
  verify_it->add_option("--at", checked->at, line.say("help.backup.at"));
  verify_it->add_option("--scratch", checked->scratch, line.say("help.backup.scratch"));

  const auto back = values<RestoreOptions>();
  const auto mail = values<RestoreMailOptions>();
  auto* restore_it = line.command(top, "restore", [&line, back, mail] {
    if (back->to.empty() == mail->account.empty()) {
      complain(line.say("restore.what"));
      return int{ExitCode::wrong_usage};
    }
    if (!back->to.empty()) return restore(line.context(), *back);
    mail->folder = back->folder;
    mail->at = back->at;
    return restore_mail(line.context(), *mail);
  });
  restore_it->add_option("folder", back->folder, line.say("help.backup.folder"))->required();
  restore_it->add_option("--at", back->at, line.say("help.backup.at"));
  auto* to = restore_it->add_option("--to", back->to, line.say("help.restore.to"));
  restore_it->add_flag("--moved", back->moved, line.say("help.restore.moved"))->needs(to);
  const auto of_mail = [&](CLI::Option* option) { option->excludes(to); };
  of_mail(restore_it->add_option("--account", mail->account, line.say("help.restore.account")));
  of_mail(restore_it->add_option("--for", mail->for_account, line.say("help.restore.for")));
  of_mail(restore_it->add_option("--folder", mail->mailbox, line.say("help.restore.folder")));
  of_mail(restore_it->add_option("--message", mail->ids, line.say("help.restore.message")));
  of_mail(restore_it->add_option("--match", mail->match, line.say("help.restore.match")));
  of_mail(restore_it->add_option("--into", mail->into, line.say("help.restore.into")));
  of_mail(restore_it->add_flag("--list", mail->list, line.say("help.restore.list")));
  of_mail(restore_it->add_option("--scratch", mail->scratch, line.say("help.backup.scratch")));
}

}  // namespace facteur::cli
